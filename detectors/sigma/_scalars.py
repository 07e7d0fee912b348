"""Numbers, parts of times and addresses, read exactly from what an event holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final


def number_of(value: Any) -> int | Decimal | None:
    """Give a value as an exact number, never a float: 2**53 + 1 differs from 2**53. None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return value
    text = repr(value) if isinstance(value, float) else value
    if isinstance(text, str) and len(text) <= 80 and _NUMBER.fullmatch(text):
        return Decimal(text)
    return None


def _time_part(name: str) -> Callable[[Any], int | None]:
    """Read one part of a time as it is written, whatever its zone (D8): `2026-03-01T08:30:00Z` has hour 8."""

    def read(value: Any) -> int | None:
        found = _TIME.match(value) if isinstance(value, str) else None
        if found is None or found[name if name != "week" else "day"] is None:
            return None
        if name != "week":
            return int(found[name])
        try:
            return date(int(found["year"]), int(found["month"]), int(found["day"])).isocalendar().week
        except ValueError:  # the 30th of February
            return None

    return read


def address_in(value: Any, network: IPv4Network | IPv6Network) -> bool:
    """Say whether a text is an address in the network; `::ffff:10.0.0.1` is in 10.0.0.0/8, a zone is cut (D9)."""
    if not isinstance(value, str) or len(value) > 80:
        return False
    try:
        address = ip_address(value.partition("%")[0])
    except ValueError:
        return False
    if address in network:
        return True
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped is not None and mapped in network


_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,38}(?:\.[0-9]{1,38})?")
_TIME: Final = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}))?"
)
PARTS: Final[dict[str, Callable[[Any], int | None]]] = {
    name: _time_part(name) for name in ("minute", "hour", "day", "week", "month", "year")
}
