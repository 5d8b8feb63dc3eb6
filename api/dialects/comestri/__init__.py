"""Comestri's API 2.0: jobs listed, shown and asked for at its paths, for clients of CommerceConnect.

Invariants: a job's id is its number in the ledger; every path under the prefix is answered in Comestri's words."""

from __future__ import annotations

from api.dialects.comestri.credential import CHALLENGE, credential
from api.dialects.comestri.fault import fault
from api.dialects.comestri.operations import operations
from api.dialects.comestri.style import Style, zone
from api.dialects.dialect import Dialect
from ledger.settings import ComestriResult


def comestri(utc_offset: str, canceled_result: ComestriResult) -> Dialect:
    """The dialect, with times in this offset and this result of a canceled job."""
    return Dialect(
        name="comestri",
        title="Comestri API",
        prefixes=("/api/v2/",),
        operations=operations(Style(zone(utc_offset), canceled_result)),
        credential=credential,
        fault=fault,
        challenge=CHALLENGE,
        security={
            "basic": {
                "type": "http",
                "scheme": "basic",
                "description": "client_id:secret, where the secret is an API key.",
            }
        },
        description=(
            "Comestri's (CommerceConnect's) API 2.0 as far as it is about jobs. Credentials: Basic client_id:secret, where the secret is an API"
            " key; Token token=KEY,email=...; or Bearer KEY. Parameters that it does not have are left alone."
        ),
    )
