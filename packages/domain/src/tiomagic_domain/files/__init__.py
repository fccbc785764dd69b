"""Tools for files: atomic replacement, fsync, permissions, digests, bounded JSON, mp4 metadata.

``digests``         SHA-256 of files.
``durability``      fsync of files and folders, on drives that support it.
``json_documents``  Parses untrusted JSON, with limits on size, depth and numbers.
``mp4_metadata``    Adds a recipe to the metadata of an mp4 by editing its boxes, without a
                    decoder.
``owner_only``      Permissions: creates files and folders for their owner only (600, 700), and
                    restricts old ones.
``private_folder``  A folder for locks and sockets that no other user of the machine can enter.
``replacing``       Atomic replacement of a file: written under a hidden name, then renamed.
"""
