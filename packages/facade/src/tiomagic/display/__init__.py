"""Output while a job runs: progress bars, notebooks, log events, safe writing to streams.

``escaping``      Escapes untrusted text for HTML and JSON, and replaces invalid characters.
``journal``       Log events of jobs (structlog over ``logging``), and the refresh of
                  ``generation_log.json``.
``next_steps``    The way to do what an error advises: in Python, in a shell, or at the page.
``notebook``      Display in notebooks: a progress bar, the player of a job, a table. No scripts;
                  works offline.
``phrases``       Problems, warnings and log events as sentences in the words of each surface.
``plans``         A plan in lines for people: what would be made, where, what it takes, and
                  whether it works.
``player``        Plays a video in the player of the desktop.
``preview_file``  The newest preview of a running job, kept in a file.
``prices``        Estimates and costs in words: what a run is expected to cost, and what it has
                  cost.
``progress_bar``  Progress bars: on stderr, or below the cell of a notebook.
``streams``       Safe writing to stdout and stderr: missing, closed, full or narrow streams never
                  break a run.
``times``         Times as people read them: on the clock of this machine.
``unasked``       Warnings as sentences on a terminal or in a notebook, until logging is configured.
``wrapping``      Breaks lines for a terminal between words, and a command in brackets as late as
                  possible.
"""
