"""Which files of a repository are downloaded: configuration, safetensors, tokenizers."""

from __future__ import annotations

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""What is downloaded: configuration, weights without code inside, and tokenizers."""

PIPELINE_FILES = tuple(name.replace("*.safetensors", "*/*.safetensors") for name in FILES)
"""The same for a pipeline, whose components have a folder each: weights at its root are other
formats of the same model, often hundreds of gigabytes."""
