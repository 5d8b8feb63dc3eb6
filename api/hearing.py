"""Hearing: requests in the bytes of a line, as httptools' parser finds them.

Invariants: the scope of a request is ASGI's, as far as it is asked for here, and header names are in lower case; a proxy is believed where uvicorn
would believe it. Errors: NoRequest for what is no HTTP/1.1 as RFC 9112 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

if TYPE_CHECKING:
    from api.line import Line

Scope = dict[str, Any]
Headers = list[tuple[bytes, bytes]]


class NoRequest(Exception):
    """What the client sent is none."""


class Hearing:
    """One line's parser."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._parser = httptools.HttpRequestParser(self)
        # What follows the last request of a line is not ours to refuse: its answer is still to be read.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._scheme = "http"
        self._by_proxy = False
        self._url = b""
        self._headers: Headers = []

    def began(self, config: Config, scheme: str, client: tuple[str, int] | None) -> None:
        """A client has come, from there."""
        self._scheme = scheme
        front = config.loaded_app
        if client is not None and isinstance(front, ProxyHeadersMiddleware):
            self._by_proxy = client[0] in front.trusted_hosts

    def end(self) -> None:
        """The client has gone: a parser, who listens to it and his line hold each other."""
        del self._parser, self._line

    def feed(self, part: bytes) -> None:
        """What has arrived. Raises NoRequest."""
        try:
            self._parser.feed_data(part)
        except httptools.HttpParserError as error:
            raise NoRequest from error
        except httptools.HttpParserUpgrade:
            pass  # We speak nothing else; what was asked is answered.

    def so_far(self) -> Scope:
        """The scope of what is no request, as much as can be said of it."""
        raw, _, query = (self._url if self._url.startswith(b"/") else b"/").partition(b"?")
        return {
            "method": "GET",
            "scheme": self._scheme,
            "path": unquote(raw.decode("latin-1")),
            "raw_path": raw,
            "query_string": query,
            "headers": self._headers,
        }

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = []

    def on_url(self, part: bytes) -> None:
        """Its address, or a part of it."""
        self._url += part

    def on_header(self, name: bytes, word: bytes) -> None:
        """One of its headers."""
        self._headers.append((name.lower(), word))

    def on_headers_complete(self) -> None:
        """Its head is here."""
        parser = self._parser
        address = httptools.parse_url(self._url)
        path = address.path.decode("ascii")
        scope = {
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": address.path,
            "query_string": address.query or b"",
            "headers": self._headers,
        }
        headers = dict(self._headers)
        if self._by_proxy and b"x-forwarded-proto" in headers:
            came_by = headers[b"x-forwarded-proto"].decode("latin-1").strip()
            if came_by in ("http", "https"):
                scope["scheme"] = came_by
        lasts = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        self._line.begun(scope, headers, lasts=lasts)

    def on_body(self, part: bytes) -> None:
        """A part of its body."""
        self._line.more(part)

    def on_message_complete(self) -> None:
        """It is here."""
        self._line.ended()
