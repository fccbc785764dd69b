"""Jobs and processes of this machine: process identity, liveness, device locks, the spool.

``device_locks``      The locks of devices: files that the kernel locks for their user.
``previews``          The previews of running jobs: files in the spool.
``process_identity``  The unique identity of a process: boot, PID namespace and start time.
``process_locks``     Liveness by locked files, for processes in other containers and after a
                      reboot.
``processes``         Processes that run jobs: call ids, liveness (alive, dead, unknown), and
                      killing.
``spool``             The spool: a folder of finished videos until they are saved, and of claims
                      on running jobs.
"""
