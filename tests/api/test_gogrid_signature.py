"""GoGrid's md5 signature: what is signed, and how far a clock may be off."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.gogrid.signature import matches, sign

NOW_S = 1_231_008_346
NOW = datetime.fromtimestamp(NOW_S, UTC)
WINDOW_S = 600


def fits(unix_seconds: int, now: datetime = NOW) -> bool:
    return matches("key", "secret", sign("key", "secret", unix_seconds), now, WINDOW_S)


def test_three_strings_without_a_separator() -> None:
    assert sign("key", "secret", NOW_S) == hashlib.md5(b"keysecret1231008346").hexdigest()
    assert sign("clé", "秘", 0) == hashlib.md5("clé秘0".encode()).hexdigest()


@pytest.mark.parametrize("skew_s", [-600, -599, -61, -60, -1, 0, 1, 60, 599, 600])
def test_a_clock_may_be_off_by_the_window(skew_s: int) -> None:
    assert fits(NOW_S + skew_s)


@pytest.mark.parametrize("skew_s", [-86_400, -602, -601, 601, 602, 86_400])
def test_but_not_by_more(skew_s: int) -> None:
    assert not fits(NOW_S + skew_s)


def test_part_of_a_second_changes_nothing() -> None:
    late = NOW.replace(microsecond=999_999)
    assert fits(NOW_S - 600, late)
    assert fits(NOW_S + 600, late)
    # A client that rounds half a second up is a second ahead.
    assert fits(NOW_S + 1, NOW.replace(microsecond=500_000))


@pytest.mark.parametrize("now_s", [5, 1_000_000_000])
def test_seconds_with_more_or_fewer_digits(now_s: int) -> None:
    now = datetime.fromtimestamp(now_s, UTC)
    for skew_s in (-5, -1, 0, 1, 600):
        assert matches("k", "s", sign("k", "s", now_s + skew_s), now, WINDOW_S)


@pytest.mark.parametrize(("skew_s", "tried"), [(0, 1), (1, 2), (-1, 3), (5, 10), (601, 1_201)])
def test_an_honest_clock_costs_a_few_hashes(
    skew_s: int, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red: all 1,201 seconds were tried for a client who signs each request anew."""
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert fits(NOW_S + skew_s) == (skew_s <= WINDOW_S)
    assert len(compared) == tried


def test_no_other_form_of_the_signature_fits() -> None:
    sig = sign("key", "secret", NOW_S)
    assert sig != sig.upper()
    for other in (
        "",
        sig.upper(),
        f"{sig}0",
        sig[:-1],
        f" {sig}",
        f"{sig}\n",
        "é" * 32,
        "0x" + sig[2:],
        "٠" * 32,
    ):
        assert not matches("key", "secret", other, NOW, WINDOW_S)


@given(st.text(max_size=20), st.text(max_size=20), st.integers(-30, 30), st.integers(0, 20))
def test_a_signature_fits_its_own_secret_within_the_window_only(
    api_key: str, secret: str, skew_s: int, window_s: int
) -> None:
    sig = sign(api_key, secret, NOW_S + skew_s)
    assert matches(api_key, secret, sig, NOW, window_s) == (abs(skew_s) <= window_s)
    assert not matches(api_key, f"{secret}x", sig, NOW, window_s)
    assert not matches(f"x{api_key}", secret, sig, NOW, window_s)
