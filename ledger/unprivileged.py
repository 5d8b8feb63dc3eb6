"""Run a program as somebody other than root, which PostgreSQL insists on.

Invariants: no user is made and no folder's mode is changed; the first of `WAYS` that is seen to work is taken, the least privileged first.
Run as a script, this file is the launcher: `unprivileged.py WAY UID GID FOLDER PROGRAM ARG...` becomes that user, then the program.
Errors: the launcher exits 126 with a sentence when its way is barred here."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BARRED = 126  # the exit status that shells use for "found, but may not be run"
_PROBE_TIMEOUT_S = 30.0  # printing a version takes milliseconds; a hung disk should not hang us

# Numbers of the Linux kernel's interface (linux/prctl.h, linux/securebits.h, linux/capability.h, linux/sched.h).
_PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 28, 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a program runs as: one of `WAYS`, with the user that the program sees itself to be."""

    way: str
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """The user and group that must own the program's files, as seen from outside."""
        return (
            (os.getuid(), os.getgid())
            if self.way in ("self", "namespace")
            else (self.uid, self.gid)
        )

    def command(self, folder: Path, program: Path, *arguments: str) -> list[str]:
        """The command line that runs a program as this user, in its own session and in that folder."""
        launcher = (sys.executable, "-I", "-S", __file__, self.way, str(self.uid), str(self.gid))
        return [*launcher, str(folder), str(program), *arguments]

    def refusal(self, folder: Path, program: Path) -> str | None:
        """Why this user cannot run the program on that folder; None when it can."""
        try:
            os.chown(folder, *self.owner)
            subprocess.run(
                self.command(folder, program, "--version"),
                check=True,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=_PROBE_TIMEOUT_S,
            )
        except subprocess.CalledProcessError as error:
            return f"{self.way}: {str(error.stderr).strip() or f'exit status {error.returncode}'}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{self.way}: {error}"
        return None


def identities(folder: Path) -> tuple[Identity, ...]:
    """Whom to try, best first: ourselves unless we are root, else the folder's owner, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return (Identity("self", os.getuid(), os.getgid()),)
    import pwd

    owner = folder.stat().st_uid
    for user in (owner, "postgres", "nobody"):
        try:
            entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return tuple(
                Identity(way, entry.pw_uid, entry.pw_gid) for way in ("drop", "reach", "namespace")
            )
    return ()


def _ask(kernel_call: str, *arguments: object) -> None:
    """Make one call of the C library; raise OSError when it fails."""
    if getattr(ctypes.CDLL(None, use_errno=True), kernel_call)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, *arguments: int) -> None:
    padded = (*arguments, 0, 0, 0)[:4]  # the kernel refuses unused arguments that are not zero
    _ask("prctl", ctypes.c_int(option), *map(ctypes.c_ulong, padded))


def _stay(uid: int, gid: int) -> None:
    """Remain who we are."""


def _drop(uid: int, gid: int) -> None:
    """Become that user for good, without any privilege."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _reach(uid: int, gid: int) -> None:
    """Become that user, but keep one capability: to pass through folders that only root may enter."""
    # Without this bit access(2) would ignore the capability, and PostgreSQL looks for its programs by access(2).
    _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    _drop(uid, gid)
    try:
        _keep(_CAP_DAC_READ_SEARCH)
    except PermissionError:
        _keep(_CAP_DAC_OVERRIDE)  # containers often withhold the narrower one


def _keep(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    sets = (ctypes.c_uint32 * 6)(
        mask, mask, mask, 0, 0, 0
    )  # effective, permitted, inheritable; twice 32 bits
    _ask("capset", header, sets)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _namespace(uid: int, gid: int) -> None:
    """Enter a user namespace where our own user goes by that user's number and has no privilege outside."""
    me, mine = os.geteuid(), os.getegid()
    _ask("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {me} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {mine} 1")


WAYS: dict[str, Callable[[int, int], None]] = {
    "self": _stay,  # not root: nothing to do
    "drop": _drop,  # least privilege: enough when every folder above may be entered by anybody
    "reach": _reach,  # a checkout, environment or data folder below a folder that is root's alone
    "namespace": _namespace,  # a container with a single user, or without ambient capabilities
}


def _launch(way: str, uid: str, gid: str, folder: str, *command: str) -> None:
    try:
        WAYS[way](int(uid), int(gid))
        os.chdir(folder)
        for path, mode in ((folder, os.R_OK | os.W_OK | os.X_OK), (command[0], os.R_OK | os.X_OK)):
            if not os.access(path, mode):
                raise PermissionError(f"{path} is out of reach of user {uid}")
        os.umask(0o077)
        if os.getpid() != os.getsid(0):
            os.setsid()  # Ctrl-C in the terminal is for us; the server is stopped in order, later
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_BARRED)


if __name__ == "__main__":
    _launch(*sys.argv[1:])
