"""The credential of a Comestri request, in each scheme that its clients speak."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.dialect import ApiKey
from tests.fix_comestri import SYDNEY, asked


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Token token=KEY,email=test@fusionfactory.com", "KEY"),
        ('Token token="KEY", email="test@fusionfactory.com"', "KEY"),
        ("Token email=test@fusionfactory.com,token=KEY", "KEY"),
        ("Token email=test@fusionfactory.com; token=KEY", "KEY"),
        ("token token=KEY", "KEY"),
        ("Token KEY", "KEY"),
        ("Bearer KEY", "KEY"),
        ("bearer  KEY ", "KEY"),
        (basic("client:KEY"), "KEY"),
        (basic(":KEY"), "KEY"),
        (basic("a:KEY:more"), "KEY:more"),
        (basic("Å:KEY"), "KEY"),
        ("", None),
        ("Token", None),
        ("Token email=a", None),
        ("Token token=", None),
        ("Token mytoken=KEY", None),
        ("Basic", None),
        ("Basic !!!", None),
        ("Basic /w==", None),
        (basic("client"), None),
        (basic("client:"), None),
        ("Digest username=KEY", None),
        ("KEY", None),
    ],
)
def test_credentials(header: str, key: str | None) -> None:
    found = SYDNEY.credential(asked(headers={"authorization": header}))
    assert found == (None if key is None else ApiKey(key))


@given(st.text(st.characters(max_codepoint=255), max_size=60), st.sampled_from(["", "Token ", "Basic ", "Bearer "]))  # fmt: skip
def test_a_credential_never_raises(text: str, scheme: str) -> None:
    SYDNEY.credential(asked(headers={"authorization": scheme + text}))
