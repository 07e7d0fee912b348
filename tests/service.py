"""The real service for tests: started as people start it, loaded, killed role by role, and counted afterwards."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.embedded_log import EmbeddedLog
from connectors.embedded_store import EmbeddedStore
from vonggac.pipeline.pages import State, pages
from vonggac.query import Query, Sort

ROOT: Final = Path(__file__).parents[1]
TOKEN: Final = "a-token-of-the-tests"  # noqa: S105  of the tests
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
PATIENCE_S: Final = 90.0


class Service:
    """`vonggac run` over a state folder of its own, every listener on a free port of the loopback interface."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.said = data.with_name(f"{data.name}.err")
        self.port, self.http = free_ports(2)
        self.environ = {
            "VONGGAC_DATA": str(data),
            "VONGGAC_LANG": "en",
            "VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0",
            "VONGGAC_SYSLOG__LISTEN": f"127.0.0.1:{self.port}",
            "VONGGAC_INTAKE__LISTEN": f"127.0.0.1:{self.http}",
            "VONGGAC_INTAKE__TOKEN": TOKEN,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, Any] = {}

    def start(self, *options: str) -> None:
        """Start it and wait for the line that says it is ready."""
        self.begin(*options)
        self.ready()

    def ready(self) -> None:
        """Wait for the line that says it is ready."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.err[-2000:]
        self.told = orjson.loads(line)

    def begin(self, *options: str, prefix: Sequence[str] = ()) -> None:
        """Start it, by another program if there is a prefix, and do not wait."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VONGGAC_")}
        with self.said.open("ab") as err:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-P", "-m", "vonggac", "run", *(options or ("--alerts", "jsonl"))],
                env={**clean, **self.environ},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=err,
            )

    @property
    def err(self) -> str:
        """What it and its roles said."""
        return self.said.read_text("utf-8", "replace")

    def shown(self) -> list[dict[str, Any]]:
        """The alerts of the terminal on what came in."""
        return [one for one in self._shown() if not of_itself(one)]

    def ill(self) -> list[str]:
        """The rules of the terminal's alerts on the service itself and its sources."""
        return [one["rule"]["id"] for one in self._shown() if of_itself(one)]

    def _shown(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.err.splitlines() if line.startswith('{"@timestamp"')]

    def pids(self) -> dict[str, int]:
        """The processes that are ready, by instance."""
        return {name: page.pid for name, page in pages(self.data).items() if page.state is State.READY}

    def kill(self, role: str) -> None:
        """Kill a role as the kernel does, without a word; the supervisor: with all that it started."""
        pid = self.process.pid if role == "supervisor-0" and self.process else self.pids().get(role)
        if pid is not None and (role == "supervisor-0" or _parent(pid) == (self.process and self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        if role == "supervisor-0":
            self.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.wait()

    # ------------------------------------------------------------------ in and out

    def tcp(self, *lines: str) -> None:
        """Send syslog lines."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())

    def drop(self, name: str, content: bytes) -> None:
        """Put a file into the inbox, as `mv` does."""
        path = self.data / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.tmp")
        new.write_bytes(content)
        new.replace(path)

    def post(self, docs: list[dict[str, Any]], path: str = "/") -> int:
        """Post NDJSON; the status, 0 when there was no answer, -1 when nobody listened."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            body = b"".join(orjson.dumps(doc) + b"\n" for doc in docs)
            connection.request("POST", path, body, {"Authorization": f"Bearer {TOKEN}"})
            return connection.getresponse().status
        except ConnectionRefusedError:
            return -1
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask the console's address."""
        host, _, port = self.told["console"].removeprefix("http://").rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def logged(self, topic: str) -> list[dict[str, Any]]:
        """Everything in a topic of the log."""
        log = EmbeddedLog(self.data / "log")
        return [orjson.loads(line) for one in log.tail((topic,), LONG_AGO, wait_s=0) for line in one.records]

    def stored(self) -> list[dict[str, Any]]:
        """Everything in the store."""
        store = EmbeddedStore(self.data / "store")
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            query = Query(sort=Sort.OLDEST, size=10_000, after=after)
            page = store.search(query, frozenset({"", "default", "so-yte"}), 60, _Never())
            assert not page.missing
            found += map(orjson.loads, page.rows)
            after = page.next
            if after is None:
                return found

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, patiently."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, self.err[-3000:]
            assert self.process is None or self.process.poll() is None, self.err[-3000:]
            time.sleep(0.05)


class Load:
    """Posts documents and drops files until told to stop; knows what was acknowledged."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.sure: set[int] = set()  # acknowledged, or in a file: exactly once
        self.asked: set[int] = set()  # posted, no answer: once or not at all, the whole post alike
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._post), threading.Thread(target=self._drop)]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def _post(self) -> None:
        number = 1_000_000
        while not self.stop.wait(0.002):
            numbers = range(number, number + 20)
            number += 20
            status = self.service.post([cleared(one) for one in numbers])
            if status >= 0:
                (self.sure if status == 200 else self.asked).update(numbers)

    def _drop(self) -> None:
        number = 0
        while not self.stop.wait(0.15):
            numbers = range(number, number + 250)
            number += 250
            lines = b"".join(orjson.dumps(cleared(one)) + b"\n" for one in numbers)
            self.service.drop(f"so-yte/{number}.json", lines)
            self.sure.update(numbers)


def number(doc: dict[str, Any]) -> int:
    """Give the number of a `cleared` document, or of its alert."""
    return int(doc["message"].removeprefix("n"))


def hold(service: Service, load: Load) -> None:
    """Nothing acknowledged lost, nothing doubled: in the log, in its alerts, in the store, events and alerts."""

    def complete() -> bool:
        stored = service.stored()
        return (
            load.sure <= counted(stored, "alert", number).keys()
            and load.sure <= counted(stored, "event", number).keys()
        )

    service.until(complete)
    assert service.stop() == 0
    stored = service.stored()
    everything: list[Counter[int]] = [
        counted(service.logged("events"), "event", number),
        counted(service.logged("alerts"), "alert", number),
        counted(stored, "event", number),
        counted(stored, "alert", number),
    ]
    for found in everything:
        assert load.sure <= found.keys()
        assert found.keys() <= load.sure | load.asked
        assert set(found.values()) == {1}
    assert len({frozenset(found) for found in everything}) == 1, "what is in the log is in the store, and alerted on"
    shown = {number(alert) for alert in service.shown()}
    assert load.sure <= shown, "the terminal may repeat, never omit"


class _Never:
    def is_set(self) -> bool:
        return False


def counted(docs: list[dict[str, Any]], kind: str, key: Callable[[dict[str, Any]], Any]) -> Counter[Any]:
    """Count documents of a kind (`event`, `alert`, `pipeline_error`) by a key; none that is of the service itself."""
    return Counter(key(doc) for doc in docs if doc["event"]["kind"] == kind and not of_itself(doc))


def of_itself(doc: dict[str, Any]) -> bool:
    """Say whether an alert is of source health, or of the service's own."""
    return bool(doc["event"].get("dataset") == "vonggac.health")


def free_ports(count: int) -> list[int]:
    """Find ports that nobody has, for TCP."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def cleared(number: int, **fields: Any) -> dict[str, Any]:
    """Give a document on which a packaged rule fires: a Windows event log that was cleared."""
    return {
        "@timestamp": "2026-03-01T01:02:03.000Z",
        "winlog": {
            "channel": "Security",
            "computer_name": "dc1.example",
            "event_id": "1102",
            "provider_name": "Microsoft-Windows-Eventlog",
            "record_id": number,
            "user_data": {"SubjectUserName": f"user{number}"},
        },
        "event": {"code": "1102", "provider": "Microsoft-Windows-Eventlog"},
        "host": {"name": "dc1.example"},
        "message": f"n{number}",
        **fields,
    }


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0
