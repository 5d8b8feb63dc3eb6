"""The log: one line a line, and no secret in any of them."""

from __future__ import annotations

import contextvars
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from api import log
from ledger.errors import Misconfigured
from tests.fix_lines import logging_as_before

KEY = "jl_0123456789abcdef_" + "Zx" * 21 + "Z_abc123"


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with logging_as_before():
        yield


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_logging_look_alike() -> None:
    stream = io.StringIO()
    log.configure("info", stream=stream)
    structlog.get_logger("api").info("answered", status=200)
    logging.getLogger("elsewhere").warning("lost %s", "connection")
    logging.getLogger("elsewhere").debug("not shown")
    first, second = written(stream)
    assert {**first, "timestamp": ""} == {
        "event": "answered", "level": "info", "logger": "api", "status": 200, "timestamp": "",
    }  # fmt: skip
    assert (second["event"], second["level"], second["logger"]) == (
        "lost connection",
        "warning",
        "elsewhere",
    )
    assert second["timestamp"].endswith("Z")


def test_request_ids_are_on_every_line_within() -> None:
    stream = io.StringIO()
    log.configure("debug", stream=stream)

    def request() -> None:
        log.about_request("r-1")
        structlog.get_logger("api").debug("one")
        logging.getLogger("lib").info("two")

    # As the server does: each request is a task, and a task has a context of its own.
    contextvars.copy_context().run(request)
    structlog.get_logger("api").info("three")
    assert [line.get("request_id") for line in written(stream)] == ["r-1", "r-1", None]


@pytest.mark.parametrize("terminal", [False, True])
def test_no_secret_in_any_line(terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    log.configure("info", stream=stream)
    secret = "Zx" * 21
    structlog.get_logger("api").info(
        f"key {KEY} came", header=KEY, nested={"list": [KEY], "password": secret}
    )
    structlog.get_logger("api").info(
        "by name", secret=secret, Authorization=secret, shared_secret=secret
    )
    logging.getLogger("psycopg").error(
        "postgresql://anna:%s@host/db and password=%s", secret, secret
    )
    logging.getLogger("lib").error("Authorization: Bearer %s", secret, extra={"x-api-key": secret})
    logging.getLogger("lib").error("/api/grid/job/get?sig=%s&v=1", "0123456789abcdef" * 2)
    local = secret
    try:
        raise ValueError(f"bad {KEY}")
    except ValueError:
        structlog.get_logger("api").exception("crash", length=len(local))
    text = stream.getvalue()
    assert secret not in text
    assert "0123456789abcdef" * 2 not in text
    assert text.count("jl_0123456789abcdef_***") == 4
    assert "postgresql://anna:***@host/db" in text
    assert "Traceback" in text
    assert "ValueError" in text


def test_what_a_client_sent_stays_on_its_line() -> None:
    for stream in (io.StringIO(), Terminal()):
        log.configure("info", stream=stream)
        structlog.get_logger("api").info("a\nb", path="/x\r\n\x1b[2J\u2028forged")
        logging.getLogger("lib").info("c\nd %s", "\x1b[31m")
        assert len(stream.getvalue().splitlines()) == 2
        assert "\x1b[2J" not in stream.getvalue()


def test_levels() -> None:
    with pytest.raises(Misconfigured, match="'loud' is none of debug, info"):
        log.configure("loud")
    stream = io.StringIO()
    log.configure("ERROR", stream=stream)
    structlog.get_logger("api").warning("no")
    structlog.get_logger("api").error("yes")
    assert [line["event"] for line in written(stream)] == ["yes"]


def test_psycopg_is_heard() -> None:
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    stream = io.StringIO()
    log.configure("info", stream=stream)
    logging.getLogger("psycopg").warning("lost")
    assert [line["event"] for line in written(stream)] == ["lost"]
