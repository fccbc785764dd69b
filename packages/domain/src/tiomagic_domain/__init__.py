"""The core of tiomagic: features, models, jobs and what may be done with them.

``catalogue``    The models that tiomagic knows, one module a family.
``codes``        The words that programs tell errors apart by.
``errors``       The errors of tiomagic, grouped by who can mend what went wrong.
``advice``         what a person can do about an error, in words for every surface
``codes``          the words that programs tell errors apart by
``extras``       What to say when an optional part of tiomagic is not installed. The one place
                 with the command.
``features``     The four features and the inputs that each requires.
``files``        Small tools for files on the disk, for every package.
``interpreter``  How this interpreter starts another one, so that no file of the working folder
                 becomes code.
``jobs``         The job, its status, tags and recipe: entities without input or output.
``lifecycle``    Changes of stored jobs: from a provider's report to the saved record, by
                 compare-and-swap.
``media``        Pictures and clips, as the domain sees them: what they are, not how they are
                 decoded.
``plugins``      What a package brings with its provider: settings, checks, commands.
``ports``        The ports: what adapters implement, one module a port.
``progress``     How far a job is, and the two wires between a running engine and its caller.
``redaction``    Hides secrets in texts and data: the one place where that is done.
``requests``     Prepares requests: from a call's arguments to a request that a provider can run.
``schema``       The schemas: parameters with their limits, rules between them, and the check of a
                 call.
``suggestions``  Did-you-mean for names that are almost right.
``testing``      For tests of adapters, ours and other people's: fakes that work, and a contract a
                 port.
``text``         The border for text: what comes in is decoded or refused, what goes out is made
                 safe.
``usecases``     The use cases on jobs, over the ports: submit, check, wait, cancel, rerun,
                 batches, search.
``workers``      Background jobs: queues, workers and their leases, the supervisor, retries after
                 a lost worker.

Pure: this package imports the standard library and nothing else, so that any service can embed it.
"""

__version__ = "2.0.0"
