"""What tiomagic 1.0.0 had here, for scripts that were written for it.

``errors``  The errors where tiomagic 1.0.0 had them; :mod:`tiomagic.errors` is the same.
"""
