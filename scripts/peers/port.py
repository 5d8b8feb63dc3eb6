"""A port: one that is free just now, for servers that cannot take any."""

from __future__ import annotations

import socket


def port() -> int:
    """One that is free just now."""
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        return int(taker.getsockname()[1])
