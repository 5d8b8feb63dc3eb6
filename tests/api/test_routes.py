"""Routes: they lead where Starlette's own would, one after the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route

from api.operations import by_path
from api.routes import Routes

PATHS = tuple(by_path())
ROUTES = Routes({path: path for path in PATHS})
STARLETTES = [Route(path, lambda request: None, methods=None) for path in PATHS]
# Words of the templates themselves, so that many paths fit one, and hostile ones.
WORDS = sorted({word for path in PATHS for word in path.split("/") if "{" not in word})
PARTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=5), st.sampled_from(["7", "a.json", ""]))


def starlettes(path: str) -> tuple[str, dict[str, str]] | None:
    for route in STARLETTES:
        match, child = route.matches({"type": "http", "method": "GET", "path": path})
        if match is Match.FULL:
            return route.path, child["path_params"]
    return None


@given(st.lists(PARTS, max_size=7).map(lambda parts: "/" + "/".join(parts)))
def test_they_lead_where_starlettes_do(path: str) -> None:
    assert ROUTES.find(path) == starlettes(path)


@given(st.sampled_from(PATHS), st.lists(PARTS, min_size=4, max_size=4))
def test_every_template_is_found(template: str, words: list[str]) -> None:
    path = template
    for word in words:
        before, brace, rest = path.partition("{")
        if brace:
            path = before + word + rest.partition("}")[2]
    assert ROUTES.find(path) == starlettes(path)


def test_a_template_must_begin_with_a_word() -> None:
    with pytest.raises(ValueError, match="begin with a word"):
        Routes({"/{anything}/jobs": 1})
