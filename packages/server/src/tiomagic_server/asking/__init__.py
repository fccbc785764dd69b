"""Reads a request: from bytes to the call of a model.

``bodies``      A body as fields: a form with files, or JSON.
``calls``       Fields as the call of a feature: which one, with which model and arguments.
``common``      The names of OpenAI's and OpenRouter's fields, and what ours they stand for.
``nesting``     Names with brackets, as forms have them: ``a[b]``, ``l[][p]``.
``references``  Pictures and videos of a request: files, addresses, earlier videos.
``texts``       Texts of a form as numbers, switches, lists and objects, by a model's schema.
"""
