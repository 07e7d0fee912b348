"""The store's port stands by itself, and the embedded store is one."""

from pathlib import Path

from connectors.embedded_store import EmbeddedStore
from vonggac.storeport import EventStore, Page, Stopped, TooMuch, TooSlow


def test_the_embedded_store_is_an_event_store(tmp_path: Path) -> None:
    store: EventStore = EmbeddedStore(tmp_path)
    assert store.taken() == {}


def test_a_page_without_more_is_the_last() -> None:
    assert Page(()).next is None


def test_what_ends_a_search_has_three_names() -> None:
    assert len({Stopped, TooMuch, TooSlow}) == 3
