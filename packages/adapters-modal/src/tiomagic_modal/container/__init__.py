"""The Modal app and the worker in its containers.

``app``        The Modal app: image, Volumes, Dict and secret. The same objects on both sides.
``job_store``  A job in the container: the claim that one call runs it, its progress, and its
               stored result.
``worker``     The worker class in the container: runs a job with the local engines, or rehearses
               a model.
"""
