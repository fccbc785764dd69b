"""One way to change a stored job: from a provider's report to the saved record.

``apply_report``      What a provider's word does to a job. Pure.
``job_updater``       Changing a stored job while others may change it too, and bringing its video
                      home.
``observer``          The caller's end of a running submission: stores its moments and hears the
                      call to stop.
``provider_answers``  What a provider answers, before it is believed.
"""
