"""Previews of a run: a small picture of its latents every few steps.

::

    provider ── preview_with(request) ──► engine ── Watch, after a step ──► PreviewDrawer
       │                                                                       │ is it time?
       └◄── Progress(preview=JPEG) ◄── strip of three frames ◄── colours ◄─────┘ LatentColours

``request``   The request for previews, which travels beside the ports, and the pace of drawing.
``colours``   The colours of latents: a linear map from the channels of a VAE to RGB, kept in files.
``estimate``  The estimate of the finished latents, from what a scheduler has seen.
``drawer``    Draws: from latents to a JPEG, at most 1 % of a run's time.
``fitting``   Fits the colours of a VAE to clips that are drawn for it.
"""
