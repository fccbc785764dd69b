"""What the page shows of jobs.

``bars``          HTML of the running jobs: their bars, progress and previews.
``compare``       Two videos side by side; ``assets/page.js`` keeps them synchronised.
``gallery``       The gallery: searches, filters and pages through the stored jobs.
``markup``        Renders jobs as HTML. All text of a job is escaped here.
``running_jobs``  Polls the running jobs for all pages: progress, and the estimated time of the
                  phase.
"""
