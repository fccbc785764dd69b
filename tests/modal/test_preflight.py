"""What a run meets on Modal is known without a request, a token, or Modal's package."""

import subprocess
import sys
from pathlib import Path

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.preflight.judgement import choose_plan, find_verdict, judge
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.preflight import find_conditions, has_token

VACE = models()["wan2.1-vace-14b"]


def found(gpu: str | None = None, model: str = "wan2.1-vace-14b") -> tuple[str, str | None, str]:
    """Return the device, the memory plan, and the verdict."""
    card = models()[model]
    conditions = find_conditions(card, ModalOptions(gpu=gpu, token_id="a", token_secret="b"))
    assert conditions.device is not None
    plan = choose_plan(conditions)
    checks = judge(card, conditions, None)
    return (
        conditions.device.name,
        plan and plan.plan,
        find_verdict(card, conditions, None, checks).value,
    )


def test_the_gpu_of_the_model_or_of_the_settings() -> None:
    """Its own holds all weights; a smaller one offloads; a kind that is not listed is unknown."""
    assert found() == ("H100", "resident", "fits")
    assert found("l4") == ("L4", "model_offload", "fits")
    assert found("R300") == ("R300", "model_offload", "fits")
    assert found(model="doodle") == ("CPU", None, "fits")


def test_nothing_is_downloaded_here() -> None:
    """The weights lie on Modal's Volume."""
    assert find_conditions(VACE, ModalOptions()).weights is None


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ('[default]\ntoken_id = "ak-1"\ntoken_secret = "as-1"\n', True),
        ("[default]\nloglevel = 'INFO'\n", False),
        ("not = [toml", False),
        (None, False),
    ],
)
def test_a_stored_token_is_seen(tmp_path: Path, text: str | None, is_there: bool) -> None:
    """In the file of Modal's own tools, in the home folder or where a variable says."""
    if text is not None:
        (tmp_path / ".modal.toml").write_text(text, encoding="utf-8")
    assert has_token(ModalOptions(), {}, tmp_path) is is_there
    named = {"MODAL_CONFIG_PATH": str(tmp_path / ".modal.toml")}
    assert has_token(ModalOptions(), named, tmp_path / "elsewhere") is is_there


def test_a_token_of_the_settings_or_the_environment_is_seen(tmp_path: Path) -> None:
    """Both halves, or it is none."""
    assert has_token(ModalOptions(token_id="a", token_secret="b"), {}, tmp_path)
    assert not has_token(ModalOptions(token_id="a"), {}, tmp_path)
    both = {"MODAL_TOKEN_ID": "a", "MODAL_TOKEN_SECRET": "b"}
    assert has_token(ModalOptions(), both, tmp_path)


def test_modals_package_is_not_imported() -> None:
    """Its import takes longer than the whole preflight."""
    code = (
        "import sys; from tiomagic_domain.catalogue import models; "
        "from tiomagic_modal.provider import ModalProvider; "
        "from tiomagic_modal.options import ModalOptions; from pathlib import Path; "
        "ModalProvider(ModalOptions(), Path('spool')).preflight(models()['doodle'], {}); "
        "sys.exit('modal' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
