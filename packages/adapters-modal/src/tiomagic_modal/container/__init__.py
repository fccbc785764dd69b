"""The app and what runs in its containers.

``app``        The Modal app and what belongs to it. Imported on both sides, and the same on both.
``job_store``  The worker's end of a job: who may run it, how far it is, and where its result is
               kept.
``worker``     What runs in the container: the local engines, unchanged, behind one method.
"""
