"""Changes of stored jobs: from a provider's report to the saved record, by compare-and-swap.

``apply_report``      Applies a provider's report to a job. Pure.
``finishing``         Finishes a provider's video before it is saved: joins what continues a video.
``job_updater``       Changes a stored job by compare-and-swap, safe in races with other writers,
                      and saves its video.
``observer``          Observes a running submission: stores its progress, and checks for cancels.
``provider_answers``  Validates the answers of a provider before they are applied.
``sending``           Which process sends a stored job to its provider, and what becomes of it when
                      that one dies.
"""
