"""The job and what belongs to it: entities without input or output.

``job``     The job: one request for a video, from the moment it is stored to its end.
``recipe``  The recipe of a video: everything that made it, and nothing private.
``status``  Where a job can be in its life, and every move between; ``jobs`` draws it.
``tags``    The user's own words on a job.
"""
