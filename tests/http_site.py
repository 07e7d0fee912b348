"""What tests of the HTTP intake share: one on a real socket, a stand-in for the collect task, bodies to send."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import orjson

from vonggac.intake.http import HttpIntake
from vonggac.intake.inlet import Inlet
from vonggac.intaketesting import DEADLINE, Committed, running

TOKEN = "a-token-of-the-tests"  # noqa: S105  that is what it is
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Site:
    """A running intake, what was committed of it, and a client."""

    def __init__(self, intake: HttpIntake, inlet: Inlet) -> None:
        self.intake, self.inlet, self.log = intake, inlet, Committed()
        self.address = intake.address

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = BEARER
    ) -> tuple[int, Any, Mapping[str, str]]:
        with closing(HTTPConnection(*self.address, timeout=DEADLINE)) as client:
            client.request(method, path, body, dict(headers))
            answer = client.getresponse()
            text = answer.read()
            return answer.status, orjson.loads(text) if text else None, dict(answer.headers)

    def post(self, *lines: str | Mapping[str, Any], path: str = "/_bulk") -> Any:
        """Send lines, objects as JSON; gives the answer's body."""
        made = [line.encode() if isinstance(line, str) else orjson.dumps(line) for line in lines]
        return self.ask("POST", path, b"\n".join(made) + b"\n")[1]

    def figure(self, name: str) -> float:
        return self.intake.figures()[name]


@contextmanager
def site(*, committing: bool = True, **more: Any) -> Iterator[Site]:
    intake = HttpIntake("127.0.0.1", 0, TOKEN, **more)
    intake.open()
    over = threading.Event()
    with running(intake, {}) as inlet:
        made = Site(intake, inlet)

        def commit() -> None:
            while not over.is_set():
                made.log.commit(inlet, inlet.take(0.02, 1 << 20))

        thread = threading.Thread(target=commit)
        if committing:
            thread.start()
        try:
            yield made
        finally:
            over.set()
            if committing:
                thread.join(DEADLINE)


def windows(record: int, **more: Any) -> dict[str, Any]:
    """Give a document as Winlogbeat 8 sends it."""
    return {
        "@timestamp": "2026-03-01T01:02:03.004Z",
        "winlog": {
            "channel": "Security",
            "computer_name": "pc1.example",
            "provider_name": "Microsoft-Windows-Security-Auditing",
            "record_id": record,
            "event_id": "4624",
            "event_data": {"TargetUserName": "lan", "LogonType": "3"},
        },
        "event": {"code": "4624", "kind": "event", "provider": "Microsoft-Windows-Security-Auditing"},
        "host": {"name": "pc1.example"},
        "agent": {"type": "winlogbeat", "version": "8.19.0"},
        **more,
    }


ALERT = {
    "timestamp": "2026-03-01T01:02:03.000004+0000",
    "event_type": "alert",
    "flow_id": 7,
    "src_ip": "192.0.2.1",
    "dest_ip": "198.51.100.2",
    "alert": {"signature": "test", "signature_id": 1},
}
CREATE = '{"create":{"_index":"winlogbeat-8.19.0"}}'
