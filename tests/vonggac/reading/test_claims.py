"""Which collector an input belongs to."""

from dataclasses import dataclass
from pathlib import Path

from vonggac.ports import Collector, CollectorModule, Head, ReadOptions, Source
from vonggac.reading.claims import claimed
from vonggac.reading.source import plain


@dataclass
class Claims:
    """A collector that is as sure as it is told."""

    sure: int

    def claims(self, head: Head) -> int:
        return self.sure

    def open(self, source: Source, options: ReadOptions) -> Collector:
        raise NotImplementedError


def test_the_surest_claims_and_equals_go_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    source = plain(str(tmp_path / "a.log"))

    def chosen(**sure: int) -> str | None:
        modules: dict[str, CollectorModule] = {name: Claims(one) for name, one in sure.items()}
        return claimed(source, modules)

    assert chosen(a=10, b=90, c=20) == "b"
    assert chosen(b=90, a=90) == "a"
    assert chosen(a=0, b=0) is None
