"""What the shell offers for a word that is being typed.

``assignments``  What the shell offers for ``--set``: the parameters of the model that is meant,
                 and their values.
``bash``         What bash does to a line that it completes: it takes words apart at each =.
``values``       What the shell offers for a word that is being typed. Makes no file and contacts
                 nobody.
"""
