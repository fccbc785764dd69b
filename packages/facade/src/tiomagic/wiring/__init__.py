"""Settings, the container, and how each part is built.

``background``           Background workers: how they are started, and which jobs they may run.
``builders``             Builds each part of the container. Heavy imports are inside the
                         functions.
``clock``                The time of this machine.
``container``            The dependency-injection container: all parts and their dependencies.
``extras``               The extras of tiomagic, and the error when one is not installed.
``lazy``                 Parts that cost something, built when they are first used and not when
                         they are put together.
``provider_names``       The names of the providers that come with tiomagic, and of those that are
                         installed beside it.
``redacting_provider``   Redacts secrets in the reports and errors of providers.
``registry``             The registry of providers: the built-in ones, and those of plug-ins.
``session``              The session of a :class:`~tiomagic.TioMagic`: its settings, and the parts
                         built from them.
``setting_definitions``  The settings of tiomagic itself: names, variables and parsers.
``setting_types``        The types of the settings that ``tm.configure`` and ``TioMagic`` take.
``settings``             The settings: what was configured, over the environment, over ``.env``,
                         over the defaults.
``unknown_variables``    Variables that look like settings and are none, such as a misspelt one.
"""
