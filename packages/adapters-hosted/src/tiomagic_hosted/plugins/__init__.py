"""The hosted providers before they are built, one module for each vendor. Imports no SDK.

``fal``         fal: settings, models, checks.
``google``      Google: the same, and where Veo runs.
``luma``        Luma: the same.
``openrouter``  OpenRouter: the same.
``runway``      Runway: the same.
``vendor``      What they have in common.
"""
