"""What a scan hands over arrives whole and once, whatever is killed when."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from vonggac.event import Event
from vonggac.intake import spool
from vonggac.intake.spool import FOLDER, Spool, write
from vonggac.intaketesting import Committed, drained, running
from vonggac.testing import make_event


def lines(count: int) -> list[bytes]:
    return [make_event(n=number, text="x" * 900).to_json() for number in range(count)]


def emptied(inbox: Path, log: Committed) -> Callable[[], bool]:
    return lambda: not list((inbox / FOLDER).iterdir()) and not log.marks


def opened(inbox: Path) -> Spool:
    intake = Spool(inbox)
    intake.open()
    return intake


def test_the_events_come_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_FILE", 100_000)
    events = lines(500)
    assert write(tmp_path, events) == 500
    assert len(list((tmp_path / FOLDER).glob("*.ndjson.zst"))) in (5, 6), "files of a bounded size"
    log = Committed()
    drained(opened(tmp_path), log, emptied(tmp_path, log))
    assert [event["event"]["id"] for event in log.events()] == [Event.from_json(one).id for one in events]
    assert log.dead() == []


def test_an_interrupted_scan_hands_over_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[bytes]:
        yield from lines(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, interrupted())
    assert list((tmp_path / FOLDER).iterdir()) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_kill_neither_loses_nor_doubles(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_FILE", 40_000)
    monkeypatch.setattr(spool, "_DELIVERY", 9_000)
    monkeypatch.setattr(spool, "_PAUSE", 0.01)
    events = lines(120)
    write(tmp_path, events)
    log = Committed()
    done = emptied(tmp_path, log)
    for turn in range(200):
        if done():
            break
        with running(opened(tmp_path), log.marks) as inlet:
            for _ in range(1 + (seed + turn) % 4):
                log.commit(inlet, inlet.take(0.1, 1 + (seed * turn) % 2 * 20_000))
    assert log.ids() == {Event.from_json(one).id: 1 for one in events}
    assert done()


def test_a_damaged_file_is_read_as_far_as_it_goes_and_set_apart(tmp_path: Path) -> None:
    good = b"\n".join(lines(30))
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "b.ndjson.zst").write_bytes(zstandard.compress(good + b"\n[]\n{}\n\xff\n"))
    (folder / "a.ndjson.zst").write_bytes(zstandard.compress(good)[:-4])
    (folder / "c.ndjson.zst").write_bytes(b"no zstd at all")
    log = Committed()
    drained(opened(tmp_path), log, lambda: len(list(folder.glob("*.unusable"))) == 1 and not log.marks)
    assert {path.name for path in folder.iterdir()} == {"a.ndjson.zst.unusable"}
    assert len(log.dead()) == 5
    assert set(log.ids()) <= {Event.from_json(one).id for one in good.split(b"\n")}
    drained(opened(tmp_path), log, lambda: True)
    assert len(log.dead()) == 5
