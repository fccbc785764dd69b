"""One module for each vendor, over its official SDK.

``fal``         fal.ai, by ``fal-client``.
``google``      Google, by ``google-genai``: the Gemini API and the Agent Platform.
``luma``        Luma, by ``lumaai``.
``openrouter``  OpenRouter, by ``openrouter``.
``runway``      Runway, by ``runwayml``.
``stainless``   What the clients of Luma and Runway, which Stainless generates, have in common.
"""
