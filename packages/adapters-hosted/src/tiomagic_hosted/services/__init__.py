"""One module for each vendor, over its official SDK.

``fal``         fal.ai, by ``fal-client``.
``openrouter``  OpenRouter, by ``openrouter``.
"""
