"""A dress rehearsal: does a model run here, before its weights are downloaded?

::

    published      names and sizes of the files, on the hub at the card's commit or in a folder
        └─► completeness   what the loader will ask for, and whether it is there and whole
    stand_in       the pipeline with random weights, from the configuration files alone
    smallest       the smallest legal call of a model, with inputs that are made up
    rehearse       all of it in order: a list of what was found

Only small files are downloaded: configurations, tokenizers, and the first bytes of each file of
weights, which name its tensors and say how long it has to be.
"""
