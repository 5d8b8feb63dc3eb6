"""Slow clients: heads that never end, bodies that dribble, answers that nobody reads.

Invariants: each holds as many connections as it is told, and opens another for each that the server closes. Run as
`python -m scripts.overloading.slow PORT KEY PROJECT SECONDS EACH`; what the server closed is counted on stdout as JSON. Errors: none."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

DRIBBLE_S = 1.0

closed: Counter[str] = Counter()


async def _line(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=1_024)


async def head(port: int, _: str) -> None:
    """A header line now and then, and never the last."""
    _reader, writer = await _line(port)
    writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n")
    while True:
        await asyncio.sleep(DRIBBLE_S)
        writer.write(b"x-slow: 1\r\n")
        await writer.drain()


async def body(port: int, request: str) -> None:
    """A byte of the body now and then."""
    _reader, writer = await _line(port)
    writer.write(request.encode())
    while True:
        await asyncio.sleep(DRIBBLE_S)
        writer.write(b" ")
        await writer.drain()


async def reader(port: int, _: str) -> None:
    """Asks for a great deal and reads nothing of it."""
    _reader, writer = await _line(port)
    writer.write(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 200)
    while True:
        await asyncio.sleep(DRIBBLE_S)
        writer.write(b"\r\n")
        await writer.drain()


KINDS = {"heads": head, "bodies": body, "readers": reader}


async def _again(kind: str, port: int, request: str) -> None:
    while True:
        try:
            await KINDS[kind](port, request)
        except OSError:
            closed[kind] += 1
            await asyncio.sleep(0.05)


async def main(port: int, key: str, project: str, seconds: float, each: int) -> None:
    """All kinds at once."""
    request = f"POST /v1/projects/{project}/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 1000000\r\n\r\n{{"
    tasks = [
        asyncio.create_task(_again(kind, port, request)) for kind in KINDS for _ in range(each)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({"held of each": each, "closed by the server": dict(closed)}))


if __name__ == "__main__":
    port, key, project, seconds, each = sys.argv[1:]
    asyncio.run(main(int(port), key, project, float(seconds), int(each)))
