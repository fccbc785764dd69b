"""The hosted providers before they are built, one module for each vendor. Imports no SDK.

``fal``         fal: settings, models, checks.
``luma``        Luma: the same.
``openrouter``  OpenRouter: the same.
``runway``      Runway: the same.
``vendor``      What they have in common.
"""
