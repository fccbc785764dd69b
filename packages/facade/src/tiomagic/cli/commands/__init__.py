"""The commands, one module each: parse, ask ``tm``, print."""
