"""What clients get: videos, models and errors, in OpenAI's and in OpenRouter's form.

``codes``          Codes of the server's own refusals.
``errors``         Errors as ``{"error": …}``, with a status that says whose fault it is.
``lengths``        Length and size of a job's video, as far as its record says.
``models``         Models with their sizes, lengths and features.
``openai``         A job as OpenAI's ``video``.
``openrouter``     A job as OpenRouter's generation.
``schema_errors``  What pydantic finds wrong, in our words.
``usage``          What a video has cost, as OpenRouter's ``usage``.
"""
