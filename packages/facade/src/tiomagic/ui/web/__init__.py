"""What stands between a browser and the page: nothing reaches Gradio that is not listed here.

::

    gate       every request: who may ask, and for what        server     where it listens
    origins    names that the page answers to, other websites  login      who may come in
    messages   what a browser sends, as plain and bounded data uploads    files that it sends
    files      what it may fetch, by id

Gradio is behind it, and makes the page. Its own ways to give, take, convert and fetch files, to log
in and to be called by other websites are closed.
"""
