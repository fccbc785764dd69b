"""The command line: ``main`` wires the commands, which parse, ask ``tm`` and print.

``commands``          The commands, one module each: parse, ask ``tm``, print.
``completion``        What the shell offers for a word that is being typed.
``_examples``         Examples for the help page of each command. A test parses each of them.
``_exit_codes``       Exit codes, and which error ends with which.
``_fast_exit``        The end of a command's process, without the seconds that nobody waits for
                      gladly.
``_filters``          The options that say which jobs are meant.
``_lazy``             Commands whose options are looked at when one of them runs.
``_logging``          Logging of the command line; an application that uses the library does this
                      for itself.
``main``              Wires the command line together. ``tiomagic --help`` loads only what is
                      here.
``_options``          The options that several commands share.
``_output``           The one way out: data on stdout, everything else on stderr, both as JSON
                      when asked.
``_provider_groups``  The groups of commands that providers bring: ``tiomagic <provider>
                      <command>``.
``_run``              What the commands that make a video share: settings, arguments, the run, the
                      file.
``_text_input``       Words of the command line that stand in a file or come from stdin.
``_trust``            Recipes on the command line: what one would fetch is shown, and a terminal
                      is asked for a yes.
``_values``           From the text of a command line to the values of a schema.
"""
