"""HTTP intake on real sockets, with a stand-in for the collect task: taken is what was committed, and nothing else."""

import base64
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vonggac import shelf
from vonggac.event import Bad, Event, digest, windows_id
from vonggac.intake._documents import MOST, documents_of
from vonggac.intake._sorting import Sorter
from vonggac.intake.http import HttpIntake
from vonggac.intake.inlet import Delivery, Inlet
from vonggac.intaketesting import DEADLINE, Committed, running
from vonggac.ports import ReadOptions
from vonggac.serving.http import Limits
from vonggac.testing import NOW

TOKEN = "a-token-of-the-tests"  # noqa: S105  that is what it is
SORTER = Sorter({name: shelf.collector(name) for name in shelf.names("collectors")}, ReadOptions())
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


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


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


# ------------------------------------------------------------------------ bodies


def test_a_bulk_body_as_winlogbeat_sends_it() -> None:
    with site() as there:
        answer = there.post(CREATE, windows(1), CREATE, windows(2))
        assert answer["errors"] is False
        made = {"_index": "winlogbeat-8.19.0", "result": "created", "status": 201}
        assert answer["items"] == [{"create": made}] * 2
        first, second = there.log.events()
        assert first["vonggac"] == {"collector": "winlogbeat", "unit": "default"}
        assert first["user"]["name"] == "lan"
        assert first["log"]["file"] == {"path": "http 127.0.0.1"}
        assert "offset" not in first["log"], "a place in a body is nobody's"
        millis = 1_772_326_923_004
        provider = "Microsoft-Windows-Security-Auditing"
        assert [first["event"]["id"], second["event"]["id"]] == [
            windows_id("pc1.example", "Security", provider, record, millis) for record in (1, 2)
        ]
        assert there.figure("events_total") == 2


def test_a_document_that_is_no_json_is_refused_alone_and_kept_among_the_dead() -> None:
    with site() as there:
        answer = there.post(CREATE, '{"winlog": {', CREATE, windows(1), CREATE, "[1]", CREATE, {"a": 1})
        assert answer["errors"] is True
        assert [item["create"]["status"] for item in answer["items"]] == [400, 201, 400, 201]
        assert answer["items"][2]["create"]["error"]["reason"] == "no JSON object"
        assert len(there.log.events()) == 2
        assert [line.partition(":")[2].partition(":")[0] for line in there.log.dead()] == [" line 2", " line 6"]
        assert there.figure("refused_documents_total") == 2


def test_forms_may_be_mixed_in_one_body() -> None:
    with site() as there:
        sent = [windows(1), ALERT, {"other": 1}, windows(2), {**ALERT, "flow_id": 8}]
        there.post(*sent, path="/ingest")
        told = [(event["vonggac"]["collector"], event["event"]["dataset"]) for event in there.log.events()]
        assert sorted(told) == [
            ("json", "json.generic"),
            ("suricata", "suricata.alert"),
            ("suricata", "suricata.alert"),
            ("winlogbeat", "windows.security"),
            ("winlogbeat", "windows.security"),
        ]
        flows = [event["suricata"]["eve"]["flow_id"] for event in there.log.events() if "suricata" in event]
        assert flows == [7, 8], "the order stays inside a kind"


def test_an_object_that_only_looks_like_a_kind_is_taken_as_what_it_is() -> None:
    """Its keys are those of a Windows event before it; what that collector does not take is generic JSON."""
    real = {"Event": {"System": {"EventID": 1, "Channel": "Security", "Computer": "pc1.example"}}}
    with site() as there:
        answer = there.post(real, {"Event": {"System": 5}}, path="/ingest")
        assert answer == {"taken": 2, "refused": 0, "reasons": []}
        assert [event["vonggac"]["collector"] for event in there.log.events()] == ["evtx_json", "json"]
        assert there.log.dead() == []


def test_a_file_of_cloudtrail_is_one_document_of_many_events() -> None:
    record = {"eventVersion": "1.08", "eventSource": "iam.amazonaws.com", "eventTime": "2026-03-01T01:02:03Z"}
    records = [{**record, "eventName": "CreateUser", "eventID": f"id-{n}"} for n in range(3)]
    with site() as there:
        assert there.post({"Records": records}, path="/ingest")["taken"] == 1
        assert {event["vonggac"]["collector"] for event in there.log.events()} == {"cloudtrail"}
        assert len(there.log.ids()) == 3


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'{"n":1}', 1),
        (b'{"n":1}\n{"n":2}\n', 2),
        (b'\xef\xbb\xbf{"n":1}\r\n\r\n{"n":2}', 2),
        (b'[{"n":1},{"n":2}, {"n":3}]', 3),
        (b'{\n  "n":\n    1\n}\n', 1),
        (b'[\n  {\n    "n": 1\n  },\n  {"n": 2}\n]', 2),
    ],
    ids=["one", "lines", "windows", "array", "pretty", "pretty array"],
)
def test_json_of_any_shape(body: bytes, taken: int) -> None:
    with site() as there:
        code, answer, _ = there.ask("POST", "/", body)
        assert (code, answer["taken"]) == (200, taken)
        assert [event["json"]["n"] for event in there.log.events()] == list(range(1, taken + 1))


def test_a_body_with_no_document_is_refused() -> None:
    with site() as there:
        for path in ("/", "/_bulk"):
            assert there.ask("POST", path, b"\n")[0] == 400
        code, answer, _ = there.ask("POST", "/", b"hello\nworld")
        assert (code, answer["refused"], answer["reasons"][1]["line"]) == (400, 2, 2)


def test_a_key_that_stands_twice_is_told() -> None:
    with site() as there:
        assert there.post('{"a":1}', '{"user":"x","user":"y"}', path="/")["taken"] == 2
        assert there.log.dead() == [
            "http 127.0.0.1: line 2: key 'user' stands twice in one object; its last value counts"
        ]


def test_packed_bodies() -> None:
    with site(max_bytes=100_000) as there:
        packed = gzip.compress(b'{"a":1}\n' * 100)
        assert there.ask("POST", "/", packed, {**BEARER, "Content-Encoding": "gzip"})[1]["taken"] == 100
        bomb = gzip.compress(bytes(10_000_000))
        assert there.ask("POST", "/", bomb, {**BEARER, "Content-Encoding": "gzip"})[0] == 413
        assert there.ask("POST", "/", b'{"a":1}\n' * 20_000)[0] == 413
        assert there.figure("refused_too_large_total") == 2
        assert len(there.log.events()) == 100


def test_the_number_of_documents_is_bounded() -> None:
    with site() as there:
        assert there.ask("POST", "/", b"{}\n" * (MOST + 1))[0] == 413
        assert there.ask("POST", "/_bulk", b'{"create":{}}\n{}\n' * (MOST + 1))[0] == 413
        assert there.log.records == []


NAMES = ["winlog", "event_type", "Event", "log_name", "_path", "eventName", "EventID", "host", "log", "id", "System"]
VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
KINDS = [windows(1), ALERT, {"Event": {"System": {"EventID": 1}}}, {"a": 1}]


@given(st.lists(st.binary(max_size=40) | (OBJECTS | st.sampled_from(KINDS)).map(orjson.dumps), max_size=6))
@settings(max_examples=60)
def test_each_document_is_one_event_or_is_refused(lines: list[bytes]) -> None:
    """Whatever it holds: nothing raises, nothing is lost, nothing is doubled."""
    documents = documents_of(b"{}\n" + b"\n".join(lines))
    refused: dict[int, str] = {}
    records = [record for part in SORTER.sort(documents, "test", NOW, refused) for record in part.records]
    events = [record for record in records if isinstance(record, Event)]
    assert len(events) + len(refused) == len(documents)
    assert sum(isinstance(record, Bad) and not record.kept for record in records) == len(refused)


# ------------------------------------------------------------------ what identifies


def test_an_event_without_an_id_gets_a_random_one() -> None:
    with site() as there:
        there.post({"a": 1}, {"a": 1}, path="/")
        there.post({"a": 1}, path="/")
        assert len(there.log.ids()) == 3
        assert all(len(one) == 32 for one in there.log.ids())


def test_ids_that_the_sender_gives_stay() -> None:
    with site() as there:
        there.post(
            '{"create":{"_index":"i","_id":"mine"}}',
            {"a": 1},
            '{"create":{"_index":"i","_id":"mine"}}',
            {"a": 2, "event": {"id": "own"}},
            '{"index":{"_index":"i","_id":17}}',
            windows(3),
            '{"create":{"_index":"i"}}',
            {**windows(0), "winlog": {"channel": "Security", "event_id": 1}, "event": {"id": "own-2"}},
        )
        ids = list(there.log.ids())
        assert sorted(ids) == sorted(
            [
                digest("bulk", "i", "mine"),
                digest("json", "own"),
                windows_id("pc1.example", "Security", "Microsoft-Windows-Security-Auditing", 3, 1_772_326_923_004),
                digest("json", "own-2"),
            ]
        )


def test_sending_again_with_an_id_gives_the_same_event() -> None:
    with site() as there:
        for _ in range(2):
            answer = there.post('{"create":{"_index":"i","_id":"mine"}}', {"a": 1})
        assert answer["items"] == [{"create": {"_index": "i", "_id": "mine", "result": "created", "status": 201}}]
        assert there.log.ids() == {digest("bulk", "i", "mine"): 2}


# -------------------------------------------------------------------- bulk's own form


@pytest.mark.parametrize(
    "lines",
    [
        ("{}", "{}"),
        ('{"create":1}', "{}"),
        ('{"make":{}}', "{}"),
        ('{"create":{},"index":{}}', "{}"),
        ("create", "{}"),
        ('{"create":{"_index":["a"]}}', "{}"),
        ('{"create":{}}', '{"a":1}', '{"create":{}}'),
    ],
)
def test_a_body_whose_actions_cannot_be_read_is_refused_whole(lines: tuple[str, ...]) -> None:
    with site() as there:
        body = "\n".join(lines).encode()
        code, answer, _ = there.ask("POST", "/_bulk", body)
        assert code == 400
        assert answer["error"]["reason"].startswith("line ")
        assert there.log.records == []


def test_actions_that_nobody_does_here_are_refused_alone() -> None:
    with site() as there:
        answer = there.post(
            '{"delete":{"_id":"1"}}',
            '{"update":{"_id":"2"}}',
            {"doc": {}},
            '{"index":{}}',
            {"a": 1},
            path="/logs/_bulk",
        )
        assert [(op, one["status"]) for item in answer["items"] for op, one in item.items()] == [
            ("delete", 400),
            ("update", 400),
            ("index", 201),
        ]
        assert answer["items"][2]["index"]["_index"] == "logs", "the index of the path"
        assert len(there.log.events()) == 1
        assert there.log.dead() == []


# ------------------------------------------------------------------------- the token


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"ApiKey {TOKEN}", 200),
        (f"ApiKey {basic('id:' + TOKEN)}", 200),
        (f"ApiKey {basic(TOKEN)}", 200),
        (f"Basic {basic('shipper:' + TOKEN)}", 200),
        (f"Basic {basic(TOKEN + ':')}", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN}, Bearer {TOKEN}", 401),
        ("Bearer \xff", 401),
        ("Digest x", 401),
        (TOKEN, 401),
        ("", 401),
    ],
)
def test_the_token(header: str, code: int) -> None:
    with site() as there:
        assert there.ask("GET", "/", headers={"Authorization": header})[0] == code
        assert there.figure("refused_unauthorized_total") == (code == 401)


def test_without_the_token_no_body_is_read() -> None:
    with site() as there:
        code, answer, headers = there.ask("POST", "/_bulk", bytes(50_000), headers={})
        assert code == 401
        assert answer["error"]["type"] == "security_exception"
        assert "WWW-Authenticate" in headers
        assert there.figure("bytes_total") == 0


# ---------------------------------------------------------------- acknowledged is durable


def test_the_answer_comes_after_the_commit() -> None:
    with site(committing=False) as there:
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(there.ask("POST", "/", b'{"a":1}')[0]))
        asking.start()
        taken = there.inlet.take(DEADLINE, 1 << 20)
        assert [len(sealed.outs) for sealed in taken] == [1]
        assert there.figure("waiting") == 1
        assert answers == []
        there.log.commit(there.inlet, taken)
        asking.join(DEADLINE)
        assert answers == [200]


def test_without_room_the_sender_is_told_to_come_back_and_nothing_is_taken() -> None:
    with site(committing=False, room_s=0.1) as there:
        there.inlet.put(Delivery("json", [], "test", ready=[bytes(30 << 20)]))
        body = CREATE.encode() + b"\n" + orjson.dumps(windows(1)) + b"\n"
        code, answer, headers = there.ask("POST", "/_bulk", body)
        assert (code, headers["Retry-After"]) == (429, "5")
        assert answer["error"]["type"] == "es_rejected_execution_exception"
        assert there.figure("refused_busy_total") == 1
        (filler,) = there.inlet.take(0, 1 << 30)
        there.inlet.committed([filler])
        assert there.inlet.take(0, 1 << 30) == []


def test_while_the_disk_is_full_nothing_is_taken_that_would_be_sent_again() -> None:
    with site() as there:
        there.inlet.stalled = True
        assert there.ask("POST", "/", b'{"a":1}')[0] == 429
        there.inlet.stalled = False
        assert there.ask("POST", "/", b'{"a":1}')[0] == 200
        assert len(there.log.events()) == 1


def test_what_is_not_durable_in_time_is_no_200() -> None:
    with site(committing=False, commit_s=0.1) as there:
        code, answer, headers = there.ask("POST", "/", b'{"a":1}')
        assert (code, headers["Retry-After"]) == (503, "5")
        assert "it may have been taken, or not" in answer["error"]["reason"]


def test_a_large_body_is_several_deliveries_and_one_acknowledgement() -> None:
    document = orjson.dumps({"text": "x" * 1_000})
    with site() as there:
        assert there.ask("POST", "/", (document + b"\n") * 5_000)[1]["taken"] == 5_000
        assert len(there.log.events()) == 5_000
    with site(committing=False, room_s=0.1) as there:
        there.inlet.put(Delivery("json", [], "test", ready=[bytes(20 << 20)]))
        assert there.ask("POST", "/", (document + b"\n") * 5_000)[0] == 429
        assert len(there.inlet.take(0, 1 << 30)) == 1, "all of it, or nothing"


def test_a_connection_that_is_cut_in_a_body_takes_nothing() -> None:
    with site() as there:
        body = b'{"a":1}\n' * 10
        head = f"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(there.address, timeout=DEADLINE) as peer:
            peer.sendall(head.encode() + body[:-1])
        wait_for(lambda: there.figure("refused_malformed_total") == 1)
        assert there.log.records == []


def test_a_slow_sender_is_let_go() -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 90\r\n\r\n"
    with site(limits=Limits(head_s=0.3, body_s=0.3)) as there:
        for begun in ("POST / HT", head + '{"a":'):
            with socket.create_connection(there.address, timeout=DEADLINE) as peer:
                peer.sendall(begun.encode())
                assert peer.recv(12) == b"HTTP/1.1 408"
        assert there.figure("refused_too_slow_total") == 2
        assert there.log.records == []


def test_a_crowd_is_bounded() -> None:
    with site(limits=Limits(connections=50)) as there:
        crowd = [socket.create_connection(there.address, timeout=DEADLINE) for _ in range(300)]
        try:
            wait_for(lambda: there.figure("refused_connections_total") == 250)
            assert there.figure("connections") == 50
        finally:
            for peer in crowd:
                peer.close()
        wait_for(lambda: there.figure("connections") == 0)
        assert there.ask("POST", "/", b'{"a":1}')[0] == 200


def test_at_the_end_nobody_is_told_200_for_nothing() -> None:
    with site(committing=False) as there:
        there.inlet.close()
        code, _, headers = there.ask("POST", "/", b'{"a":1}')
        assert (code, headers["Retry-After"]) == (503, "5")


def test_it_can_be_run_again() -> None:
    intake = HttpIntake("127.0.0.1", 0, TOKEN)
    intake.open()
    for _ in range(2):
        with running(intake, {}):
            wait_for(lambda: "connections" in intake.figures())
    intake.close()
    intake.close()


# --------------------------------------------------------------------------- settings


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"intake\.token: at least 16 characters"):
        HttpIntake("127.0.0.1", 0, "short")


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"intake\.cert_file and intake\.key_file"):
        HttpIntake("127.0.0.1", 0, TOKEN, cert=str(tmp_path / "a.pem"))


def test_https(tmp_path: Path) -> None:
    import ssl
    from http.client import HTTPSConnection

    import trustme

    authority = trustme.CA()
    pem = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.cert_chain_pems[0].write_to_path(cert)
    pem.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with site(cert=str(cert), key=str(key)) as there:
        with closing(HTTPSConnection(*there.address, context=trusting, timeout=DEADLINE)) as client:
            for _ in range(2):
                client.request("POST", "/", b'{"a":1}', BEARER)
                answer = client.getresponse()
                assert (answer.status, orjson.loads(answer.read())["taken"]) == (200, 1)
        with socket.create_connection(there.address, timeout=DEADLINE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" not in plain.recv(1_000)
        assert len(there.log.events()) == 2


# ----------------------------------------------------------------------------- senders


def test_what_shippers_ask_before_they_send() -> None:
    """All is in place: so Winlogbeat with its default setup uploads nothing, and goes on."""
    with site() as there:
        code, root, headers = there.ask("GET", "/")
        assert (code, root["version"]["number"].split(".")[0]) == (200, "8")
        assert headers["X-Elastic-Product"] == "Elasticsearch"
        assert there.ask("HEAD", "/")[0] == 200
        assert there.ask("GET", "/_license?human=false")[1]["license"]["status"] == "active"
        for path in (
            "/_xpack",
            "/_cluster/health",
            "/_ilm/policy/winlogbeat",
            "/_index_template/winlogbeat-8.19.0",
            "/_template/logstash",
            "/_data_stream/winlogbeat-8.19.0",
            "/_ingest/pipeline/winlogbeat-8.19.0-security",
        ):
            assert there.ask("GET", path)[0] == 200, path
        assert there.ask("PUT", "/_ilm/policy/winlogbeat", b"{}")[1] == {"acknowledged": True}
        assert there.ask("GET", "/_search")[0] == 404
        assert there.ask("GET", "/_bulk")[0] == 405
        assert there.log.records == []


def test_elasticsearch_own_client_as_a_peer() -> None:
    from elasticsearch import Elasticsearch, helpers

    with site() as there:
        host, port = there.address
        with Elasticsearch(f"http://{host}:{port}", api_key=("id", TOKEN), http_compress=True) as client:
            assert client.info()["version"]["number"].startswith("8.")
            actions = ({"_op_type": "create", "_index": "winlogbeat", "_source": windows(n)} for n in range(700))
            assert helpers.bulk(client, actions) == (700, [])
        assert len(there.log.ids()) == 700


@pytest.mark.data
def test_real_winlogbeat_documents(test_data: Path) -> None:
    found = sorted((test_data / "parsers/sekoia/Beats/winlogbeat/tests").glob("*.json"))
    documents = [orjson.loads(path.read_bytes())["input"]["message"].replace("\n", " ") for path in found]
    assert len(documents) > 10
    with site() as there:
        answer = there.post(*(line for document in documents for line in (CREATE, document)))
        assert {item["create"]["status"] for item in answer["items"]} == {201}
        assert len(there.log.events()) == len(documents)
        assert {event["vonggac"]["collector"] for event in there.log.events()} == {"winlogbeat"}
