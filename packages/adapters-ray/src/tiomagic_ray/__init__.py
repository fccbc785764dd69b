"""The engines of tiomagic on the machines of a Ray cluster.

``cluster``        What runs in processes of Ray: the coordinator, the workers, the driver.
``commands``       The commands of ``tiomagic ray``.
``constants``      Names shared by the caller and the cluster.
``link``           The caller's side of the connection to a cluster.
``one_machine``    A cluster of this machine alone, on loopback: ``tiomagic ray up``.
``options``        Settings of the Ray provider: the cluster's address, its token, the GPU.
``placement``      What a job needs of the cluster: GPUs of a kind, or CPUs.
``plugin``         The provider ``ray`` before it is built: its settings, what it can run.
``provider``       The port ``Provider`` for Ray.
``shared_folder``  The folder that all machines share, where inputs and videos are put.
``tokens``         Whether there is a token for a cluster; its value is not used.

A worker on the cluster is a local GPU somewhere else: it runs the same engines as the local
provider does. Importing this package does not import Ray.
"""
