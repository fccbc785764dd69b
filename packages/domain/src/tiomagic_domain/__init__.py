"""The core of tiomagic: features, models, jobs and what may be done with them.

``advice``       What a user can do about an error, in words for every surface.
``catalogue``    The models that tiomagic knows, one module a family.
``codes``        The error codes: stable words by which programs recognise errors.
``entry_points`` What installed distributions bring: their entry points, read once.
``errors``       The errors of tiomagic, grouped by where the cause is: caller, environment,
                 service, model.
``extras``       The error and the install command when an extra of tiomagic is not installed.
``features``     The four features and the inputs that each requires.
``files``        Tools for files: atomic replacement, fsync, permissions, digests, bounded JSON,
                 mp4 metadata.
``interpreter``  Starts Python subprocesses that import nothing from the working folder.
``jobs``         The job, its status, tags and recipe: entities without input or output.
``lifecycle``    Changes of stored jobs: from a provider's report to the saved record, by
                 compare-and-swap.
``media``        Types for pictures, videos and clips: ``Media``, ``Clip``, without decoding.
``money``        What runs are expected to cost, what they cost, and budgets.
``plugins``      What a package brings with its provider: settings, checks, commands.
``ports``        The ports: what adapters implement, one module a port.
``preflight``    Preflight: what a run would take, whether it can work, and what would work in
                 its place.
``progress``     Progress of a job, and the protocols ``ProgressSink`` and ``CancelToken`` of a
                 running engine.
``quantities``   Sizes and durations in the words of people.
``redaction``    Redacts secrets in texts and data.
``requests``     Prepares requests: from a call's arguments to a request that a provider can run.
``schema``       The schemas: parameters with their limits, rules between them, and the check of a
                 call.
``spending``     Rules of spending: what a call may cost, what would fit, and which provider runs
                 it.
``suggestions``  Did-you-mean for names that are almost right.
``testing``      Test kit for adapters: working fakes, and contract tests for each port.
``text``         Text at the borders: decodes or refuses input, and makes output safe.
``usecases``     The use cases on jobs, over the ports: submit, check, wait, cancel, rerun,
                 batches, search.
``weights``      Weights of a call: in which format, and from which files.
``workers``      Background jobs: queues, workers and their leases, the supervisor, retries after
                 a lost worker.

Pure: this package imports the standard library and nothing else, so that any service can embed it.
"""

__version__ = "2.0.0"
