"""DIALECTS: whose a path is.

Seen red: a product's root without its last slash told by the native dialect, in words that its clients do not read."""

from __future__ import annotations

import pytest

from api.dialects import dialect_of


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "gogrid") for path in ("/api/grid/job/get", "/api/grid/", "/api/grid", "/api/common", "/api/grid/job/get/")),
        *((path, "comestri") for path in ("/api/v2/jobs", "/api/v2/", "/api/v2")),
        *((path, "openlineage") for path in ("/api/v1/lineage", "/api/v1")),
        *((path, "orange") for path in ("/projects/demo/jobs", "/projects/", "/projects")),
        *((path, "geoop") for path in ("/jobs", "/jobs/", "/jobs/7", "/jobs/7/upload")),
        *((path, "fullstory") for path in ("/v2/events/batch", "/v2/", "/v2")),
        *((path, "native") for path in ("/v1/projects/demo/jobs", "/", "", "/api", "/api/", "/v22", "/project", "/api/gridlock", "/Projects/x")),
    ],
)  # fmt: skip
def test_a_path_belongs_to_the_product_whose_it_was(path: str, name: str) -> None:
    assert dialect_of(path).name == name
