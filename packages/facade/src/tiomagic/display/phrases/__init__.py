"""Sentences for people: problems, warnings and log events in the words of the surface.

The domain and the adapters name parameters as in Python. A person at a command line knows options,
one at the page knows labels. Each surface has a vocabulary; the functions here take one.

``job_warnings``  What to know about a job's video: unknown words, input notes, notes of the run.
``log_events``    Log events as sentences; the structured events stay as they are for programs.
``page``          The vocabulary of the page: its labels.
``problems``      Problems and errors as sentences.
``rewording``     Replaces the names of parameters in a text by those of the surface.
``shell``         The vocabulary of a command: its own options.
``vocabulary``    What a vocabulary says, and that of Python.
"""
