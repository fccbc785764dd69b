"""The methods of ``tm`` for models, their parameters and providers.

They load no model and no provider, but for ``rehearse``.
"""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiomagic.types import AnyModel, AnyProvider, FeatureName, ModelName, ProviderName
    from tiomagic.wiring.session import Session
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.schema.schema import Schema

Tree = dict[str, dict[str, dict[str, str]]]


class ModelMethods(ABC):
    """The methods for models and providers."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def get_providers(self) -> list[AnyProvider]:
        """Return a fresh list of the providers that can be configured."""
        return cast("list[AnyProvider]", self.session.provider_names())

    def get_models(
        self,
        feature: FeatureName,
        provider: ProviderName | None = None,
        licence: str | None = None,
    ) -> list[AnyModel]:
        """Return the names of the models for a feature, sorted.

        Args:
            feature: Such as ``text_to_video``.
            provider: The provider that must be able to run them; None for any.
            licence: What their licence allows: ``free`` (any use), ``limited`` (commercial use
                under a condition) or ``research`` (no commercial use); None for any.

        Raises:
            ValidationError: when there is no such feature, or no such word for a licence.
            UnknownProviderError: when there is no such provider.
        """
        from tiomagic_domain.catalogue import find_feature, models_for

        runs = None if provider is None else self.session.runs(provider)
        return cast("list[AnyModel]", models_for(find_feature(feature), runs=runs, licence=licence))

    def get_default_model(
        self, provider: ProviderName | None = None, feature: FeatureName | None = None
    ) -> AnyModel:
        """Return the model that runs when none is named.

        Args:
            provider: Whose; None for the configured provider.
            feature: What is to be made: some providers have another model for pose guidance. None
                for what the provider's default model does.
        """
        from tiomagic_domain.catalogue import find_feature

        name = provider or self.session.configured_provider()
        wanted = None if feature is None else find_feature(feature)
        default = self.session.provider(name).capabilities().find_default(wanted)
        return cast("AnyModel", default)

    def rehearse(
        self,
        model: str,
        provider: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Find out whether a model will run, before its weights are downloaded.

        Looks at the hub's files at the pinned commit, their sizes and the free disk, the licence
        and the token, and the memory; then runs the whole pipeline with random weights of the true
        shapes, at the smallest legal size in two steps, where they fit.

        Args:
            model: Its name.
            provider: Where: ``local``, or ``modal`` for a container; None for the configured one.
            settings: Of the run that you mean, such as ``{"quantization": "int8"}``: its size,
                length and weights count for the memory. Not on Modal.

        Returns:
            ``model provider ok checks needs``: each check has ``part``, ``outcome`` (``ok``,
            ``note``, ``warning`` or ``problem``) and ``message``; ``needs`` says in GiB what a real
            run takes.

        Raises:
            UnknownModelError: when there is no such model.
            ConfigurationError: when the device cannot be used, the provider rehearses nothing, or
                the model's terms are not accepted.
            MissingDependencyError: when the provider's packages are not installed.
        """
        from tiomagic.display.next_steps import advise_in_python
        from tiomagic_domain.catalogue import models

        name, card = provider or self.session.configured_provider(), models().get(model)
        given: dict[str, object] = {}
        if card is not None:  # The provider itself says that there is none of that name.
            with advise_in_python():
                self.session.require_consent(card)
            given = check_settings(card, settings or {})
        return self.session.provider(name).rehearse(model, given).to_dict()

    def get_schema(
        self, feature: FeatureName, model: ModelName
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the parameters of a model: ``{"required": {name: entry}, "optional": …}``.

        An entry has ``type`` (the Python class), ``description``, and where there are any
        ``default``, ``minimum``, ``maximum``, ``multiple_of``, ``choices``, ``unit``, ``source``.

        Raises:
            ValidationError: when there is no such feature.
            UnknownModelError: when there is no such model, or it cannot do that.
        """
        return find_schema(feature, model).to_dict()

    def get_json_schema(self, feature: FeatureName, model: ModelName) -> dict[str, Any]:
        """Return the parameters of a model as JSON Schema (draft 2020-12).

        Raises:
            ValidationError, UnknownModelError: as :meth:`get_schema`.
        """
        return find_schema(feature, model).to_json_schema(title=f"{feature} with {model}")

    def list_implementations(self) -> dict[str, dict[str, dict[str, str]]]:
        """Print provider, feature and model as a tree, and return it with each model's title."""
        from tiomagic.display.streams import write
        from tiomagic_domain.catalogue import models, models_for
        from tiomagic_domain.features import Feature

        tree = {
            provider: {
                feature.value: names
                for feature in sorted(Feature)
                if (names := {n: models()[n].title for n in models_for(feature, runs=runs)})
            }
            for provider in sorted(self.session.provider_names())
            for runs in (self.session.runs(provider),)
        }
        write(sys.stdout, _as_text(tree))
        return tree


def find_schema(feature: str, model: str) -> Schema:
    """Return a model's parameters for a feature."""
    from tiomagic_domain.catalogue import find_feature, find_model

    served = find_feature(feature)
    return find_model(model, served).schema(served)


def find_cards(
    session: Session,
    feature: str | None = None,
    provider: str | None = None,
    licence: str | None = None,
) -> list[ModelCard]:
    """Return the cards of the models that can do a feature on a provider, sorted by name.

    Args:
        session: Knows the providers.
        feature: None for any.
        provider: None for any.
        licence: ``free``, ``limited`` or ``research``; None for any.
    """
    from tiomagic_domain.catalogue import find_feature, find_licence_use, models

    served = None if feature is None else find_feature(feature)
    runs = None if provider is None else session.runs(provider)
    use = None if licence is None else find_licence_use(licence)
    return [
        card
        for card in models().values()
        if (served is None or served in card.features)
        and (runs is None or runs(card))
        and (use is None or card.terms.use is use)
    ]


def _as_text(found: Tree) -> str:
    """Return the tree as indented lines."""
    lines = []
    for provider, features in found.items():
        lines.append(provider)
        for feature, names in features.items():
            lines.append(f"  {feature}")
            lines.extend(f"    {name}" for name in names)
    return "".join(f"{line}\n" for line in lines)


def check_settings(card: ModelCard, settings: Mapping[str, Any]) -> dict[str, object]:
    """Return settings in their plain form, checked by the model's first feature.

    Raises:
        ValidationError: with every problem.
    """
    from tiomagic_domain.errors import Problem, ValidationError
    from tiomagic_domain.suggestions import did_you_mean, shorten_repr

    schema = next(iter(card.features.values()))
    problems = []
    for name, value in settings.items():
        if name in schema:
            problems += [found] if (found := schema[name].problem(value)) is not None else []
            continue
        near = did_you_mean(name, (one.name for one in schema.parameters))
        message = f"is no setting of {card.name}.{near}"
        problems.append(Problem(field=name, message=message, given=shorten_repr(value)))
    if problems:
        raise ValidationError.of(problems, subject="the settings")
    return {name: schema[name].check(value) for name, value in settings.items()}
