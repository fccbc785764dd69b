"""The web layer in front of Gradio: only listed requests pass, bounded and checked.

``files``       The files that a browser may fetch, by id: videos of jobs, inputs, samples, its own
                uploads.
``headers``     HTTP headers: which ones of a request reach Gradio, and the security headers of
                answers.
``login``       The login: one user with a password, a session cookie, and a limit on wrong
                answers.
``login_page``  The login page: static HTML without scripts, and the answer to its form.
``messages``    Parses JSON messages of a browser into plain data, with limits on size, depth and
                numbers.
``middleware``  The ASGI middleware for every request: host, origin and login checks, and the
                allowed routes.
``multipart``   Parses an uploaded file from ``multipart/form-data``, as it arrives.
``origins``     Host names of the page, and detection of requests from other websites (CSRF, DNS
                rebinding).
``server``      The page's socket and server thread: free ports, start, shutdown.
``uploads``     Uploaded files: limits on each and on all, stored unchanged, deleted when they
                expire.

Gradio makes the page. Its own routes to serve, upload, convert and fetch files, its login and its
API for other websites are disabled.
"""
