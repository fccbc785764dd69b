"""What runs in processes of Ray: nothing here is imported by the caller's own process.

``actors``       Asks Ray for workers.
``coordinator``  The actor that has the cluster's jobs: gives each to a worker, keeps what is made.
``driver``       The process beside the caller that is Ray's driver.
``inputs``       The pictures and videos of jobs on a worker's node, each fetched once.
``job_records``  The coordinator's folder: a file for each job, inputs, and finished videos.
``worker``       The actor that holds a model and runs one job at a time, with the local engines.
``worker_table`` The workers that the coordinator knows, and which one a job gets.
"""
