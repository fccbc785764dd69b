"""A hosted provider keeps the promises of every remote provider, through the vendor's client."""

import pytest
from tests.hosted.vendors import FAL, LUMA, OMNI, OPENROUTER, RUNWAY, VENDORS, VEO

from tiomagic.wiring.provider_names import HOSTED_PROVIDERS
from tiomagic_domain.catalogue import models
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


class TestOmni(HostedContract):
    @pytest.fixture
    def vendor(self):
        return OMNI


class TestVeo(HostedContract):
    @pytest.fixture
    def vendor(self):
        return VEO


def test_the_engine_of_a_hosted_model_is_its_provider():
    """So the error for another provider can name the right one."""
    named = {card.name: card.vendor for card in models().values() if card.is_hosted}
    assert set(named.values()) <= HOSTED_PROVIDERS
    for vendor in VENDORS:
        assert {named[card.name] for card in vendor.catalogue.cards} == {vendor.name}
