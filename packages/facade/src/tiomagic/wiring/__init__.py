"""Settings, the container, and how each part is built.

``builders``        How each part is built. Heavy imports are inside, so that a part costs only
                    whoever uses it.
``clock``           The time of this machine.
``container``       Which parts there are and what each is made of. The only module that knows
                    dependency-injector.
``extras``          The optional parts of tiomagic, and what to say when one is not installed.
``launcher``        Starting background workers: processes of their own that outlive whoever
                    starts them.
``lazy``            Parts that cost something, built when they are first used and not when they
                    are put together.
``provider_names``  The names of the providers that come with tiomagic, and of those that are
                    installed beside it.
``redaction``       Keeps secrets out of what providers say.
``registry``        Who can run jobs: the built-in providers, and those that other distributions
                    bring.
``sections``        The settings of tiomagic itself: names, variables and parsers.
``session``         What one :class:`~tiomagic.TioMagic` stands on: its settings, and the parts
                    built from them.
``setting_types``   The types of the settings that ``tm.configure`` and ``TioMagic`` take.
``settings``        The settings: what was configured, over the environment, over ``.env``, over
                    the defaults.
"""
