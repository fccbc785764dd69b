"""The model card: the facts of a model that are known without loading it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from tiomagic_domain.catalogue.acceleration import wants_few_steps
from tiomagic_domain.catalogue.commits import revisions
from tiomagic_domain.catalogue.continuation import continuation_parameters
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT, FewStepWeights
from tiomagic_domain.catalogue.licences import UNSTATED_TERMS, LicenceTerms, TermsToAccept
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.pose_parameters import (
    CONTROL_ARGUMENT,
    ControlKind,
    ControlWeights,
    PoseFacts,
)
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.weights.formats import read_asked_formats
from tiomagic_domain.weights.given import WEIGHTS_ARGUMENT, GivenFile, read_given
from tiomagic_domain.weights.repositories import QuantizedFiles, find_files, with_formats

TURBO = f"{ACCELERATION_ARGUMENT}='turbo'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component of a pipeline that is kept in a repository of its own."""

    name: str
    """The component's name in the pipeline."""
    library: str
    """The module that has its class: ``diffusers`` or ``transformers``."""
    kind: str
    """The name of its class."""
    repository: str
    """Repository on the Hugging Face hub."""
    revision: str | None = None
    """Commit of the repository; None when no commit is known to be good."""
    folder: str = ""
    """Its folder in the repository; empty for the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One model: its names, its limits, and where its weights are."""

    name: str
    """The name in calls, lower case with dashes."""
    title: str
    family: str
    description: str
    """One sentence that helps to choose."""
    homepage: str
    unlike_authors: str = ""
    """What its runs do in another way than the authors' own pipeline; empty if nothing is known."""
    licence: str
    """The licence's own name."""
    engine: str
    """What runs it. A provider can run the models whose engine it has; an engine's name that only
    one provider knows keeps a model to that provider. That of a hosted model is the provider's."""
    repository: str | None
    """Repository on the Hugging Face hub; None when the weights come with the package."""
    revision: str | None = None
    """Commit of the repository; None when no commit is known to be good."""
    unused: tuple[str, ...] = ()
    """Components that its repository has and it does without, and patterns of files (with a slash);
    they are not downloaded."""
    parts: tuple[Part, ...] = ()
    """Components that come from other repositories, in place of those that this one has."""
    loras: tuple[Lora, ...] = ()
    """LoRAs that are part of the model, each from a repository of its own."""
    turbo: FewStepWeights | None = None
    """Few-step weights that a call can apply to it; None when none are known."""
    quantized_files: tuple[QuantizedFiles, ...] = ()
    """Files of its components in fewer bits, which ``quantization`` can choose by their format."""
    controls: Mapping[str, ControlWeights] = field(default_factory=lambda: MappingProxyType({}))
    """For each kind of control video the LoRA that follows it; empty for a model without."""
    features: Mapping[Feature, Schema]
    fps: int
    """Frames a second of the videos that it was trained on."""
    pixels: int
    """Width times height that it was trained on; sizes made from a picture have about as many."""
    weights_gib: float
    """All weights in GiB, in the types that they run in."""
    largest_gib: float
    """The largest single component in GiB, which must fit on the device with model offload."""
    gpu_memory_gib: float
    """The smallest GPU that is measured or computed to suffice, with offload, in GB as sold; 0 for
    a CPU."""
    kv_cache_gib: float = 0.0
    """The KV cache of a run at its own pixels, in GiB beside the weights; 0 for a model without."""
    prompt_tokens: int
    """Longest prompt in tokens; what is longer is cut."""
    terms: LicenceTerms = UNSTATED_TERMS
    """What the licence means if you publish a video."""
    must_accept: TermsToAccept | None = None
    """What a user must accept by the model's name before it is used; None for nothing."""
    gated: bool = False
    """True when the hub gives its weights only to who has accepted its licence, with a token."""
    skeletons: ColourOrder | None = None
    """Order of the colours in the skeletons that it reads; None for a model that reads none."""
    pose: PoseFacts | None = None
    """What pose guidance with it takes and keeps; None for a model that states nothing."""
    vocabulary: frozenset[str] = frozenset()
    """Every word that it knows, lower case; empty for a model that was trained on open language."""
    unknown_phrases: str = ""
    """Pattern of phrases that it does not know although it knows their words; empty for none."""
    knows: str = ""
    """What a model of few words can show, as the end of "it only knows"; empty for other models."""
    example_prompt: str = ""
    """A prompt that it does well; empty if none is known."""
    wider_models: Mapping[Feature, str] = field(default_factory=lambda: MappingProxyType({}))
    """For each feature a small model of open language, to advise to whose prompt has unknown words;
    empty for a model that is one itself."""
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Facts of this model for the engine that are not settings."""
    context_frames: int = 1
    """Most frames of a video's end that it takes to continue the video, a legal number of frames;
    1 for a model that begins with a picture and sees no motion before it."""
    shows_last_frame: bool = True
    """False where an interpolation ends one step before its last picture."""

    def __post_init__(self) -> None:
        # What every model has, so that cards need not declare it.
        features = {}
        for feature, schema in self.features.items():
            for parameter in continuation_parameters(feature, self.features):
                schema = schema.with_parameter(parameter)  # noqa: PLW2901 - one after the other
            if self.quantized_files:
                widened = with_formats(schema.parameters, self.quantized_files)
                schema = replace(schema, parameters=widened)  # noqa: PLW2901 - the same
            if self.repositories:
                schema = schema.with_parameter(revisions(self.repositories))  # noqa: PLW2901
            features[feature] = schema
        object.__setattr__(self, "features", MappingProxyType(features))

    @property
    def is_hosted(self) -> bool:
        """True for a model that a vendor runs: it has no weights that anybody here could have."""
        return self.repository is None and not self.weights_gib

    @property
    def vendor(self) -> str | None:
        """The provider that alone runs it; None for a model that anybody could run."""
        return self.engine if self.is_hosted else None

    @property
    def takes_keyframes(self) -> bool:
        """True for a model that takes pictures between the first and the last one."""
        schema = self.features.get(Feature.INTERPOLATE)
        return schema is not None and schema.keyframes is not None

    @property
    def has_free_ends(self) -> bool:
        """True if a video between pictures needs no first one, nor a last one beside others."""
        schema = self.features.get(Feature.INTERPOLATE)
        return schema is not None and schema.has_free_ends

    @property
    def takes_last_alone(self) -> bool:
        """True if a video can lead up to a last picture without a first one."""
        schema = self.features.get(Feature.INTERPOLATE)
        return schema is not None and schema.takes_last_alone

    @property
    def repositories(self) -> Mapping[str, str | None]:
        """Every repository of the hub that it may be made of, with its commit; None for none."""
        own = {} if self.repository is None else {self.repository: self.revision}
        parts = {part.repository: part.revision for part in self.parts}
        quick = self.turbo.loras if self.turbo is not None else ()
        control = (weights.lora for weights in self.controls.values())
        loras = {
            lora.source: lora.revision
            for lora in (*self.loras, *quick, *control)
            if not lora.is_file
        }
        return MappingProxyType(own | parts | loras)

    @property
    def unused_files(self) -> tuple[str, ...]:
        """Patterns of the files in its repository that are not downloaded."""
        others = (*(part.name for part in self.parts), *self.unused)
        return tuple(name if "/" in name else f"{name}/*" for name in others)

    def at(self, commits: Mapping[str, str]) -> Self:
        """Return the card with other commits of its repositories, by their names."""
        if not commits:
            return self
        known = {**self.repositories, **commits}
        at = [replace(part, revision=known[part.repository]) for part in self.parts]
        turbo = self.turbo
        if turbo is not None:
            turbo = replace(turbo, loras=_at(turbo.loras, known))
        controls = {
            kind: replace(weights, lora=_at((weights.lora,), known)[0])
            for kind, weights in self.controls.items()
        }
        return replace(
            self,
            revision=known.get(self.repository) if self.repository is not None else None,
            parts=tuple(at),
            loras=_at(self.loras, known),
            turbo=turbo,
            controls=MappingProxyType(controls),
        )

    def schema(self, feature: Feature) -> Schema:
        """Return the parameters for a feature that the model serves."""
        return self.features[feature]

    def turbo_of(self, settings: Mapping[str, Any]) -> FewStepWeights | None:
        """Return the few-step weights that a call wants; None for a call that wants none."""
        return self.turbo if wants_few_steps(settings.get(ACCELERATION_ARGUMENT)) else None

    def control_of(self, settings: Mapping[str, Any]) -> ControlWeights | None:
        """Return the LoRA for the control video of a call; None for a call without one."""
        return self.controls.get(str(settings.get(CONTROL_ARGUMENT)))

    def finds_poses(self, arguments: Mapping[str, object]) -> bool:
        """Return whether a call has skeletons found in a plain video, by the pose estimator."""
        is_plain = arguments.get("guiding_video") is not None
        has_edges = arguments.get(CONTROL_ARGUMENT) == ControlKind.EDGES
        return self.skeletons is not None and is_plain and not has_edges

    def files_of(self, settings: Mapping[str, Any]) -> dict[str, GivenFile]:
        """Return the files that a call has in place of components, by component.

        Those of ``weights`` come before those of a format that the card has files in.
        """
        formats = read_asked_formats(settings.get("quantization"))
        return find_files(self.quantized_files, formats) | read_given(
            settings.get(WEIGHTS_ARGUMENT)
        )

    def loras_of(self, settings: Mapping[str, Any]) -> tuple[Lora, ...]:
        """Return the LoRAs of a call that the card names; those of the user are not among them."""
        turbo, control = self.turbo_of(settings), self.control_of(settings)
        quick = turbo.loras if turbo is not None else ()
        return (*self.loras, *quick, *((control.lora,) if control is not None else ()))

    @property
    def loras_of_some_calls(self) -> Mapping[Lora, str]:
        """The LoRAs that only some calls use, each with the argument that asks for it."""
        found = dict.fromkeys(self.turbo.loras if self.turbo is not None else (), TURBO)
        for kind, weights in self.controls.items():
            said = found.get(weights.lora)
            asks = f"{CONTROL_ARGUMENT}={str(kind)!r}"
            found[weights.lora] = asks if said is None else f"{said} or {str(kind)!r}"
        return found

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the unknown words and then the unknown phrases of a prompt, each once."""
        if not self.vocabulary:
            return []
        text = prompt.lower()
        words = [word for word in re.findall(r"\w+", text) if word not in self.vocabulary]
        phrases = [found[0] for found in re.finditer(self.unknown_phrases, text) if found[0]]
        return list(dict.fromkeys(words + phrases))


def _at(loras: Iterable[Lora], known: Mapping[str, str | None]) -> tuple[Lora, ...]:
    return tuple(replace(lora, revision=known.get(lora.source, lora.revision)) for lora in loras)
