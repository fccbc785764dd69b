"""What stands between a browser and the page: nothing reaches Gradio that is not listed here.

``files``       What a browser may fetch, by id: videos of jobs, kept inputs, and its own uploads.
                No folder.
``headers``     What is taken from the headers of a request, and what is said in those of every
                answer.
``login``       Who may come in: one user with a password, and a cookie that stands for them.
``login_page``  The page that asks who is there. It has no script, and nothing of what is behind
                it.
``messages``    What a browser sends as JSON: read once, bounded, and made into plain data before
                its use.
``middleware``  Every request passes here; what is not listed does not exist.
``multipart``   The file in a form of a browser (``multipart/form-data``), read as it arrives.
``origins``     The names that the page answers to, and whether another website is behind a
                request.
``server``      The socket that the page listens on, and the thread that serves it.
``uploads``     Files that a browser sends: bounded one by one and in all, kept as they came, and
                cleared away.

Gradio is behind it, and makes the page. Its own ways to give, take, convert and fetch files, to log
in and to be called by other websites are closed.
"""
