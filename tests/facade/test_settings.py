"""Where settings come from, and what they refuse."""

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources import read_sources

from tiomagic import TioMagic
from tiomagic.errors import ConfigurationError, UnknownProviderError, ValidationError
from tiomagic.wiring.setting_definitions import LOG_LEVELS
from tiomagic.wiring.settings import check_configured, resolve
from tiomagic.wiring.unknown_variables import find_unknown_variables

WORDS = st.text(alphabet="abcdefgh0123456789", min_size=1)
SECONDS = st.integers(min_value=1, max_value=10**6)
SETTINGS = {
    "gpu": ("TIOMAGIC_GPU", WORDS, None),
    "device": ("TIOMAGIC_DEVICE", WORDS, None),
    "hf_token": ("HF_TOKEN", WORDS, None),
    "api_key": ("TIOMAGIC_API_KEY", WORDS, None),
    "modal_token_id": ("MODAL_TOKEN_ID", WORDS, None),
    "address": ("RAY_ADDRESS", WORDS, "auto"),
    "timeout": ("TIOMAGIC_TIMEOUT", SECONDS, 1800),
    "scaledown_window": ("TIOMAGIC_SCALEDOWN_WINDOW", SECONDS, 900),
    "allow_private_media": ("TIOMAGIC_ALLOW_PRIVATE_MEDIA", st.booleans(), False),
    "log_level": ("TIOMAGIC_LOG_LEVEL", st.sampled_from(LOG_LEVELS), "warning"),
}
"""Name, variable, values and default, typed here a second time on purpose."""


@given(data=st.data(), name=st.sampled_from(sorted(SETTINGS)))
def test_the_nearest_source_wins(data: st.DataObject, name: str) -> None:
    """Configured beats the environment, which beats ``.env``, which beats the default."""
    variable, values, default = SETTINGS[name]
    maybe = st.none() | values
    configured, environment, dotenv = (data.draw(maybe) for _ in range(3))
    settings = resolve(
        check_configured({name: configured}),
        environment={} if environment is None else {variable: str(environment)},
        dotenv={} if dotenv is None else {variable: str(dotenv)},
        working_dir=Path("/work"),
    )
    given_ones = [v for v in (configured, environment, dotenv) if v is not None]
    assert getattr(settings, name) == (given_ones[0] if given_ones else default)


def test_dotenv_is_read_and_kept_out_of_the_environment(folder: Path) -> None:
    """Our variables in ``.env`` count; nothing of the file enters the process's environment."""
    (folder / ".env").write_text("TIOMAGIC_GPU=H100\nHF_TOKEN=hf_x\nOTHER=1\nTIOMAGIC_DEVICE=\n")
    settings = TioMagic().settings
    assert (settings.gpu, settings.hf_token, settings.device) == ("H100", "hf_x", None)
    assert "TIOMAGIC_GPU" not in os.environ
    assert "OTHER" not in os.environ


def test_dotenv_waits_for_the_first_use(folder: Path) -> None:
    """The file that counts is the one that is there when the settings are first needed."""
    tm = TioMagic()
    (folder / ".env").write_text("TIOMAGIC_GPU=A100\n")
    assert tm.settings.gpu == "A100"


def test_a_dotenv_that_is_no_text_is_named(folder: Path) -> None:
    """A file that cannot be read is an error with its path."""
    (folder / ".env").write_bytes(b"HF_TOKEN=\xff\xfe")
    with pytest.raises(ConfigurationError, match=re.escape(str(folder / ".env"))):
        _ = TioMagic().settings


def test_what_is_left_out_stays(folder: Path) -> None:
    """A second ``configure`` changes only what it names."""
    tm = TioMagic()
    tm.configure(provider="modal", gpu="H100", timeout=60)
    tm.configure(timeout="90", api_key=None)
    settings = tm.settings
    assert (settings.provider, settings.gpu, settings.timeout) == ("modal", "H100", 90)
    assert settings.working_dir == folder


@pytest.mark.parametrize("given_seconds", [1800, "1800", " 1800 ", 1800.0, "1800.0"])
def test_seconds_may_be_text(given_seconds: Any) -> None:
    """An int and a numeric text mean the same."""
    tm = TioMagic()
    tm.configure(timeout=given_seconds, scaledown_window=given_seconds)
    assert tm.settings.timeout == tm.settings.scaledown_window == 1800


@pytest.mark.parametrize(
    "wrong", [0, -1, "-5", "soon", "", 1.5, "1.5", True, float("nan"), float("inf"), [], "1e3"]
)
def test_other_seconds_are_refused(wrong: Any) -> None:
    """What is no number of seconds is refused by name, and nothing changes."""
    tm = TioMagic()
    tm.configure(timeout=60)
    with pytest.raises(ValidationError, match="timeout: must be a whole number of seconds"):
        tm.configure(gpu="H100", timeout=wrong)
    assert (tm.settings.gpu, tm.settings.timeout) == (None, 60)


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("TIOMAGIC_TIMEOUT", "soon", "TIOMAGIC_TIMEOUT"),
        ("TIOMAGIC_ALLOW_PRIVATE_MEDIA", "maybe", "true or false"),
        ("TIOMAGIC_LOG_LEVEL", "loud", "debug, info"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, says: str
) -> None:
    """A variable that is refused is named with where it came from."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        _ = TioMagic().settings
    assert caught.value.details["source"] == "the environment"


def test_an_unknown_provider_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt provider is refused when configured, and when used from the environment."""
    tm = TioMagic()
    with pytest.raises(UnknownProviderError, match=r"'locale'.*mean 'local'.*'local', .*'modal'"):
        tm.configure(provider="locale")
    with pytest.raises(UnknownProviderError):
        TioMagic(provider="nobody")
    monkeypatch.setenv("TIOMAGIC_PROVIDER", "nobody")
    with pytest.raises(UnknownProviderError, match="nobody"):
        tm.text_to_video(prompt="a fox")


def test_an_unknown_setting_is_refused() -> None:
    """A misspelt setting is refused with the right one, whatever its value."""
    with pytest.raises(ValidationError, match="did you mean 'weights_dir'"):
        TioMagic().configure(weight_dir="x")
    with pytest.raises(ValidationError, match="no such setting; known"):
        TioMagic(zzz=1)


@pytest.mark.parametrize(
    ("name", "wrong"), [("gpu", 1), ("model_path", 5), ("allow_private_media", "perhaps")]
)
def test_the_kind_of_a_setting_is_checked(name: str, wrong: Any) -> None:
    """A value of the wrong kind is refused by name."""
    with pytest.raises(ValidationError, match=name):
        TioMagic().configure(**{name: wrong})


def test_relative_paths_start_from_the_working_directory(tmp_path: Path) -> None:
    """Folders are absolute once they are settings."""
    tm = TioMagic(working_dir=tmp_path, weights_dir="weights", output_dir=Path("videos"))
    settings = tm.settings
    assert settings.weights_dir == tmp_path / "weights"
    assert settings.output_dir == tmp_path / "videos"
    assert settings.database_url == f"sqlite:///{tmp_path}/.tiomagic/jobs.db"
    assert tm.settings.model_path is None


def test_a_repository_is_no_path(tmp_path: Path) -> None:
    """``owner/name`` stays what it is, unless there is a folder of that name."""
    tm = TioMagic(working_dir=tmp_path, model_path="some/tuned@main")
    assert tm.settings.model_path == Path("some/tuned@main")
    (tmp_path / "some" / "tuned").mkdir(parents=True)
    tm = TioMagic(working_dir=tmp_path, model_path="some/tuned")
    assert tm.settings.model_path == tmp_path / "some" / "tuned"
    tm = TioMagic(working_dir=tmp_path, model_path="some/mine.safetensors")
    assert tm.settings.model_path == tmp_path / "some" / "mine.safetensors"


def test_secrets_are_in_no_repr() -> None:
    """Neither tokens nor the database's password are shown."""
    tm = TioMagic(
        api_key="MARK1",
        hf_token="MARK2",
        modal_token_id="MARK3",
        modal_token_secret="MARK4",
        database_url="postgresql://me:MARK5@host/db",
    )
    shown = repr(tm.settings) + repr(tm)
    assert "MARK" not in shown
    assert tm.settings.secrets == {f"MARK{n}" for n in range(1, 6)}


def test_a_refused_secret_is_not_repeated() -> None:
    """The error about a secret of the wrong kind does not hold it."""
    with pytest.raises(ValidationError) as caught:
        TioMagic().configure(api_key=["MARK"])  # type: ignore[arg-type]
    assert "MARK" not in str(caught.value.to_dict())


def test_a_misspelt_variable_is_noticed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the environment and in ``.env``; one that is like no setting is let be."""
    monkeypatch.setattr("tiomagic.wiring.unknown_variables._noticed", set())
    monkeypatch.setattr(logging.getLogger("tiomagic"), "propagate", True)
    caplog.set_level(logging.WARNING, logger="tiomagic")
    monkeypatch.setenv("TIOMAGIC_PROVIDR", "local")
    monkeypatch.setenv("TIOMAGIC_POSE_MODELS", str(folder))
    monkeypatch.setenv("TIOMAGIC_MY_OWN_NOTES", "x")
    (folder / ".env").write_text("TIOMAGIC_OUTPUT_DIRR=videos\n")
    for _ in range(2):
        assert TioMagic().settings.provider is None
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    meant = [one["nearest"] for one in told if one["event"] == "settings.unknown_variable"]
    assert meant == ["TIOMAGIC_OUTPUT_DIR", "TIOMAGIC_PROVIDER"]


def test_every_variable_of_ours_is_known() -> None:
    """No warning is about a name that the code itself reads."""
    texts = read_sources().values()
    named = {name for text in texts for name in re.findall(r'"(TIOMAGIC_[A-Z_]+[A-Z])"', text)}
    assert find_unknown_variables(dict.fromkeys(named, "x")) == {}
