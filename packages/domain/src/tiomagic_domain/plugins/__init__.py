"""What a package brings beside models and engines: a provider, with all that belongs to it.

==============  ================================================================================
``provider``    :class:`ProviderPlugin`, what the entry point of a provider names
``settings``    :class:`Setting`: name, variable and parser of a setting that a provider brings
``commands``    what a command of a provider's own group is given, and what it returns
``checks``      what several providers look at for ``tiomagic doctor``
==============  ================================================================================
"""

from tiomagic_domain.plugins.commands import CommandContext, CommandResult
from tiomagic_domain.plugins.provider import ProviderPlugin
from tiomagic_domain.plugins.settings import InvalidSettingError, ProviderSettings, Setting

__all__ = [
    "CommandContext",
    "CommandResult",
    "InvalidSettingError",
    "ProviderPlugin",
    "ProviderSettings",
    "Setting",
]
