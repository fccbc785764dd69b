"""The errors where tiomagic 1.0.0 had them; :mod:`tiomagic.errors` is the same."""

from tiomagic.errors import *  # noqa: F403
from tiomagic.errors import __all__ as __all__  # noqa: PLC0414
