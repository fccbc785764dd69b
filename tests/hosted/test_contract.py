"""A hosted provider keeps the promises of every remote provider, through the vendor's client."""

import pytest
from tests.hosted.vendors import FAL, LUMA, OPENROUTER, RUNWAY

from tiomagic_domain.testing import RemoteProviderContract


class HostedContract(RemoteProviderContract):
    @pytest.fixture
    def count_runs(self, site):
        return lambda: len(site.runs)

    @pytest.fixture
    def catalogue(self, vendor):
        return {card.name: card for card in vendor.catalogue.cards}

    @pytest.fixture
    def stops_runs(self, vendor):
        return vendor.stops_runs


class TestFal(HostedContract):
    @pytest.fixture
    def vendor(self):
        return FAL


class TestOpenRouter(HostedContract):
    @pytest.fixture
    def vendor(self):
        return OPENROUTER


class TestRunway(HostedContract):
    @pytest.fixture
    def vendor(self):
        return RUNWAY


class TestLuma(HostedContract):
    @pytest.fixture
    def vendor(self):
        return LUMA
