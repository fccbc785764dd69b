"""One video made by several devices of one machine: each has all weights and a part of the tokens.

``leader``         Rank 0: calls the other ranks, waits until they are there, and runs in step
                   with them.
``messages``       What the ranks tell each other, over a pair of sockets that only they hold.
``process_group``  The process group of the ranks. It is one of this machine: no port is opened to
                   the network.
``sharding``       Splits the tokens of a transformer among the devices of a process group, and
                   joins them again.
``workers``        The processes of the other ranks: started, heard, and ended together.

Rank 0 is the process that runs the job; ``tiomagic_local.rank_main`` is the program of the others.
Every rank makes the same engine call with the same seed, on its own device; in the transformer
they meet, many times a step. A rank that is missing there stops all of them, so a rank that
fails, a job that is canceled and a process that dies end the whole group, and the next job gets
a new one.
"""
