"""The command line. ``main`` wires; each command has its file and goes parse, ``tm``, show."""
