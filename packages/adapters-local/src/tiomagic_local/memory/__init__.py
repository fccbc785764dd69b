"""The memory plan of a run: what is on the device, and where the rest waits. Without torch.

``choosing``  Chooses the memory plan by the memory of the device and of the machine.
``demand``    Counts the memory that a generation needs with each plan.
``plans``     The memory plans: what is on the device during a run, and where the rest waits.
``quality``   Chooses the memory plan together with the formats of the weights.
"""
