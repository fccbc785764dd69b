"""The hosted providers before they are built, one module for each vendor. Imports no SDK.

``fal``         fal: settings, models, checks.
``openrouter``  OpenRouter: the same.
"""
