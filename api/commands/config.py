"""`jobledger config`: every setting and every limit, and why it is what it is.

Invariants: it shows what ledger/settings.py says, reasons included, and keeps no list of its own; a secret value is never shown.
Errors: Misconfigured."""

from __future__ import annotations

import inspect
import io
import re
import tokenize
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr

from api.commands.options import Json, command_group
from api.commands.output import say_json, say_table
from api.place import operator_settings
from ledger import settings

command = command_group("Show every setting and every limit, and why it is what it is.")

_HEADING = re.compile(r"# -+ (.+?) -+")


@dataclass(frozen=True, slots=True)
class Limit:
    """A constant of ledger/settings.py, under its heading, with its unit and reason in words. `variable` sets another, where one may."""

    topic: str
    name: str
    value: object
    reason: str
    variable: str | None


@command.callback()
def _config() -> None:
    """A group, so that `show` has its name."""


@command.command()
def show(json: Json = False) -> None:
    """Show every setting and every limit, with its reason.

    Settings are yours to change, by LEDGER_* variables. Limits are part of this version, but for those that name their variable;
    their value is the one in force.
    """
    chosen, fixed = chosen_settings(), limits()
    if json:
        say_json({"settings": chosen, "limits": [asdict(limit) for limit in fixed]})
        return
    columns = ("variable", "value", "default", "meaning")
    say_table(columns, ([row[column] for column in columns] for row in chosen))
    say_table(
        ("limit", "value", "set by", "reason"),
        ((one.name, one.value, one.variable or "", one.reason) for one in fixed),
    )


def chosen_settings() -> list[dict[str, Any]]:
    """Every setting with its value, default and meaning. Raises Misconfigured when a variable makes no sense."""
    values = operator_settings()
    prefix = str(values.model_config.get("env_prefix", ""))
    return [
        {
            "variable": f"{prefix}{name.upper()}",
            "value": _shown(getattr(values, name)),
            "default": _shown(field.default),
            "meaning": field.description or "",
        }
        for name, field in type(values).model_fields.items()
    ]


def limits() -> list[Limit]:
    """Every constant of ledger/settings.py with the comment on its line."""
    chosen = operator_settings()
    prefix = str(chosen.model_config.get("env_prefix", ""))
    found: list[Limit] = []
    topic, name = "", None
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(settings)).readline):
        if token.type == tokenize.NAME and token.start[1] == 0 and token.string.isupper():
            name = token.string
        elif token.type == tokenize.COMMENT and (heading := _HEADING.fullmatch(token.string)):
            topic = heading[1]
        elif token.type == tokenize.COMMENT and name is not None:
            reason = token.string.removeprefix("#").strip()
            value = getattr(chosen, name.lower(), getattr(settings, name))
            variable = f"{prefix}{name}" if name.lower() in type(chosen).model_fields else None
            found.append(Limit(topic, name, value, reason, variable))
            name = None
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "(set, not shown)"
    return value if isinstance(value, bool | int | float | None) else str(value)
