"""One way to change a stored job: from a provider's report to the saved record.

``apply_report``      What a provider's word does to a job. Pure.
``job_writer``        Changing a stored job while others may change it too.
``observer``          The caller's end of a running submission: stores its moments and hears the
                      call to stop.
``outcome``           Storing a provider's word, and bringing home the video that may come with
                      it.
``provider_answers``  What a provider answers, before it is believed.
"""
