"""Plans: what will happen to each job of the simulated platform, settled before it begins.

Invariants: pure; an order depends on the seed and its place alone, however many workers play it; every fate comes up in each deck, so that any
seed shows all of them. Units: `after_s` is seconds of the platform's own time since the step before."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, Final
from uuid import UUID

CLOUD, SHOP = "cloud", "shop"  # the two tenants
BATCH_EVERY: Final = 5  # every so many orders is the shop's, a batch of imports
BATCH_JOBS: Final = 3

WORKERS: Final = tuple(f"worker-{number}" for number in range(1, 7))
CUSTOMERS: Final = (
    "ada@example.com",
    "brian@example.com",
    "chiara@example.com",
    "dimitri@example.com",
)
IMAGES: Final = ("debian_13_64", "ubuntu_24_64", "w2k3_64_iis_asp_mssql2k5xp", "alpine_3_64")
ENTITIES: Final = ("Category", "Product", "PriceList", "Customer")


class Fate(StrEnum):
    """How a job's life goes, in the words of the demo's summary."""

    SUCCEEDED = "succeeded at once"
    RETRIED = "succeeded at the second try"
    EXHAUSTED = "gave up after three tries"
    REJECTED = "were rejected"
    BAD_ROWS = "ended with bad rows"
    CALLED_OFF = "were canceled while they waited"
    STOPPED = "were canceled while they ran"


CLOUD_DECK: Final = (
    *(Fate.SUCCEEDED,) * 6,
    *(Fate.RETRIED, Fate.RETRIED, Fate.EXHAUSTED, Fate.REJECTED, Fate.CALLED_OFF, Fate.STOPPED),
)
SHOP_DECK: Final = (*(Fate.SUCCEEDED,) * 3, Fate.BAD_ROWS, Fate.BAD_ROWS, Fate.RETRIED)

FAULTS: Final = (
    (1204, "No capacity on the chosen host", "The scheduler will pick another one."),
    (1311, "The image could not be copied", "The storage node did not answer in time."),
    (1402, "The address is taken", "Another server announced it first."),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a job. `by_customer`: said by somebody who has not looked at the job before, and of whom its worker does not hear.

    `twice`: its answer gets lost on the way, so that the request is sent again."""

    event: str
    after_s: float
    note: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    by_customer: bool = False
    twice: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A job's life: the body that creates it, its steps, and the state it ends in."""

    project: str
    name: str
    fate: Fate
    job: dict[str, Any]
    steps: tuple[Step, ...]
    ends: str


def order(seed: int, nth: int) -> tuple[Plan, ...]:
    """The nth order, from 0: one job of the cloud's, or a batch of the shop's."""
    batches, place = divmod(nth, BATCH_EVERY)
    if place == BATCH_EVERY - 1:
        first = batches * BATCH_JOBS
        return tuple(_import(seed, first + index) for index in range(BATCH_JOBS))
    return (_provisioning(seed, batches * (BATCH_EVERY - 1) + place),)


def _provisioning(seed: int, nth: int) -> Plan:
    rng = Random(f"{seed} cloud {nth}")
    fate = _drawn(seed, CLOUD_DECK, nth)
    job = rng.choices((_new_server, _old_server, _balancer), (6, 2, 2))[0](rng, nth)
    job |= {"owner": rng.choice(CUSTOMERS), "request_id": _uuid(rng)}
    return _plan(rng, CLOUD, f"cloud-{seed}-{nth}", fate, job, _lived(rng, fate, _built))


def _new_server(rng: Random, nth: int) -> dict[str, Any]:
    name = f"web-{nth:03}"
    detail = {
        "type": "virtual_server",
        "description": f"shop front {nth}",
        "image": rng.choice(IMAGES),
        "ip": f"203.0.113.{rng.randint(1, 254)}",
        "name": name,
    }
    return {
        "type": "VirtualServer",
        "command": "CreateVirtualServer",
        "object": name,
        "detail": detail,
    }


def _old_server(rng: Random, nth: int) -> dict[str, Any]:
    name = f"web-{rng.randint(0, max(nth - 1, 0)):03}"
    detail = {"type": "virtual_server", "name": name, "keep_image": rng.random() < 0.3}
    return {
        "type": "VirtualServer",
        "command": "DeleteVirtualServer",
        "object": name,
        "detail": detail,
    }


def _balancer(rng: Random, nth: int) -> dict[str, Any]:
    name = f"lb-{nth:03}"
    detail = {
        "type": "load_balancer",
        "name": name,
        "algorithm": rng.choice(("round_robin", "least_connect")),
        "servers": [f"web-{rng.randint(0, nth):03}:80" for _ in range(2)],
    }
    return {
        "type": "LoadBalancer",
        "command": "CreateLoadBalancer",
        "object": name,
        "detail": detail,
    }


def _import(seed: int, nth: int) -> Plan:
    rng = Random(f"{seed} shop {nth}")
    fate = _drawn(seed, SHOP_DECK, nth)
    entity, total = rng.choice(ENTITIES), rng.randint(4, 60) * 50
    job = {
        "type": entity,
        "command": rng.choice(("insert", "upsert", "update")),
        "object": f"{entity.lower()}-{nth:03}.csv",
        "owner": "nightly@example.com" if rng.random() < 0.5 else rng.choice(CUSTOMERS),
        "request_id": _uuid(rng),
        "detail": {"format": "csv", "rows": total, "import_method": "api"},
    }

    def read(rng: Random, worker: str) -> list[Step]:
        return _items(rng, worker, total, fate)

    return _plan(rng, SHOP, f"shop-{seed}-{nth}", fate, job, _lived(rng, fate, read))


def _lived(rng: Random, fate: Fate, work: Any) -> list[Step]:
    """The steps of a fate; `work` is what a worker does between its start and its end."""
    worker, *others = rng.sample(WORKERS, 3)
    queued = Step("queued", rng.uniform(10, 40))
    if fate == Fate.REJECTED:
        messages = [{"code": 1001, "message": "The quota of this account is used up"}]
        return [Step("failed", 8, "quota", {"kind": "rejected", "messages": messages})]
    if fate == Fate.CALLED_OFF:
        return [queued, Step("canceled", 60, "ordered twice", by_customer=True)]
    done = work(rng, worker)
    began = [queued, _start(rng, worker)]
    match fate:
        case Fate.STOPPED:
            late = done[1] if len(done) > 1 else done[0]
            stop = Step("canceled", 5, "changed my mind", by_customer=True)
            return [*began, done[0], stop, late]
        case Fate.RETRIED:
            return [
                *began,
                done[0],
                *_again(rng, others[0]),
                *work(rng, others[0]),
                _success(rng, others[0]),
            ]
        case Fate.EXHAUSTED:
            tries = [
                step for other in others for step in (*_again(rng, other), *work(rng, other)[:1])
            ]
            fault = _fault(rng, "gave up", final=True)
            return [*began, done[0], *tries, fault]
        case Fate.BAD_ROWS:
            return [*began, *done, _item_errors(rng, worker, done[-1].fields["failed"])]
    return [*began, *done, _success(rng, worker)]


def _start(rng: Random, worker: str) -> Step:
    return Step("started", rng.uniform(20, 120), worker)


def _success(rng: Random, worker: str) -> Step:
    return Step("succeeded", rng.uniform(20, 60), f"{worker}: done")


def _fault(rng: Random, note: str, *, final: bool) -> Step:
    code, message, description = rng.choice(FAULTS)
    messages = [{"code": code, "message": message, "description": description}]
    return Step("failed", rng.uniform(20, 90), note, {"final": final, "messages": messages})


def _again(rng: Random, worker: str) -> list[Step]:
    """A failure that is not the end, and the next attempt."""
    failed = _fault(rng, "will be tried again", final=False)
    return [failed, Step("queued", rng.uniform(30, 120), "backed off"), _start(rng, worker)]


def _built(rng: Random, worker: str) -> list[Step]:
    """What a worker says while it builds."""
    remarks = ((0.3, "image copied"), (0.6, "network set up"), (0.9, "starting"))
    steps = [
        Step("progressed", rng.uniform(20, 90), f"{worker}: {remark}", {"progress": progress})
        for progress, remark in remarks[: rng.randint(1, 3)]
    ]
    if rng.random() < 0.2:
        steps.append(Step("noted", 3, f"{worker}: the disk is slow today"))
    return steps


def _items(rng: Random, worker: str, total: int, fate: Fate) -> list[Step]:
    """Totals so far, in a few reports; some rows are bad if the import is to end so."""
    reports = rng.randint(2, 4)
    bad = rng.randint(1, total // 20 + 1) if fate == Fate.BAD_ROWS else 0
    steps = []
    for report in range(1, reports + 1):
        read, failed = total * report // reports, bad * report // reports
        fields = {"total": total, "succeeded": read - failed, "failed": failed}
        steps.append(
            Step("items_reported", rng.uniform(20, 90), f"{worker}: read {read} rows", fields)
        )
    return steps


def _item_errors(rng: Random, worker: str, failed: int) -> Step:
    row = rng.randint(1, 200)
    messages = [{"code": 422, "message": f"Row {row}: the name can't be blank"}]
    fields = {"kind": "item_errors", "error_count": failed, "messages": messages}
    return Step("failed", rng.uniform(5, 20), f"{worker}: {failed} rows refused", fields)


def _plan(
    rng: Random, project: str, name: str, fate: Fate, job: dict[str, Any], steps: list[Step]
) -> Plan:
    again = rng.randrange(len(steps)) if rng.random() < 0.3 else -1
    told = tuple(
        Step(step.event, step.after_s, step.note, step.fields, step.by_customer, place == again)
        for place, step in enumerate(steps)
    )
    ends = {
        **dict.fromkeys((Fate.SUCCEEDED, Fate.RETRIED), "Succeeded"),
        **dict.fromkeys((Fate.EXHAUSTED, Fate.REJECTED, Fate.BAD_ROWS), "Failed"),
    }.get(fate, "Canceled")
    return Plan(project, name, fate, job, told, ends)


def _drawn(seed: int, deck: tuple[Fate, ...], nth: int) -> Fate:
    """The nth card of decks shuffled one after another."""
    decks, place = divmod(nth, len(deck))
    return Random(f"{seed} deck {len(deck)} {decks}").sample(deck, len(deck))[place]


def _uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
