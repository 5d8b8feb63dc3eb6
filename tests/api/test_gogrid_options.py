"""GoGrid's lookup tables, and the options that the ledger's words become."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.gogrid import options
from api.dialects.gogrid.models import OptionsOut
from tests.fix_gogrid import FORMATS, LOOKUP, Objects, as_objects, created, got, live, tell

# --- options ------------------------------------------------------------------------------------


def test_the_seven_states() -> None:
    assert [(one.id, one.name) for one in options.JOB_STATES] == [
        *((1, "Queued"), (2, "Processing"), (3, "Succeeded"), (4, "Failed")),
        *((5, "Canceled"), (6, "Fatal"), (7, "Created")),
    ]
    assert [one.description for one in options.JOB_STATES] == [
        "Change request is new to the system.",
        "Change request is is transient state...Processing.",
        "Change request has succeeded.",
        "Change request has failed.",
        "Change request has been canceled.",
        "Change request had Fatal or Unrecoverable Failure",
        "Change request is created but not queued yet",
    ]


def test_commands_and_types_that_gogrid_knew() -> None:
    shown = got(live(created(command="CreateVirtualServer")))
    assert shown["command"] == {
        "object": "option",
        "id": 6,
        "name": "CreateVirtualServer",
        "description": "Create Virtual Server",
    }
    assert options.command("DeleteVirtualServer").id == 7
    types = (
        "VirtualServer",
        "LoadBalancer",
        "CloudStorage",
        "StorageDNS",
        "ServerImage",
        "DedicatedServer",
    )
    assert [options.object_type(name).id for name in types] == [1, 2, 3, 4, 5, 6]


def test_a_job_without_a_command_still_has_an_option() -> None:
    assert got(live(created()))["command"] == {
        "object": "option",
        "id": 0,
        "name": "Unspecified",
        "description": None,
    }


def test_ids_of_other_words_never_change() -> None:
    """Clients keep them: a change here breaks what they kept."""
    assert options.command("insert") == options.Option(DERIVED["insert"], "insert", "Insert")
    assert options.object_type("Category") == options.Option(DERIVED["Category"], "Category", None)
    assert options.command("Category").id != options.object_type("Category").id


DERIVED = {"insert": 33_758_037, "Category": 510_460_925}


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("CreateLoadBalancer", "Create Load Balancer"),
        ("EditStorageDNS", "Edit Storage DNS"),
        ("DNSUpdate", "DNS Update"),
        ("bulk_insert-all", "Bulk Insert All"),
        ("job.start now", "Job Start Now"),
        ("Run2Steps", "Run2 Steps"),
        ("___", "___"),
        ("größe", "Größe"),
    ],
)
def test_a_command_s_description_is_its_words(name: str, description: str) -> None:
    assert options.command(name).description == description


@given(st.text(min_size=1))
def test_every_word_has_an_option_whose_id_fits_32_bits(name: str) -> None:
    for option in (options.command(name), options.object_type(name)):
        assert option.name == name
        assert 0 < option.id < 2**31
        assert option.id > 1000 or option.id <= 7


# --- lookups ------------------------------------------------------------------------------------


def looked_up(query: str, form: str = "json") -> Objects:
    return as_objects(tell(LOOKUP, None, f"{query}&format={form}").body, form)


@pytest.mark.parametrize(
    ("number", "name", "first", "size"),
    [
        (11, "job.state", "Queued", 7),
        (12, "job.command", "CreateVirtualServer", 2),
        (13, "job.objecttype", "VirtualServer", 6),
        (18, "datacenter", "US-West-1", 3),
        (21, "job.datacenter", "US-West-1", 3),
        (22, "ip.datacenter", "US-West-1", 3),
    ],
)
def test_lookups_by_name_and_id_in_every_format(
    number: int, name: str, first: str, size: int
) -> None:
    for form in FORMATS:
        table = looked_up(f"lookup={name}", form)
        assert table == looked_up(f"lookup={number}", form)
        assert (len(table), table[0]["name"]) == (size, first)
    answer = tell(LOOKUP, None, f"lookup={name}")
    OptionsOut.model_validate_json(answer.body)
    body = json.loads(answer.body)
    assert body["method"] == "/common/lookup/list"
    assert body["summary"] == {"total": size, "start": 0, "numpages": 0, "returned": size}


def test_the_table_of_tables() -> None:
    tables = looked_up("lookup=lookups")
    assert [table["id"] for table in tables] == list(range(1, 25))
    for table in tables:
        # Those about servers and addresses are empty, not unknown: clients ask for them as they start.
        assert bool(looked_up(f"lookup={table['name']}")) == (
            table["id"] in (11, 12, 13, 18, 19, 20, 21, 22)
        )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        ("sort=id&asc=false", [7, 6, 5, 4, 3, 2, 1]),
        ("asc=desc", [7, 6, 5, 4, 3, 2, 1]),
        ("sort=name", [5, 7, 4, 6, 2, 1, 3]),
        ("sort=name&asc=0", [3, 1, 2, 6, 4, 7, 5]),
        ("sort=name&asc=true", [5, 7, 4, 6, 2, 1, 3]),
        ("sort=description&asc=1", [6, 5, 4, 3, 7, 2, 1]),
        ("num_items=3&page=1", [4, 5, 6]),
        ("page=5", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_order_of_a_lookup(query: str, ids: list[int]) -> None:
    assert [one["id"] for one in looked_up(f"lookup=job.state&{query}")] == ids


def test_a_page_of_a_lookup_counts_pages() -> None:
    told = json.loads(tell(LOOKUP, None, "lookup=job.state&num_items=3&page=2").body)["summary"]
    assert told == {"total": 7, "start": 6, "numpages": 3, "returned": 1}


def test_csv_of_a_lookup() -> None:
    text = tell(LOOKUP, None, "lookup=job.command&format=csv").body.decode()
    assert text == (
        "# SUCCESS, /common/lookup/list, TOTAL, 2, NUMPAGES, 0, START, 0, RETURNED, 2\n"
        "# id,name,description\n"
        "6,CreateVirtualServer,Create Virtual Server,\n"
        "7,DeleteVirtualServer,Delete Virtual Server,\n"
    )
