"""Takes one packet apart with scapy: `python -I -m collectors._packet_worker LINKTYPE`, bytes in, JSON out.

A program of its own, never imported by the rest: scapy is GPL-2.0-only. It is started without rights and with limits.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

_LAYERS: Final = 64
_FIELDS: Final = 256
_TEXT: Final = 4096  # characters of a value


def dissect(link: int, data: bytes) -> dict[str, Any]:
    """Give `link_name`, `summary` and `layers` of a packet; a link type that scapy does not know is one raw layer."""
    from scapy.config import conf
    from scapy.layers import all as _all  # noqa: F401  the layers register themselves
    from scapy.packet import NoPayload, Raw

    kind = conf.l2types.num2layer.get(link)
    told: dict[str, Any] = {"link_name": kind.__name__ if kind else None}
    try:
        layer = (kind or Raw)(data)
        told["summary"] = str(layer.summary())[:_TEXT]
    except Exception as error:  # noqa: BLE001  scapy raises anything on bytes cut short or made to hurt
        layer = Raw(data)
        told["summary"] = f"{told['link_name']}: {type(error).__name__}: {error}"[:_TEXT]
    layers: list[dict[str, Any]] = []
    while layer is not None and not isinstance(layer, NoPayload) and len(layers) < _LAYERS:
        layers.append({"name": str(layer.name), "length": len(layer.original), "fields": _fields(layer)})
        layer = layer.payload
    return {**told, "layers": layers}


def _fields(layer: Any) -> dict[str, str]:
    """Give the fields as scapy writes them for people; one that it cannot write says so."""
    found: dict[str, str] = {}
    for field in layer.fields_desc[:_FIELDS]:
        try:
            value = layer.getfieldval(field.name)
            if value is not None:
                found[field.name] = str(field.i2repr(layer, value))[:_TEXT]
        except Exception as error:  # noqa: BLE001  as above
            found[field.name] = f"({type(error).__name__})"
    return found


def main() -> None:
    """Read the bytes, write the JSON."""
    told = dissect(int(sys.argv[1]), sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
