"""Shell completion: the suggestions for a word that is being typed.

``assignments``  Completion of ``--set``: the parameters of the given model, and their values.
``bash``         Undoes bash's splitting of words at each = in a completed line.
``values``       Completion of models, jobs, formats and files. Makes no file and no request.
``suggestions``  Suggestions for a command or an option that does not exist.
"""
