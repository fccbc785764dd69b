"""Step caches: blocks of the transformer are skipped in steps where little changes. Not exact.

The hooks of diffusers do the work. They differ in when they skip, and in what they put in place of
the skipped blocks.

``activate``     Turns a step cache on for a run, counts what it leaves out, and removes it
                 afterwards.
``calibrating``  Measures the calibration of a model for MagCache: the size of its blocks' residual
                 by the noise.
``choosing``     Chooses the step cache of a run: the one that was asked for, or the best that works
                 for it.
``clock``        The clock of a run's steps: which step a pass belongs to, and how much noise it
                 begins with.
``first_block``  First-block cache: the other blocks are skipped in steps where the first one
                 changes little.
``kinds``        What a step cache is to a run: how it is turned on, what it needs, and what it did.
``mag``          MagCache: blocks are skipped while the size of what they add is known to change
                 little.
``magnitudes``   The calibration of a model for MagCache: the size of its blocks' residual by the
                 noise.
``sea``          SeaCache: blocks are skipped while the latents change little, seen through a filter
                 of noise.
``taylor``       TaylorSeer (lite): between computed steps, the transformer's output continues its
                 own trend.
``vace_hints``   Has the hints of VACE added inside the blocks, where a cache skips them with the
                 rest.
"""
