"""Numbers without floats, parts of times, addresses."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest

from detectors.sigma._scalars import PARTS, address_in, number_of


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", Decimal(5)),
        ("+5.50", Decimal("5.50")),
        (0.1, Decimal("0.1")),
        (1e300, None),
        ("9007199254740993", Decimal(9007199254740993)),
        (" 5", None),
        ("0x5", None),
        ("٥", None),
        ("1e5", None),
        ("9" * 100, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_numbers(value: Any, number: Any) -> None:
    assert number_of(value) == number


def test_parts() -> None:
    assert {name: read("2026-03-01T08:30:59Z") for name, read in PARTS.items()} == {
        "minute": 30,
        "hour": 8,
        "day": 1,
        "week": 9,
        "month": 3,
        "year": 2026,
    }
    assert {read("0000-00-00") for name, read in PARTS.items() if name == "week"} == {None}


def test_addresses() -> None:
    assert address_in("::ffff:192.0.2.1", ip_network("192.0.2.0/24"))
    assert address_in("fe80::1%3", ip_network("fe80::/64"))
    assert not address_in("::ffff:192.0.2.1", ip_network("198.51.100.0/24"))
    assert not address_in("1" * 1000, ip_network("0.0.0.0/0"))
