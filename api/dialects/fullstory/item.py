"""Items: what an entry of a batch lets happen to which job.

Invariants: pure; a name is an event of the ledger, properties are its fields and nothing else; a text names a job by its source_id, else by its
id, else by its number, and a number by its number alone. Errors: Invalid, naming the field; Required."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.batch.wish import Wish
from api.dialects.fullstory.fault import Required
from api.faults import invalid
from ledger.errors import Invalid, LedgerError
from ledger.events import EVENTS, Created, Event, Json, Moment, Text, Word
from ledger.names import Name, by_id, by_number, by_source_id
from ledger.settings import COUNT_MAX

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,15}")


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class UserIn(_In):
    """Whose event it is."""

    uid: Word | None = Field(None, description="The owner of a created job.")
    id: str | None = Field(None, description="Kept with the item; it means nothing to the ledger.")


class PropertiesIn(BaseModel):
    """The fields of the event, which are those of the native API, and the job that it happened to."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    job: str | int | None = Field(
        None,
        description="The job's source_id, id or number; job.created gives the new job its source_id.",
    )
    note: Text | None = Field(None, description="A remark for people, kept with the event.")


class ItemIn(_In):
    """An event that happened to a job."""

    name: str = Field(description="What happened.", json_schema_extra={"enum": list(EVENTS)})
    timestamp: Moment | None = Field(
        None, description="When it happened; at most a day ahead of our clock."
    )
    user: UserIn | None = None
    properties: PropertiesIn = PropertiesIn()
    session: dict[str, Json] | None = Field(None, description="Kept with the item.")
    context: dict[str, Json] | None = Field(None, description="Kept with the item.")
    schema_: dict[str, Json] | None = Field(None, alias="schema", description="Kept with the item.")


def read(item: str, shared: str | None, owner: str) -> Wish:
    """What an item wishes. `owner`: of a created job for which nobody else is named."""
    try:
        said = ItemIn.model_validate_json(item)
    except ValidationError as error:
        raise _named(error) from error
    if shared is not None and said.context is not None:
        raise Invalid("context stands in shared, so no event may have its own.", field="context")
    if said.name not in EVENTS:
        raise Invalid(f"name is one of {', '.join(EVENTS)}.", field="name")
    given = dict(said.properties.model_extra or {})
    if said.name == Created.TOPIC:
        uid = said.user.uid if said.user else None
        event, names = _created(said.properties.job, given, uid or owner)
    else:
        event, names = _event(said.name, given), names_of(said.properties.job)
    return Wish(event, names, said.properties.note, said.timestamp)


def names_of(word: str | int | None) -> tuple[Name, ...]:
    """What a word may call a job, the likeliest first."""
    if word is None or word == "":
        raise Required("properties.job is required", field="properties.job")
    if isinstance(word, int):
        return (by_number(word),) if 0 < word <= COUNT_MAX else ()
    names = [by_source_id(word)]
    try:
        names.append(by_id(UUID(word)))
    except ValueError:
        pass
    if _NUMBER.fullmatch(word):
        names.append(by_number(int(word)))
    return tuple(names)


def _created(
    word: str | int | None, given: dict[str, Any], owner: str
) -> tuple[Event, tuple[Name, ...]]:
    if isinstance(word, int):
        raise Invalid("A new job's source_id is a text.", field="properties.job")
    if word is not None and given.setdefault("source_id", word) != word:
        raise Invalid("properties.job and source_id differ.", field="properties.source_id")
    given.setdefault("owner", owner)
    return _event(Created.TOPIC, given), ()


def _event(topic: str, given: dict[str, Any]) -> Event:
    try:
        # As JSON, in which a list may be a tuple and a text a time.
        return EVENTS[topic].model_validate_json(pydantic_core.to_json(given))
    except ValidationError as error:
        raise _named(error, "properties") from error


def _named(error: ValidationError, *above: str) -> LedgerError:
    """The first fault; a field that is not there is required."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, (*above, *first["loc"])))
    if first["type"] == "missing":
        return Required(f"{place} is required", field=place)
    told = invalid(error)
    if above and isinstance(told, Invalid):
        sentence = first["msg"].removeprefix("Value error, ").rstrip(".")
        return Invalid(f"{place}: {sentence}.", field=place)
    return told
