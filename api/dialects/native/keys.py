"""The native operations on keys: issued, listed, rotated and revoked by keys of the same project that may.

Invariants: each needs the scope keys:manage; a secret is in the answer to its issue or rotation, this once, and that answer is kept by no cache;
nobody hands out a scope that he lacks. Units: days, hours; times are RFC 3339. Errors: Invalid, naming the field; UnknownKey."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from api import faults
from api.dialects.native import view
from api.dialects.native.key_models import (
    ActsOut,
    IssuedOut,
    KeyIn,
    KeyOut,
    KeysOut,
    RevocationIn,
    RotationIn,
)
from api.dialects.native.words import single, whole
from api.faults import invalid
from api.keyring.question import (
    KeyActs,
    KeyList,
    KeysFound,
    NewKey,
    Revocation,
    Rotation,
)
from api.keys import KEY_ID, Rotated, UnknownKey
from api.operation import Asked, Operation, Parameter, Reply, Said, Scope
from ledger import errors, settings
from ledger.errors import Invalid

_Model = TypeVar("_Model", bound=BaseModel)
_NEVER_KEPT: Final = ("Cache-Control", "no-store")


def new(asked: Asked) -> NewKey:
    """POST .../keys"""
    single(asked, ())
    told = _read(KeyIn, asked)
    return NewKey(
        asked.path_params["project"],
        tuple(told.scopes),
        told.name,
        told.expires_in_days,
        told.signature,
        _public(told.public_key),
        told.reason,
    )


def rotation(asked: Asked) -> Rotation:
    """POST .../keys/{key_id}/rotation"""
    single(asked, ())
    told = _read(RotationIn, asked)
    return Rotation(
        asked.path_params["project"],
        _key_id(asked),
        told.overlap_hours,
        told.expires_in_days,
        _public(told.public_key),
        told.reason,
    )


def revocation(asked: Asked) -> Revocation:
    """POST .../keys/{key_id}/revocation"""
    single(asked, ())
    told = _read(RevocationIn, asked)
    return Revocation(asked.path_params["project"], _key_id(asked), told.reason)


def listed(asked: Asked) -> KeyList:
    """GET .../keys"""
    words = single(asked, ("after", "limit"))
    after = words.get("after")
    if after is not None and not KEY_ID.fullmatch(after):
        raise Invalid("after is a key's id: take the whole address from `next`.", field="after")
    return KeyList(asked.path_params["project"], after, _limit(words))


def acts(asked: Asked) -> KeyActs:
    """GET .../key-acts"""
    words = single(asked, ("before", "limit"))
    before = whole(words, "before", settings.COUNT_MAX, 1, settings.COUNT_MAX)
    return KeyActs(asked.path_params["project"], before, _limit(words))


def issued(_: Asked, found: KeysFound) -> Said:
    """A new key."""
    body = {**found.rows[0], "key": found.key, "shared_secret": found.shared_secret}
    return view.said(body, _NEVER_KEPT, status=201)


def ended(_: Asked, found: KeysFound) -> Said:
    """A key that was ended."""
    return view.said(found.rows[0])


def page(asked: Asked, found: KeysFound) -> Said:
    """A page of keys."""
    last = found.rows[-1]["key_id"] if found.rows else None
    return view.said({"keys": found.rows, "next": _next(asked, found, "after", last)})


def account(asked: Asked, found: KeysFound) -> Said:
    """A page of acts."""
    last = found.rows[-1]["nth"] if found.rows else None
    return view.said({"acts": found.rows, "next": _next(asked, found, "before", last)})


def _next(asked: Asked, found: KeysFound, word: str, last: Any) -> str | None:
    limit = _limit(dict(asked.query))
    if len(found.rows) < limit:
        return None
    words = urlencode([(word, str(last)), ("limit", str(limit))])
    return f"{asked.base_url}{asked.path}?{words}"


def _limit(words: dict[str, str]) -> int:
    return whole(words, "limit", settings.FEED_LIMIT_DEFAULT, 1, settings.PAGE_LIMIT_MAX)


def _read(model: type[_Model], asked: Asked) -> _Model:
    try:
        return model.model_validate_json(asked.body or b"{}")
    except ValidationError as error:
        raise invalid(error) from error


def _key_id(asked: Asked) -> str:
    key_id = asked.path_params["key_id"]
    if not KEY_ID.fullmatch(key_id):
        raise UnknownKey("There is no such key in this project.")
    return key_id


def _public(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("public_key: It is 32 bytes in base64.", field="public_key") from error


_PROJECT: Final = Parameter("project", "path", "The tenant; a key belongs to one.", required=True)
_KEY: Final = Parameter("key_id", "path", "The id of a key: what stands behind jl_.", required=True)
_LIMIT: Final = Parameter(
    "limit",
    "query",
    "How many at most.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": settings.PAGE_LIMIT_MAX,
        "default": settings.FEED_LIMIT_DEFAULT,
    },
)
_FAULTS: Final = (
    *(faults.Unauthenticated, faults.Forbidden, faults.NoSuchProject, errors.Invalid),
    *(errors.Busy, faults.Maintenance, faults.Crowded, faults.TooFast),
    *(faults.BadSyntax, faults.TooLarge),
)
_WRITE_FAULTS: Final = (*_FAULTS, faults.TooSlow, faults.UnknownEncoding)

KEYS: tuple[Operation, ...] = (
    Operation(
        id="createKey",
        method="POST",
        path="/v1/projects/{project}/keys",
        summary="Issue a key of this project; its secret is shown this once.",
        scope=Scope.KEYS_MANAGE,
        description="If the answer is lost, list the keys and revoke the one that nobody has.",
        ask=new,
        tell=issued,
        body=KeyIn,
        parameters=(_PROJECT,),
        replies=(Reply(201, "The key.", IssuedOut),),
        faults=(*_WRITE_FAULTS, errors.QuotaReached),
    ),
    Operation(
        id="listKeys",
        method="GET",
        path="/v1/projects/{project}/keys",
        summary="The project's keys by age, those that ended too, without anything secret.",
        scope=Scope.KEYS_MANAGE,
        ask=listed,
        tell=page,
        parameters=(
            _PROJECT,
            Parameter(
                "after", "query", "Where the page begins: take the whole address from `next`."
            ),
            _LIMIT,
        ),
        replies=(Reply(200, "A page of keys.", KeysOut),),
        faults=_FAULTS,
    ),
    Operation(
        id="rotateKey",
        method="POST",
        path="/v1/projects/{project}/keys/{key_id}/rotation",
        summary="Issue a key like this one, which ends after a while: until then both are good.",
        scope=Scope.KEYS_MANAGE,
        ask=rotation,
        tell=issued,
        body=RotationIn,
        parameters=(_PROJECT, _KEY),
        replies=(Reply(201, "The key that takes over.", IssuedOut),),
        faults=(*_WRITE_FAULTS, UnknownKey, Rotated),
    ),
    Operation(
        id="revokeKey",
        method="POST",
        path="/v1/projects/{project}/keys/{key_id}/revocation",
        summary="End a key: every process refuses it within 5 seconds. A second time changes nothing.",
        scope=Scope.KEYS_MANAGE,
        ask=revocation,
        tell=ended,
        body=RevocationIn,
        parameters=(_PROJECT, _KEY),
        replies=(Reply(200, "The key.", KeyOut),),
        faults=(*_WRITE_FAULTS, UnknownKey),
    ),
    Operation(
        id="listKeyActs",
        method="GET",
        path="/v1/projects/{project}/key-acts",
        summary="What was done to the project's keys, by whom and why, the newest first.",
        scope=Scope.KEYS_MANAGE,
        ask=acts,
        tell=account,
        parameters=(
            _PROJECT,
            Parameter(
                "before",
                "query",
                "Where the page begins: take the whole address from `next`.",
                {"type": "integer", "minimum": 1},
            ),
            _LIMIT,
        ),
        replies=(Reply(200, "A page of acts.", ActsOut),),
        faults=_FAULTS,
    ),
)
