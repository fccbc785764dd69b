"""What runs in processes of Ray: nothing here is imported by the caller's own process.

``actors``         Asks Ray for workers.
``coordinator``    The actor that has the cluster's jobs, and answers callers and workers.
``dispatcher``     Brings waiting jobs to workers; what becomes of those whose worker was lost.
``driver``         The process beside the caller that is Ray's driver.
``engine_options`` How the engines of a worker's machine are set up.
``head_watch``     Notices at once that Ray's head has ended.
``inputs``         The pictures and videos of jobs on a worker's node, each fetched once.
``job_records``    The coordinator's folder: a file for each job, inputs, and finished videos.
``job_table``      The jobs that the coordinator knows, in memory and on the disk.
``node_tasks``     What is asked of each machine, and the rehearsal of a model on one.
``previews``       The previews of running jobs: who looks at which, and the newest picture.
``worker``         The actor that holds a model and runs one job at a time, with the local engines.
``worker_table``   The workers that the coordinator knows, and which one a job gets.
"""
