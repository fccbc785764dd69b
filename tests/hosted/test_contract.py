"""A hosted provider keeps the promises of every remote provider, through the vendor's client."""

import pytest

from tiomagic_domain.testing import RemoteProviderContract
from tiomagic_hosted.catalogue.fal import CARDS


class TestFal(RemoteProviderContract):
    @pytest.fixture
    def count_runs(self, fal):
        return lambda: len(fal.runs)

    @pytest.fixture
    def catalogue(self):
        return {card.name: card for card in CARDS}
