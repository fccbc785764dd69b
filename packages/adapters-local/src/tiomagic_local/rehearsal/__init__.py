"""A dress rehearsal: does a model run here, before its weights are downloaded?

::

    published      names and sizes of the files, on the hub at the card's commit or in a folder
        └─► completeness   what the loader will ask for, and whether it is there and whole
    stand_in       the pipeline with random weights, from the configuration files alone
    smallest       the smallest legal call of a model, with inputs that are made up
    rehearse       all of it in order: a list of what was found

Only small files are downloaded: configurations, tokenizers, and the first bytes of each file of
weights, which name its tensors and say how long it has to be.

``completeness``   What the loader will ask for, and whether it is there and whole.
``file_checks``    Whether a model's files are there and whole, may be had, and fit on the disk.
``memory_checks``  What a real run takes of the device and of the main memory, and whether they
                   have it.
``published``      The files of a model, by name and size: on the hub, or in a folder of this
                   machine.
``rehearse``       All of a rehearsal in order.
``smallest``       The smallest legal call of a model, with pictures and videos that are made up.
``stand_in``       A pipeline of the true shapes with random weights, from its configuration files
                   alone.
"""
