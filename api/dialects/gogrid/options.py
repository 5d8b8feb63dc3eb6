"""Options: GoGrid's lookup tables, and which option a state, a command or an object type of the ledger is.

Invariants: ids are GoGrid's own and for ever; a word outside the tables gets an id above DERIVED_FROM that depends on the word alone and fits
32 bits with a sign, since clients parse ids so. An option is always there, so that clients find an id and a name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from ledger.events import FailureKind
from ledger.job import State, Stay

DERIVED_FROM: Final = 1_000  # ids above it are derived from words; GoGrid's own stay far below
_INT32_MAX: Final = 2**31 - 1
# Options of words outside the tables that a process remembers, each some hundred bytes: one is derived by a hash, and a list says few words often.
KEPT_MAX: Final = 1_024


class Option(NamedTuple):
    """One row of a lookup table."""

    id: int
    name: str
    description: str | None = None


FATAL: Final = Option(6, "Fatal", "Change request had Fatal or Unrecoverable Failure")

JOB_STATES: Final = (
    Option(1, "Queued", "Change request is new to the system."),
    Option(2, "Processing", "Change request is is transient state...Processing."),
    Option(3, "Succeeded", "Change request has succeeded."),
    Option(4, "Failed", "Change request has failed."),
    Option(5, "Canceled", "Change request has been canceled."),
    FATAL,
    Option(7, "Created", "Change request is created but not queued yet"),
)

JOB_COMMANDS: Final = (
    Option(6, "CreateVirtualServer", "Create Virtual Server"),
    Option(7, "DeleteVirtualServer", "Delete Virtual Server"),
)

JOB_OBJECT_TYPES: Final = (
    Option(1, "VirtualServer"),
    Option(2, "LoadBalancer"),
    Option(3, "CloudStorage"),
    Option(4, "StorageDNS"),
    Option(5, "ServerImage"),
    Option(6, "DedicatedServer"),
)

DATACENTERS: Final = (
    Option(1, "US-West-1", "US West 1 Datacenter"),
    Option(2, "US-East-1", "US East 1 Datacenter"),
    Option(3, "EU-West-1", "EU-West-1 Datacenter"),
)

LOOKUPS: Final = (
    Option(1, "loadbalancer.type", "Load Balancer Types"),
    Option(2, "loadbalancer.persistence", "Load Balancer Persistence Types"),
    Option(3, "loadbalancer.state", "Load Balancer States"),
    Option(4, "loadbalancer.os", "Load Balancer OS's"),
    Option(5, "server.type", "Server Types"),
    Option(6, "server.ram", "Server Ram"),
    Option(7, "server.state", "Server States"),
    Option(8, "server.os", "Server OS's"),
    Option(9, "ip.type", "IP Address Types"),
    Option(10, "ip.state", "IP Address States"),
    Option(11, "job.state", "Job States"),
    Option(12, "job.command", "Job Commands"),
    Option(13, "job.objecttype", "Job Object Types"),
    Option(14, "image.state", "Image States"),
    Option(15, "image.type", "Image Types"),
    Option(16, "image.os", "Image OS's"),
    Option(17, "image.architecture", "Image OS Architectures"),
    Option(18, "datacenter", "Datacenters"),
    Option(19, "loadbalancer.datacenter", "Datacenters"),
    Option(20, "server.datacenter", "Datacenters"),
    Option(21, "job.datacenter", "Datacenters"),
    Option(22, "ip.datacenter", "Datacenters"),
    Option(23, "image.minram", "Image Ram"),
    Option(24, "image.gsitype", "GoGrid Server Image Type"),
)

# What each lookup lists. Those of servers, images, addresses and balancers are empty here, not unknown: clients ask for them as they start.
TABLES: Final[Mapping[str, tuple[Option, ...]]] = MappingProxyType(
    {
        **dict.fromkeys((lookup.name for lookup in LOOKUPS), ()),
        "lookups": LOOKUPS,
        "job.state": JOB_STATES,
        "job.command": JOB_COMMANDS,
        "job.objecttype": JOB_OBJECT_TYPES,
        "datacenter": DATACENTERS,
        "loadbalancer.datacenter": DATACENTERS,
        "server.datacenter": DATACENTERS,
        "job.datacenter": DATACENTERS,
        "ip.datacenter": DATACENTERS,
    }
)

# What stands for the command of a job that has none.
UNSPECIFIED: Final = Option(0, "Unspecified")

STATES: Final = MappingProxyType({option.name: option for option in JOB_STATES})
_FAILED: Final = STATES[State.FAILED.value]
_COMMANDS: Final = MappingProxyType({option.name: option for option in JOB_COMMANDS})
_OBJECT_TYPES: Final = MappingProxyType({option.name: option for option in JOB_OBJECT_TYPES})
_DECIMAL = re.compile(r"[0-9]{1,10}")
# Where a word ends inside a name: aB, ABc, and the separators of other spellings.
_SEAMS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s_.:/-]+")


def find(table: Iterable[Option], word: str) -> Option | None:
    """The option that a client means by an id or a name."""
    number = int(word) if _DECIMAL.fullmatch(word) else None
    return next((one for one in table if one.name == word or one.id == number), None)


@lru_cache(maxsize=KEPT_MAX)
def command(name: str | None) -> Option:
    """The option of a job's command."""
    if name is None:
        return UNSPECIFIED
    return _COMMANDS.get(name) or Option(_derived("job.command", name), name, _spelt_out(name))


@lru_cache(maxsize=KEPT_MAX)
def object_type(name: str) -> Option:
    """The option of a job's type. GoGrid describes none of them."""
    return _OBJECT_TYPES.get(name) or Option(_derived("job.objecttype", name), name)


def states(history: Sequence[Stay]) -> tuple[Option, ...]:
    """The option of each entry of a history."""
    found: list[Option] = []
    for stay in history:
        found.append(failure(stay.kind, stay.final, found) if stay.kind else STATES[stay.state])
    return tuple(found)


def failure(kind: str, final: bool, before: Sequence[Option]) -> Option:
    """The option of a failure behind those `before` it in a history. A final one that no retry could mend is Fatal."""
    again = kind == FailureKind.EXCEPTION and any(one in (_FAILED, FATAL) for one in before)
    return FATAL if final and (again or kind == FailureKind.REJECTED) else _FAILED


def _derived(table: str, name: str) -> int:
    digest = hashlib.sha256(f"{table}\n{name}".encode()).digest()
    return DERIVED_FROM + 1 + int.from_bytes(digest[:8]) % (_INT32_MAX - DERIVED_FROM)


def _spelt_out(name: str) -> str:
    words = [word for word in _SEAMS.split(name) if word]
    return " ".join(word[0].upper() + word[1:] for word in words) or name
