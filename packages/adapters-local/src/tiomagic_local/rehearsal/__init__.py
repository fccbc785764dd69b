"""Rehearsal: checks whether a model can run here, before its weights are downloaded.

::

    published      names and sizes of the files, on the hub at the card's commit or in a folder
        └─► completeness   the files that the loader will need, complete and whole
    stand_in       the pipeline with random weights, from the configuration files alone
    smallest       the smallest legal call of a model, with synthetic inputs
    rehearse       all of it in order: a list of findings

Only small files are downloaded: configurations, tokenizers, and the first bytes of each file of
weights, which name its tensors and say how long it has to be.

``completeness``   Checks that all files which the loader will need exist and are whole.
``file_checks``    Checks of a model's files: complete, whole, licence accepted, enough disk
                   space.
``memory_checks``  Checks that the device and the main memory are large enough for a real run.
``published``      Lists a model's files by name and size, on the hub or in a local folder, and
                   reads headers.
``rehearse``       Runs a rehearsal: all checks in order, then the pipeline with random weights.
``smallest``       Builds the smallest legal call of a model, with synthetic pictures and videos.
``stand_in``       Builds a pipeline of the true shapes with random weights, from its
                   configuration files.
"""
