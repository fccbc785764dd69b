"""A plan says whether a cluster's token is there, and never what it is."""

from __future__ import annotations

import pytest

from tiomagic import TioMagic
from tiomagic.errors import AuthenticationError
from tiomagic_ray.options import RayOptions
from tiomagic_ray.tokens import look_for_token


def test_none_is_missing_and_names_the_variable(tmp_path):
    state = look_for_token(RayOptions(), {}, tmp_path)
    assert (state.is_needed, state.is_there) == (True, False)
    assert "RAY_AUTH_TOKEN" in state.why


@pytest.mark.parametrize("where", ["setting", "home", "path"])
def test_it_is_found_where_ray_finds_it(tmp_path, where):
    stored = tmp_path / (".ray/auth_token" if where == "home" else "other")
    stored.parent.mkdir(exist_ok=True)
    if where != "setting":
        stored.write_text("secret-7")
    options = RayOptions(token="secret-7" if where == "setting" else None)
    variables = {"RAY_AUTH_TOKEN_PATH": str(stored)} if where == "path" else {}
    state = look_for_token(options, variables, tmp_path)
    assert state.is_there
    assert "secret-7" not in repr(state)


def test_a_cluster_without_authentication_needs_none(tmp_path):
    assert not look_for_token(RayOptions(), {"RAY_AUTH_MODE": "disabled"}, tmp_path).is_needed


@pytest.mark.parametrize("force", [False, True])
def test_a_job_without_a_token_is_refused_before_it_is_stored(tmp_path, monkeypatch, force):
    """By its own code, and not as a run that does not fit; no head is asked."""
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    tm = TioMagic(working_dir=tmp_path, provider="ray", address="ray://192.0.2.1:10001")
    with pytest.raises(AuthenticationError, match="there is none: set RAY_AUTH_TOKEN") as caught:
        tm.text_to_video("doodle", prompt="a red circle", force=force)
    assert caught.value.code == "cluster_token"
    assert tm.list_jobs() == []
    plan = tm.plan("text_to_video", "doodle", prompt="a red circle")
    assert "RAY_AUTH_TOKEN" in str(plan["preflight"]["checks"])
