"""The shelf: file names are registrations."""

import pytest

from vonggac import shelf


def test_names_are_sorted_and_private_files_are_none() -> None:
    names = shelf.names("collectors")
    assert list(names) == sorted(names)
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize("name", ["collectors.syslog", "../syslog", "_packet", ""])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no collector named"):
        shelf.collector(name)
