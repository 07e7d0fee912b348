"""The store's benchmark counts what it saved."""

from pathlib import Path

import orjson
import pytest

from connectors._benchstore import bench_store


def test_figures_of_a_small_run(tmp_path: Path) -> None:
    records = [orjson.dumps({"event": {"id": f"e{n}"}, "message": "x" * 100}) for n in range(30)]
    speed = bench_store(tmp_path, [*records, b"no event"], events=100, batch=10, flush=2_000)
    assert (speed.events, 100 < speed.bytes_an_event < 200) == (100, True)
    assert speed.save_p99_ms >= speed.save_ms > 0
    assert min(speed.saved_a_second, speed.cpu_us_an_event, speed.stored_an_event, speed.rss_mb) > 0
    assert 0 < speed.merged_an_event < speed.stored_an_event, "many small files take more room than a large one"


def test_without_records_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no records"):
        bench_store(tmp_path, [], events=1)
