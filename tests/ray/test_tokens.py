"""A plan says whether a cluster's token is there, and never what it is."""

from __future__ import annotations

import pytest

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
