"""The job, its status, tags and recipe: entities without input or output.

``choices`` What the user chose of a job's arguments, apart from what defaults filled in.
``job``     The job: one request for a video, with its status, attempts and facts; and queries for
            jobs.
``rates``   Rates: how many jobs with a tag may be stored in a time.
``recipe``  The recipe of a video: plain data to make it again, without secrets or paths.
``status``  The status of a job, and the table of legal transitions; ``job`` has the drawing.
``tags``    Tags of a job: the user's own labels, validated.
"""
