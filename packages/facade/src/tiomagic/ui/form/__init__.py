"""The form of a model: its fields, its words, its widgets, and what comes back from it.

``arguments``      Entries as arguments of a call, and which of them the user chose.
``expected_call``  The call that a form would make, as far as it says what a run takes.
``fields``         The form as plain data: the entries of each parameter.
``first_choices``  What the user first chose, and for which model: each model's form fits it anew.
``keyframe_rows``  Rows of keyframes: a picture each, with the second or the frame of the video that
                   shows it.
``marks``          HTML within a form: its mark for the script of the page, problems, and buttons
                   that fill it.
``media_widgets``  Upload widgets for pictures and videos; Gradio shows the files, but never opens
                   or converts them.
``rows``           Rows of a form: a LoRA each, and the version of each repository of a model.
``shapes``         Sizes and lengths as people think of them: 16:9, upright, 5 seconds.
``shots``          The fields of a form for a shot of its own, for one that goes on, and for a
                   loop.
``widgets``        The Gradio widgets of a form.
``wording``        The words of a form: the label, the help and the provenance of a parameter.

Only ``widgets`` and ``media_widgets`` import Gradio.
"""
