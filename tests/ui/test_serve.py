"""Who may come in, said before anything is started."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from tests.facade.conftest import cli, folder, plugin_path, python, shell

from tiomagic import TioMagic
from tiomagic.ui.serve import ListenOptions, is_loopback, parse_login
from tiomagic_domain.errors import ConfigurationError

__all__ = ["cli", "folder", "plugin_path", "python", "shell"]
Run = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_only_this_machine_comes_in_without_a_login(host: str) -> None:
    """A loopback address needs no password."""
    assert is_loopback(host)
    assert parse_login(ListenOptions(host=host)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.example", ""])
def test_no_page_stands_open(host: str) -> None:
    """Where others could reach the page, it asks for a login, or does not start."""
    with pytest.raises(ConfigurationError, match="TIOMAGIC_UI_AUTH"):
        parse_login(ListenOptions(host=host))
    assert parse_login(ListenOptions(host=host, auth="ada:le:mon")) == ("ada", "le:mon")


@pytest.mark.parametrize("auth", ["ada", ":x", "ada:", ":"])
def test_half_a_login_is_none(auth: str) -> None:
    """A login without a password would let anybody in, and is refused on loopback too."""
    with pytest.raises(ConfigurationError, match="user:password"):
        parse_login(ListenOptions(auth=auth))


def test_the_command_refuses_an_open_page(shell: Run) -> None:
    """It says what to do and starts nothing; the setting is read."""
    done = shell("ui", "--host", "0.0.0.0", "--no-browser")
    assert done.returncode == 3
    assert "TIOMAGIC_UI_AUTH=user:password" in done.stderr
    done = shell("ui", "--host", "0.0.0.0", "--no-browser", TIOMAGIC_UI_AUTH="nobody")
    assert done.returncode == 3
    assert "the login must be user:password" in done.stderr


def test_further_names_are_names_of_hosts(shell: Run) -> None:
    """Several with commas, or one by one; an address with a scheme is none."""
    assert TioMagic(ui_allowed_hosts="Studio.example, two.example").settings.ui_allowed_hosts == (
        "studio.example",
        "two.example",
    )
    for wrong in ("https://studio.example", "studio.example:443", "a b", "*"):
        done = shell("ui", "--no-browser", "--allowed-host", wrong)
        assert done.returncode != 0
        assert "without scheme or port" in done.stderr


def test_the_password_is_a_secret() -> None:
    """It is in no repr, and is taken out of records as tokens are."""
    tm = TioMagic(ui_auth="ada:lemon-tree")
    assert "lemon" not in repr(tm.settings)
    assert "lemon-tree" in tm.settings.secrets


def test_help_loads_no_gradio(python: Run) -> None:
    """``tiomagic ui --help`` costs what any help costs."""
    code = (
        "import sys\nfrom tiomagic.cli.main import app\n"
        "try: app(['ui', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'gradio', 'numpy', 'tiomagic.ui.serve'} & set(sys.modules)"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "--host" in done.stdout
