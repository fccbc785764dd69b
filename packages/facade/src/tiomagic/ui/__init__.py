"""The web page: ``tiomagic ui``.

``browser_input``  The one door for what a browser sends to a function of the page.
``compare``        Two videos side by side, in step; ``assets/page.js`` keeps them there.
``controller``     What the page asks of tiomagic: forms, submitting, and jobs. Knows nothing of
                   widgets.
``form``           The form of a model as plain data: which widget each parameter gets, and what
                   it says.
``form_widgets``   The widgets of a form.
``gallery``        The jobs of the store: searched, filtered, and read in pages.
``markup``         Jobs as HTML. Every word that comes from a job is escaped here.
``media_widgets``  Where pictures and videos are dropped; Gradio shows them, and opens or converts
                   none.
``page``           The page: its parts, and what each does to the others.
``running_jobs``   What runs now: each job that is not over, how far it is, and how long its phase
                   will take.
``serve``          Where the page listens, who may come in, and which files it gives.
``theme``          How the page looks: one calm theme of our own, light and dark. Loads no font
                   from anywhere.
``web``            What stands between a browser and the page: nothing reaches Gradio that is not
                   listed here.

Everything that is shown is read from the job store, so that a page may be closed, loaded again and
opened twice. Only ``theme``, ``form_widgets``, ``media_widgets``, ``page`` and ``serve`` know
Gradio, and load it.
"""
