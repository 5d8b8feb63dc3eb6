"""Between two versions: what a server says while a read model still is as the version before made it.

Seen red with a column that is missing taken for a mistake of ours, which was a 500."""

from __future__ import annotations

import psycopg
import pytest

from tests.fix_server import LiveServer
from tests.native import JOBS, create, problem

OLDER = """
DROP VIEW projections.job_counts;
CREATE VIEW projections.job_counts AS SELECT project, type, command, '' AS state, span_s, upto, created AS jobs FROM projections.job_counts_v4;
GRANT SELECT ON projections.job_counts TO jobledger_reader"""


@pytest.mark.parametrize(
    "path", [f"{JOBS}?count=exact&created_from=2024-01-01", "/v1/projects/demo/counts?as_of=1"]
)
def test_what_the_next_version_will_tell_is_asked_for_again(
    live_server: LiveServer, path: str
) -> None:
    create(live_server.client)
    with psycopg.connect(live_server.dsn, autocommit=True) as owner:
        owner.execute(OLDER)
    said = live_server.client.get(path)
    problem(said, 503, said.json()["code"])
    assert said.headers["retry-after"]
    assert live_server.client.get(JOBS).status_code == 200
