"""The command line: ``main`` wires the commands, which parse, ask ``tm`` and print.

``commands``          The commands, one module each: parse, ask ``tm``, print.
``completion``        Shell completion: the suggestions for a word that is being typed.
``_examples``         Examples for the help page of each command. A test parses each of them.
``_exit_codes``       Exit codes, and which error ends with which.
``_fast_exit``        Ends a command's process quickly, without the interpreter's slow shutdown.
``_filters``          The options that filter jobs.
``_lazy``             Lazy commands: a command's module and options are loaded only when it runs.
``_logging``          Logging of the command line; an application that uses the library does this
                      for itself.
``main``              Wires the command line together. ``tiomagic --help`` loads only what is
                      here.
``_options``          The options that several commands share.
``_output``           The output of commands: data on stdout, all else on stderr, JSON with
                      ``--json``.
``_provider_groups``  The groups of commands that providers bring: ``tiomagic <provider>
                      <command>``.
``_run``              Shared code of commands that make a video: settings, arguments, the run, the
                      output file.
``serving``           What ``tiomagic serve`` manages: keys and receivers of messages.
``_text_input``       Words of the command line that stand in a file or come from stdin.
``_trust``            Asks the user on a terminal to approve downloads: large ones, and those of
                      a recipe.
``_values``           From the text of a command line to the values of a schema.
``warm``              Warm workers: they keep a model loaded, and make the videos of one command
                      after the other.
"""
