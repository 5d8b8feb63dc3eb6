"""The program's own log, which is not the ledger: one JSON object a line, or coloured lines on a terminal.

Invariants: it goes to stderr; structlog's and the standard library's lines look alike; a line stays one line whatever was logged; nothing that
opens a door is ever in it, neither a key nor a password. What `about_request(...)` binds is on every line of the task that called it. A crash
outside Python's reach is the one thing that says itself in plain lines: where each thread was, without the values of its variables.
Units: times in UTC."""

from __future__ import annotations

import faulthandler
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from api.printable import printable
from ledger.connection import restore_loggers
from ledger.errors import Misconfigured

LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# What a secret looks like wherever it turns up, and what stands in its place. The key id of a key stays, since it is what one looks for.
SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\bjl_[0-9a-f]{16}_)[0-9A-Za-z_]+"), r"\1***"),
    (re.compile(r"(://[^\s:/@]*:)[^\s@]+(?=@)"), r"\1***"),
    (re.compile(r"(?i)(\bpassword\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s&,;]+)"), r"\1***"),
    (re.compile(r"(?i)(\b(?:basic|bearer)\s+)[0-9A-Za-z+/=_.~-]{8,}"), r"\1***"),
    (re.compile(r"(?i)(\bsig=)[0-9a-f]{32}\b"), r"\1***"),
)
# Values under these names are never shown, whatever they look like.
HIDDEN = frozenset(
    {"authorization", "cookie", "key", "password", "secret", "shared_secret", "x-api-key"}
)

# Libraries that tell more at their own level than an operator wants: each from this level on.
QUIET: tuple[tuple[str, int], ...] = (
    ("asyncio", logging.WARNING),
    ("psycopg.pool", logging.WARNING),
    ("uvicorn.access", logging.WARNING),
    ("uvicorn.error", logging.WARNING),
)


def configure(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send all logging to the stream (stderr), from this level on. Raises Misconfigured for an unknown level."""
    if level.lower() not in LEVELS:
        raise Misconfigured(f"The log level {level!r} is none of {', '.join(LEVELS)}.")
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        _of_its_request,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Frames only: the values of local variables may be anybody's secrets.
                structlog.processors.format_exc_info,
                redacted,
                *_rendering(tty=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level.lower()])
    restore_loggers()
    for name, quiet in QUIET:
        logging.getLogger(name).setLevel(max(quiet, root.level))
    if sys.__stderr__ is not None and stream is sys.__stderr__:
        # Else a segmentation fault in a library ends the process without a word.
        faulthandler.enable(sys.__stderr__)


def about_request(request_id: str) -> None:
    """Put the request's id on every line that this task logs from now on: each request is a task of its own."""
    _request_id.set(request_id)


_request_id: Final[ContextVar[str]] = ContextVar("request_id")


def _of_its_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = _request_id.get(None)
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def _rendering(*, tty: bool) -> tuple[Processor, ...]:
    if not tty:
        return (structlog.processors.JSONRenderer(default=str),)
    return (
        _on_one_line,
        structlog.dev.ConsoleRenderer(
            colors=True, exception_formatter=structlog.dev.plain_traceback
        ),
    )


def redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The line without anything that looks like a secret or has a secret's name."""
    return {name: _hidden(name, found) for name, found in event.items()}


def _hidden(name: str, found: Any) -> Any:
    if name.lower() in HIDDEN and found is not None:
        return "***"
    match found:
        case bool() | int() | float() | None:
            return found
        case Mapping():
            return {str(key): _hidden(str(key), item) for key, item in found.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden("", item) for item in found]
    text = str(found)
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A terminal obeys control characters, so that what a client sent could rewrite the screen. JSON escapes them anyway."""
    return {
        name: printable(text) if isinstance(text, str) and name != "exception" else text
        for name, text in event.items()
    }
