"""The Modal provider keeps the promises of every remote provider, through real containers."""

from contextlib import contextmanager

import pytest

from tiomagic_domain.testing import RemoteProviderContract


class TestModalProvider(RemoteProviderContract):
    @pytest.fixture
    def count_runs(self, fake):
        return lambda: len(fake.calls)

    @pytest.fixture
    def cut_off(self, fake):
        @contextmanager
        def away():
            fake.go_away()
            try:
                yield
            finally:
                fake.come_back()

        return away

    @pytest.fixture
    def provider(self, new_provider):
        # A stand-in on loopback answers at once, but not on a machine that is busy with other work.
        return new_provider(deadline_s=8.0)
