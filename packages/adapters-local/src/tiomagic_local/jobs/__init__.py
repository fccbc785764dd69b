"""Jobs as processes of this machine: who runs which, and where finished videos wait.

``device_locks``      The locks of devices: files that the kernel locks for their user.
``process_identity``  What tells a process from every other one that there ever was.
``process_locks``     Files that living processes hold locked, for those who cannot see them
                      otherwise.
``processes``         Which process runs a job: named in the job, and found again by anybody who
                      can see it.
``spool``             The folder where finished videos wait until they are saved, and who is
                      making which.
"""
