"""The provider of a cluster keeps the promises of every remote provider, on a real cluster."""

from tiomagic_domain.testing import RemoteProviderContract


class TestRay(RemoteProviderContract):
    """Fixtures: tests/ray/conftest.py."""
