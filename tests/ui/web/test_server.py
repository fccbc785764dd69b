"""Where the page listens."""

import socket

import pytest

from tiomagic.ui.web.server import DEFAULT_PORT, listen
from tiomagic_domain.errors import ConfigurationError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_any_free_port_is_found(host: str) -> None:
    """By address and by name, in both families."""
    with listen(host, 0) as opened:
        assert opened.getsockname()[1] > 0


def test_a_port_that_is_taken_is_left_alone() -> None:
    """One that is asked for is an error that names it; else the next one is taken."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*give another port"):
            listen("127.0.0.1", port)
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert DEFAULT_PORT <= first.getsockname()[1] < second.getsockname()[1]


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99_999), ("no.such.invalid", 0)])
def test_what_is_no_address_is_said(host: str, port: int) -> None:
    """A port that there cannot be, and a name that nothing has."""
    with pytest.raises(ConfigurationError, match="cannot listen") as caught:
        listen(host, port)
    assert isinstance(caught.value.__cause__, OSError)


def test_the_socket_is_closed_when_it_cannot_be_used() -> None:
    """Nothing stays open behind an error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError):
            listen("127.0.0.1", taken.getsockname()[1])
