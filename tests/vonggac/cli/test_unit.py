"""`vonggac unit import|list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def test_units_are_imported_and_listed(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("id,name,parent,hosts,networks\nt,Tỉnh,,,10.0.0.0/8\na,Xã A,t,pc1;pc2,\n", "utf-8")
    ran = vonggac("unit", "import", tmp_path / "u.csv")
    assert (ran.status, ran.out, ran.err) == (0, "", "2 units imported\n")
    assert vonggac("unit", "list").rows == [
        {"id": "t", "name": "Tỉnh", "parent": None, "hosts": [], "networks": ["10.0.0.0/8"]},
        {"id": "a", "name": "Xã A", "parent": "t", "hosts": ["pc1", "pc2"], "networks": []},
    ]


def test_a_wrong_file_changes_nothing(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("id,name,parent,hosts,networks\na,A,b,,\n")
    ran = vonggac("unit", "import", tmp_path / "u.csv")
    assert ran.status == 2
    assert "parent 'b' is not in the table" in ran.err
    assert vonggac("unit", "import", tmp_path / "none.csv").status == 2
    assert vonggac("unit", "list").out == ""
