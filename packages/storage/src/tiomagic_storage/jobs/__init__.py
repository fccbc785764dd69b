"""Jobs and leases over SQL.

``costs``        Budgets and sums of costs in SQL.
``deliveries``   The deliveries of webhooks over a SQL database.
``filters``      Translates a query for jobs into SQL.
``leases``       The leases over a SQL database.
``repository``   The job repository over a SQL database.
``video_paths``  Stores paths of videos relative to the database, so that their folder may be
                 renamed or moved.
"""
