"""One video made by several devices of one machine: each has all weights and a part of the tokens.

=============  ====================================================================================
module         what it does
=============  ====================================================================================
``splitting``  splits a transformer among the ranks for the time of a call, and says what cannot be
``meeting``    the process group of the ranks: made, agreed in, and left
``band``       the processes of the other ranks: started, heard, and ended when anything goes wrong
``leading``    the rank that the job runs in: calls the others, and runs in step with them
``rank``       ``python -m tiomagic_local.rank_main``: one of the others
``messages``   what the ranks tell each other
=============  ====================================================================================

Rank 0 is the process that runs the job. Every rank makes the same engine call with the same seed,
on its own device; in the transformer they meet, many times a step. Whoever is missing there stops
all of them, so a rank that fails, a job that is canceled and a process that dies end the whole
band, and the next job gets a new one.
"""
