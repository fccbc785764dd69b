"""The parts of the page, laid out with Gradio.

``chooser``       Provider, feature and model, and what fills the form: samples, presets, a video.
``consent``       The terms of the chosen model, with the box that accepts them.
``gallery_tab``   The gallery: its filters, its cards, and the dialog for tags and notes.
``making_form``   The form of the chosen model, with its button.
``options``       Options and scripts of events.
``spending``      What a run may cost, and where else it may run, beside the estimate.
"""
