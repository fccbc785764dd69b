"""The core of tiomagic: features, models, jobs and what may be done with them.

Pure: this package imports the standard library and nothing else, so that any service can embed it.

=================  ==========================================================================
``features``       the four features and the inputs that each requires
``parameters``     one setting of a model: kind, limits, default; ``schema`` puts them together
``catalogue``      the models, one file a family
``jobs``           the job entity and the table of its moves
``ports``          what the outside has to provide
``generation``     the use cases: submit, check, wait, cancel, list, rerun
``errors``         one tree of errors
``extras``         what to say when an optional part is not installed
``testing``        working fakes and a contract class for each port
=================  ==========================================================================
"""

__version__ = "2.0.0"
