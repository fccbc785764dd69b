"""Lists the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel

from tiomagic.api.models import find_cards
from tiomagic_server.answering.errors import PlainAnswer
from tiomagic_server.answering.models import KNOWN_SINCE, ServedModels, list_served
from tiomagic_server.routes.answers import ERRORS, KEY
from tiomagic_server.routes.context import ServerContext

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard


class ModelEntry(BaseModel):
    """A model in OpenAI's form."""

    id: str
    object: str = "model"
    created: int = KNOWN_SINCE
    owned_by: str


class ModelEntries(BaseModel):
    """All models in OpenAI's form."""

    object: str = "list"
    data: list[ModelEntry]


def build_models(context: ServerContext) -> APIRouter:
    """Return the routes that list models."""
    router = APIRouter(tags=["models"], responses=ERRORS, dependencies=[KEY])

    def cards() -> list[ModelCard]:
        session = context.tm.session
        return find_cards(session, provider=session.configured_provider())

    @router.get("/v1/models", response_model=ModelEntries, summary="List the names of models")
    async def list_models() -> PlainAnswer:
        found = await context.read(cards)
        entries = [ModelEntry(id=card.name, owned_by=card.family) for card in found]
        return PlainAnswer(ModelEntries(data=entries).model_dump())

    @router.get("/v1/videos/models", response_model=ServedModels, summary="Describe the models")
    @router.get("/api/v1/videos/models", response_model=ServedModels, include_in_schema=False)
    async def describe_models() -> PlainAnswer:
        return PlainAnswer(await context.read(_describe))

    def _describe() -> dict[str, Any]:
        session = context.tm.session
        provider = session.provider(session.configured_provider())
        return list_served(cards(), provider.list_prices).model_dump(mode="json")

    return router
