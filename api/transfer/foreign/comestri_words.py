"""A job in Comestri's words, and what its answer says of items and their errors.

Invariants: an item goes by its `_request_data_id`, and a message of the job with that description is its error. Errors: pydantic's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from api.dialects.comestri import moments
from api.dialects.comestri.entry import entity_key
from api.dialects.comestri.models import Fraction, Result, Status
from api.transfer.foreign.retelling import Told
from ledger import settings
from ledger.errors import Invalid
from ledger.events import Count, Json, Text, Word

_NAMES = {"id", "errors", "_request_data_id"}


def _moment(said: Any) -> Any:
    if not isinstance(said, str):
        return said
    try:
        return moments.parse("The time", said)
    except Invalid as error:
        raise ValueError(str(error)) from error


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Detail(Told):
    """What became of an item."""

    errors: list[Text] = Field(default_factory=list)
    id: Any = None
    request_data_id: Annotated[Any, Field(alias="_request_data_id")] = None


class ToldJob(Told):
    """A job. `processing_details` is None in an index, which does not tell them."""

    id: Annotated[int, Field(ge=1, le=settings.COUNT_MAX)]
    request_id: Word | None = None
    entity: Word
    status: Status
    percent_completed: Fraction
    operation: Word | None = None
    created_at: Moment
    updated_at: Moment
    created_by: Word
    error_count: Count
    result: Result | None = None
    processing_details: list[dict[str, Any]] | None = None


def messages(told: ToldJob) -> Iterator[tuple[str, str | None]]:
    """The errors of all items, each with the name of its item, where it is an item's."""
    done: set[str] = set()
    for one in _details(told):
        name = None if one.request_data_id is None else str(one.request_data_id)
        if name is None or name not in done:
            yield from ((error, name) for error in one.errors)
        if name is not None:
            done.add(name)


def items(told: ToldJob) -> Iterator[dict[str, Json]]:
    """The items that the answer tells. An error without an item is none."""
    for said, one in zip(told.processing_details or (), _details(told), strict=True):
        shown = said.get(entity_key(told.entity))
        if shows_objects(told) and isinstance(shown, Mapping):
            yield dict(shown)
        elif one.id is not None or one.request_data_id is not None or not one.errors:
            named = {"id": one.id, "_request_data_id": one.request_data_id}
            yield {name: value for name, value in named.items() if value is not None}


def shows_objects(told: ToldJob) -> bool:
    """Whether the answer shows the items themselves."""
    key = entity_key(told.entity)
    return key not in _NAMES and any(
        isinstance(said.get(key), Mapping) for said in told.processing_details or ()
    )


def _details(told: ToldJob) -> list[Detail]:
    return [Detail.model_validate(said) for said in told.processing_details or ()]
