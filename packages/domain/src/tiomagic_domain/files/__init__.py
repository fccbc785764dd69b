"""Small tools for files on the disk, for every package.

``digests``         What a file's bytes are known by.
``durability``      Bringing files and the names of files to the disk, on drives that can do that.
``json_documents``  JSON from files that anybody may have written: bounded before it is believed.
``mp4_metadata``    Puts a recipe into an mp4 that has none, without a decoder: boxes alone.
``owner_only``      Files and folders that are for their owner alone: prompts, pictures and logs
                    are private.
``private_folder``  A folder for locks and sockets that no other user of the machine can enter.
``replacing``       A file that appears whole or not at all: written under a hidden name, then
                    renamed.
"""
