"""Words: the parameters of an Orange request, read one by one.

Invariants: values are held to the document's grammar, and an empty one is none of them; an unknown parameter is left alone.
Errors: Invalid, naming the parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from api.operation import Asked
from ledger.errors import Invalid
from ledger.job import Phase
from projections.filters import FILTERS, Condition, Sort, Value

INT32_MAX: Final = 2**31 - 1
# The document's own: a minus is taken before the first field only.
SORT_PATTERN: Final = "-?[A-Za-z0-9]+(?:,[A-Za-z0-9]+)*"
SORT_LENGTH_MAX: Final = 100  # characters

# Fields of a job as Orange has it -> what the ledger sorts by.
SORTABLE: Final[Mapping[str, str]] = MappingProxyType(
    {"createdDate": "created", "state": "phase", "requesterId": "owner", "id": "id"}
)

_WHOLE = re.compile(r"[0-9]{1,10}")
_SORT = re.compile(SORT_PATTERN)


def one(asked: Asked, name: str) -> str | None:
    """The value of a parameter that has one."""
    found = [word for key, word in asked.query if key == name]
    if len(found) > 1:
        raise Invalid(f"{name} may be given once.", field=name)
    return found[0] if found else None


def whole(asked: Asked, name: str, default: int, least: int, most: int) -> int:
    """The value of a parameter that is a whole number."""
    word = one(asked, name)
    if word is None:
        return default
    if not _WHOLE.fullmatch(word) or not least <= int(word) <= most:
        raise Invalid(f"{name} is a whole number from {least} to {most}.", field=name)
    return int(word)


def states(asked: Asked) -> tuple[Phase, ...]:
    """The states asked for, each once: the parameter may be repeated, and may hold several with commas between them."""
    words = [word for key, given in asked.query if key == "state" for word in given.split(",")]
    try:
        return tuple(dict.fromkeys(Phase(word) for word in words))
    except ValueError:
        raise Invalid(f"state is one of {', '.join(Phase)}.", field="state") from None


def sort(asked: Asked) -> tuple[Sort, ...]:
    """The order asked for; newest first when none is."""
    word = one(asked, "sort")
    if word is None:
        return (Sort("created", descending=True),)
    if len(word) > SORT_LENGTH_MAX or not _SORT.fullmatch(word):
        raise Invalid(
            f"sort is at most {SORT_LENGTH_MAX} characters of the form {SORT_PATTERN}: names of fields with commas between them, and a minus"
            " in front of the first for descending.",
            field="sort",
        )
    fields = word.removeprefix("-").split(",")
    if unknown := [field for field in fields if field not in SORTABLE]:
        raise Invalid(
            f"sort knows {', '.join(SORTABLE)}, and not {', '.join(unknown)}.", field="sort"
        )
    return tuple(
        Sort(SORTABLE[field], descending=word.startswith("-") and nth == 0)
        for nth, field in enumerate(fields)
    )


def condition(name: str, filter_name: str, *words: str) -> Condition:
    """What a parameter asks of a job."""
    row = FILTERS[filter_name]
    values: list[Value] = []
    for word in words:
        try:
            values.append(row.parse(word))
        except ValueError as error:
            raise Invalid(f"{name}: {error}", field=name) from error
    if len(values) > 1 and not row.many:
        raise Invalid(f"{name} may be given once.", field=name)
    return Condition(row, tuple(values))
