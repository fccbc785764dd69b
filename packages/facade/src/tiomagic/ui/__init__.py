"""The web page: ``tiomagic ui``.

``browser_input``  Validates the arguments that a browser sends to a function of the page.
``compare``        Two videos side by side; ``assets/page.js`` keeps them synchronised.
``controller``     The use cases of the page: forms, submissions and jobs, independent of Gradio.
``form``           The form of a model as plain data: the widget, label and help of each
                   parameter.
``form_widgets``   The Gradio widgets of a form.
``gallery``        The gallery: searches, filters and pages through the stored jobs.
``markup``         Renders jobs as HTML. All text of a job is escaped here.
``media_widgets``  Upload widgets for pictures and videos; Gradio shows the files, but never opens
                   or converts them.
``page``           The page: builds its parts and connects their events.
``running_jobs``   Polls the running jobs for all pages: progress, and the estimated time of the
                   phase.
``serve``          Starts the page: address and port, login, allowed hosts and files.
``theme``          The theme of the page: colours, sizes and fonts, light and dark. Loads no web
                   font.
``web``            The web layer in front of Gradio: only listed requests pass, bounded and
                   checked.

All content is read from the job store, so a page may be closed, reloaded and opened twice. Only
``theme``, ``form_widgets``, ``media_widgets``, ``page`` and ``serve`` import Gradio.
"""
