"""What every adapter of a port keeps, as classes of tests with abstract fixtures.

``clock``           What every clock does.
``cost_keeping``    What every job repository does that holds budgets and sums costs.
``device_locks``    What every maker of device locks does.
``features``        What every model engine does, one class a feature port.
``job_queues``      The contract of the order in which a job repository lists the jobs of a queue.
``job_repository``  The contract that every job repository keeps.
``leases``          The contract that every keeper of leases keeps.
``mask_reader``     What everything does that looks into masks.
``media_reader``    What every reader of pictures and videos does.
``pictures``        What everything does that makes pictures of finished videos.
``provider``        What every provider does: in general, when it blocks, and when it is far away.
``video_joiner``    What everything does that joins videos.
"""
