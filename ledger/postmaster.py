"""PostgreSQL's own word on whether it runs: the status file that it keeps in its data folder.

Invariants: nothing is written; a file that a killed server left behind is told from a live one by what the process of that number runs.
Units: none. Errors: none; a file that cannot be understood yet reads as a server that is starting."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PID, _SOCKET, _STATUS = 0, 4, 7  # lines of postmaster.pid, counted from 0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server process that a data folder names."""

    folder: Path
    pid: int
    socket: Path | None
    status: str

    @classmethod
    def read(cls, folder: Path) -> Postmaster | None:
        """What the folder says, or None when no server has claimed it."""
        try:
            lines = (folder / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[_PID].lstrip("-").isdigit():
            return None
        socket = Path(lines[_SOCKET]) if len(lines) > _SOCKET and lines[_SOCKET] else None
        status = lines[_STATUS].strip() if len(lines) > _STATUS else "starting"
        return cls(folder, abs(int(lines[_PID])), socket, status)

    @property
    def is_ready(self) -> bool:
        """Whether it says that it accepts connections."""
        return self.status == "ready"

    def is_alive(self) -> bool:
        """Whether the process of that number is this folder's server, not a stranger who got the number later."""
        try:
            os.waitpid(self.pid, os.WNOHANG)  # when it was our child, let it go
        except OSError:
            pass
        return os.fsencode(self.folder) in _command_line(self.pid)

    def bin_dir(self) -> Path:
        """The folder of the program that it was started from."""
        program = (
            (self.folder / "postmaster.opts")
            .read_text(errors="surrogateescape")
            .split(' "', 1)[0]
            .strip()
        )
        return Path(program).parent


def _command_line(pid: int) -> bytes:
    """What a process runs, as bytes; empty when there is no such process or it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return b""
    asked = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return asked.stdout.strip()
