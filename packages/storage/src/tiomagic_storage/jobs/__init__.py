"""Jobs and leases over SQL.

``filters``      From a query of the domain to SQL.
``leases``       The leases over a SQL database.
``repository``   The job repository over a SQL database.
``video_paths``  How the path of a finished video is stored, so that a folder may be renamed,
                 moved or mounted.
"""
