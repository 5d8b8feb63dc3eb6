"""The application: whose a request is, and who has to say who he is."""

from __future__ import annotations

import pytest

from api.app import create_app
from api.secret import SECRET_BYTES, Secret


@pytest.mark.parametrize(
    ("method", "path", "public"),
    [
        *(("GET", "/livez", True), ("HEAD", "/readyz", True), ("POST", "/livez", False)),
        *(("GET", "/openapi/geoop.json", True), ("GET", "/v1/projects/p/jobs", False)),
        *(("GET", "/nowhere", False), ("GET", "/jobs", False)),
    ],
)
def test_probes_are_always_let_in(method: str, path: str, *, public: bool) -> None:
    app = create_app("", Secret(bytes(SECRET_BYTES)), run_projections=False)
    assert app.door({"path": path}).is_public(method) is public
