"""The shipped models: one module a family, each with a tuple ``MODELS`` of cards."""
