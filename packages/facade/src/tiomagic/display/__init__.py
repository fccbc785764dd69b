"""Output while a job runs: progress bars, notebooks, log events, safe writing to streams.

``escaping``      Text of other people as what it is in HTML and JSON: characters, and no markup.
``journal``       Events for whoever operates an application, and the log file for people.
``next_steps``    The way to do what an error advises: in Python, or in a shell.
``notebook``      What a notebook shows of a job: its bar, and its player. Without scripts, so
                  also offline.
``progress_bar``  Shows how far a job is: on stderr, or below the cell of a notebook.
``streams``       The one way to stdout and stderr: whatever stream is there, writing to it never
                  breaks a run.
"""
