"""The web page: ``tiomagic ui``.

``browser_input``  Validates the arguments that a browser sends to a function of the page.
``choosing``       What a form is about and begins with: provider, feature, model, and what the user
                   chose.
``controller``     The use cases of the page: submissions, jobs and their labels.
``expectation``    What a run would take, beside its button: length, size, time, price.
``form``           The form of a model: its fields, words and widgets, and what comes back from it.
``jobs``           What the page shows of jobs: the gallery, a comparison, running jobs.
``layout``         The parts of the page, laid out with Gradio.
``models``         What the page shows of models: their facts, cards and samples.
``opening``        Takes the settings of a video dropped on the page.
``page``           The page: builds its parts and connects their events.
``serve``          Starts the page: address and port, login, allowed hosts and files.
``theme``          The theme of the page: colours, sizes and fonts, light and dark. Loads no web
                   font.
``web``            The web layer in front of Gradio: only listed requests pass, bounded and
                   checked.

All content is read from the job store, so a page may be closed, reloaded and opened twice. Only
``theme``, the widgets of ``form``, ``layout``, ``page`` and ``serve`` import Gradio.
"""
