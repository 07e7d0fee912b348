"""What topic `dead` holds: each record that could not be read, as an ECS event of kind `pipeline_error`."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Final

import orjson

from vonggac.event import ECS_VERSION, Bad, digest

TOPIC: Final = "dead"


def dead_record(bad: Bad, *, task: str, at: datetime, collector: str = "", unit: str = "") -> bytes:
    """Give the line for topic `dead`; `at` is aware. What was not UTF-8 stands as base64 in `vonggac.sample_base64`.

    The id is made of place, reason and bytes: a record that fails again after a restart is the same dead record.
    """
    own: dict[str, Any] = {"task": task, "place": bad.place, "kept": bad.kept, "unit": unit}
    if collector:
        own["collector"] = collector
    about: dict[str, Any] = {
        "kind": "pipeline_error",
        "module": "vonggac",
        "dataset": "vonggac.dead",
        "id": digest("dead", task, bad.path, bad.place, bad.reason, bad.sample),
    }
    try:
        about["original"] = bad.sample.decode()
    except UnicodeDecodeError:
        own["sample_base64"] = base64.b64encode(bad.sample).decode()
    return orjson.dumps(
        {
            "@timestamp": at.isoformat(),
            "event": about,
            "error": {"message": bad.reason},
            "log": {"file": {"path": bad.path}},
            "message": str(bad),
            "vonggac": own,
            "ecs": {"version": ECS_VERSION},
        }
    )
