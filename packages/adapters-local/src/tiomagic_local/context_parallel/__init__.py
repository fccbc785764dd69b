"""Context parallelism: several GPUs of one machine make one video; each has a part of the tokens.

``hooks``               Split a transformer's tokens, and join them again.
``joint_attention``     The attention of transformers whose text and video see each other.
``leader``              Rank 0 (the leader): starts the other ranks, waits until they are ready,
                        and runs with them.
``messages``            The messages between the leader and the ranks, over a private pair of
                        sockets.
``model_hooks``         What some transformers need besides the split of their tokens.
``model_transformers``  A model's transformers before it is loaded: whether devices can share them.
``plans``               Where each class of transformers is split, and where it is joined again.
``process_group``       The process group of the ranks (``torch.distributed``), on this machine
                        only: no open port.
``sharding``            Sharding (Ulysses): applies a plan to a transformer for the time of a call.
``shares``              Which tokens each rank has, and the exchange of tokens for heads.
``support``             The classes that can be split, and the rule of the heads. Loads no torch.
``workers``             Starts, monitors and ends the processes of the other ranks.

Rank 0 is the process that runs the job; ``tiomagic_local.rank_main`` is the program of the others.
Every rank makes the same engine call with the same seed, on its own device, and exchanges tensors
with the others many times a step. A missing rank would block all others, so a rank that fails, a
canceled job and a process that dies end the whole group, and the next job gets a new one.
"""
