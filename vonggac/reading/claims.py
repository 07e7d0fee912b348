"""Which collector an input belongs to: the one that is surest of it."""

from __future__ import annotations

from collections.abc import Mapping

from vonggac.ports import CollectorModule, Source


def claimed(source: Source, collectors: Mapping[str, CollectorModule]) -> str | None:
    """Name the collector that is surest of the input; None = nobody's. Equal claims go by name."""
    least, name = min((-module.claims(source.head), name) for name, module in collectors.items())
    return name if least else None
