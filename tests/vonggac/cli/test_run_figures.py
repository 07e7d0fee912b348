"""The real service tells of itself: every figure has a type and a meaning, and the beat carries what alerts need."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service import Service, cleared


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "log").mkdir()
    follow = orjson.dumps([str(tmp_path / "log")]).decode()
    made = Service(tmp_path / "data", VONGGAC_FOLLOW__PATHS=follow, VONGGAC_LOG__FLOOR_GB="0.1")
    yield made
    made.close()


def test_every_figure_has_a_type_and_a_meaning(service: Service) -> None:
    service.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<38>Mar  1 08:00:00 web1 app: by UDP", ("127.0.0.1", service.port))
    service.tcp("<38>Mar  1 08:00:00 web1 app: by TCP")
    service.drop("x.json", orjson.dumps(cleared(1)) + b"\n")
    assert service.post([cleared(2), cleared(3)]) == 200
    service.until(lambda: len(service.shown()) == 3)
    service.until(lambda: len(service.stored()) >= 5 + 3)
    families = {}

    def shown() -> bool:
        status, page = service.get("/metrics")
        assert status == 200
        families.update({one.name: one for one in text_string_to_metric_families(page.decode())})
        return {"vonggac_saved", "vonggac_alerts", "vonggac_shown", "vonggac_intake_received"} <= families.keys()

    service.until(shown)
    assert {role.partition("-")[0] for one in families.values() for sample in one.samples
            if (role := sample.labels.get("role"))} == {"collect", "detect", "store", "desk", "supervisor"}  # fmt: skip
    assert [name for name, one in families.items() if one.type not in ("counter", "gauge")] == []
    assert [name for name, one in families.items() if not one.documentation] == []
    assert [sample for sample in families["vonggac_unreadable_figures"].samples if sample.value] == []
    assert service.stop() == 0


def test_the_beat_says_how_the_service_is(service: Service) -> None:
    service.start()
    service.until(lambda: any("own" in line for line in service.logged("health")))
    service.kill("detect-0")
    service.until(lambda: any(line.get("own", {}).get("died") == {"detect-0": 1} for line in service.logged("health")))
    own = service.logged("health")[-1]["own"]
    assert 0 < own["disk"] <= 1
    assert own.keys() <= {"disk", "died", "full", "behind"}
    assert len(orjson.dumps(own)) < 150
    assert service.stop() == 0
