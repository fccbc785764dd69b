"""Checks that all files which the loader will need exist and are whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.suggestions import closest
from tiomagic_local.rehearsal.published import ModelFiles

FILES = "files"

SETTINGS_OF = {
    "Scheduler": ("scheduler_config.json",),
    "Tokenizer": ("tokenizer_config.json",),
    "Processor": ("preprocessor_config.json", "processor_config.json"),
    "Extractor": ("preprocessor_config.json",),
    "Guidance": ("guider_config.json", "config.json"),
}
"""Files of components without weights, by a part of the class's name; one of them must exist."""

WEIGHTS = {
    "diffusers": "diffusion_pytorch_model.safetensors",
    "transformers": "model.safetensors",
}
"""File names of a network's weights, by the library that loads them."""


def components(
    index: Mapping[str, Any], *, without: Collection[str] = ()
) -> dict[str, tuple[str, str]]:
    """Return library and class of each loaded component, by its name.

    Args:
        index: The content of the pipeline's index, in the plain form.
        without: Components that come from elsewhere.
    """
    return {
        name: (value[0], value[1])
        for name, value in index.items()
        if isinstance(value, list) and len(value) == 2 and None not in value and name not in without
    }


def is_network(kind: str) -> bool:
    """Say whether a class has weights."""
    return not any(word in kind for word in SETTINGS_OF)


class Looker:
    """Checks the components of one place.

    Args:
        published: The files.
        names: Gets the names of the needed files.
    """

    def __init__(self, published: ModelFiles, names: list[str]) -> None:
        self._published = published
        self._names = names

    def look(self, folder: str, library: str, kind: str) -> Iterator[Check]:
        """Yield the problems of a component.

        Args:
            folder: Where it is; empty for the root.
            library: Of its class.
            kind: The name of its class.
        """
        if is_network(kind):
            yield from self._network(folder, library)
            return
        word = next(word for word in SETTINGS_OF if word in kind)
        files = [_in(folder, name) for name in SETTINGS_OF[word]]
        found = [name for name in files if name in self._published.sizes]
        self._names += found
        if not found:
            yield self._absent(files[0])

    def _network(self, folder: str, library: str) -> Iterator[Check]:
        settings = _in(folder, "config.json")
        if settings not in self._published.sizes:
            yield self._absent(settings)
            return
        self._names.append(settings)
        whole = _in(folder, WEIGHTS.get(library, WEIGHTS["diffusers"]))
        index = f"{whole}.index.json"
        if index in self._published.sizes:
            yield from self._shards(folder, index)
        elif whole in self._published.sizes:
            yield from self._weights(whole)
        else:
            yield self._absent(whole)

    def _shards(self, folder: str, index: str) -> Iterator[Check]:
        self._names.append(index)
        try:
            shards = sorted(
                {str(name) for name in self._published.json(index)["weight_map"].values()}
            )
        except (ValueError, KeyError, AttributeError, OSError) as error:
            yield self._problem(f"{index} cannot be read: {error}")
            return
        for shard in shards:
            name = _in(folder, shard)
            if name in self._published.sizes:
                yield from self._weights(name)
            else:
                yield self._absent(name)

    def _weights(self, name: str) -> Iterator[Check]:
        self._names.append(name)
        there = self._published.sizes[name]
        try:
            wanted = self._published.header(name).size
        except ValueError as error:
            yield self._problem(f"{name} {error}")
            return
        if there < wanted:
            yield self._problem(
                f"{name} has {there} bytes, and its own header speaks of {wanted}: it is cut off"
            )

    def _absent(self, name: str) -> Check:
        near = closest(name, self._published.sizes)
        hint = f"; there is {near}" if near else ""
        return self._problem(f"{name} is not there{hint}")

    def _problem(self, text: str) -> Check:
        return Check(
            part=FILES, outcome=CheckOutcome.PROBLEM, message=f"{self._published.location}: {text}"
        )


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
