"""What a role tells others through a mapped file, whole or not at all, whoever is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vonggac.pipeline.pages import SIZE, Look, Page, State, look, page_of, pages


def test_what_a_role_writes_is_read_by_others(tmp_path: Path) -> None:
    page = Page.create(page_of(tmp_path, "store-0"))
    page.set_state(State.READY)
    page.work("events/collect-0.1234/3 900")
    page.publish({"saved_total": 3}, {"console": "http://127.0.0.1:8480"})
    seen = Page(page_of(tmp_path, "store-0"))
    assert seen.state is State.READY
    assert seen.pid == os.getpid()
    assert seen.in_hand() == "events/collect-0.1234/3 900"
    assert seen.shown() == ({"saved_total": 3}, {"console": "http://127.0.0.1:8480"})
    assert 0 <= seen.age_s < 60


def test_a_page_that_nobody_wrote_to_is_empty(tmp_path: Path) -> None:
    page = Page.create(page_of(tmp_path, "store-0"))
    assert (page.state, page.in_hand(), page.shown()) == (State.STARTING, "", ({}, {}))


def test_figures_beyond_the_page_are_left_out_and_counted(tmp_path: Path) -> None:
    page = Page.create(page_of(tmp_path, "collect-0"))
    page.publish({f'events_total{{source="{number:0300}"}}': number for number in range(1_000)})
    figures, _ = page.shown()
    assert figures["figures_left_out"] == 1_000 - (len(figures) - 1) > 0
    assert len(figures) > 100


def test_a_writer_that_died_in_the_midst_stops_no_reader(tmp_path: Path) -> None:
    page = Page.create(page_of(tmp_path, "collect-0"))
    page.publish({"a": 1})
    page._put(4096, page._get(4096) | 1)  # as it stands while it is written
    assert Page(page_of(tmp_path, "collect-0")).shown() in (({"a": 1}, {}), ({}, {}))
    page.publish({"a": 2})
    assert page.shown()[0] == {"a": 2}


def test_a_page_made_anew_leaves_the_old_one_to_those_who_look_at_it(tmp_path: Path) -> None:
    old = Page.create(page_of(tmp_path, "detect-0"))
    old.work("here")
    new = Page.create(page_of(tmp_path, "detect-0"))
    assert (old.in_hand(), new.in_hand()) == ("here", "")


def test_what_is_no_page_is_refused(tmp_path: Path) -> None:
    path = page_of(tmp_path, "x-0")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"?" * SIZE)
    with pytest.raises(ValueError, match="not a page"):
        Page(path)
    assert pages(tmp_path) == {}


def test_the_heartbeat_is_that_of_every_process(tmp_path: Path) -> None:
    path = page_of(tmp_path, "collect-0")
    script = "import sys, pathlib; from vonggac.pipeline.pages import Page; Page.create(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, path], check=True, cwd=Path(__file__).parents[3])
    assert 0 <= Page(path).age_s < 60


def test_a_heartbeat_is_never_seen_half_written(tmp_path: Path) -> None:
    path = page_of(tmp_path, "collect-0")
    script = (
        "import sys, pathlib; from vonggac.pipeline.pages import Page; page = Page.create(pathlib.Path(sys.argv[1]))\n"
        "print(flush=True)\nwhile not sys.stdin.closed: page.beat()"
    )
    command = [sys.executable, "-c", script, str(path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            page = Page(path)
            seen = [page.age_s for _ in range(300_000)]  # written by struct.pack_into, one in twenty was the uptime
        finally:
            writer.kill()
    assert [age for age in seen if age > 60] == []


def test_all_pages_at_one_look(tmp_path: Path) -> None:
    page = Page.create(page_of(tmp_path, "store-0"))
    page.publish({"saved_total": 3}, {"console": "x"})
    (found,) = look(tmp_path).values()
    assert found == Look(os.getpid(), State.STARTING, found.age_s, {"saved_total": 3}, {"console": "x"})
    assert look(tmp_path / "nowhere") == {}
