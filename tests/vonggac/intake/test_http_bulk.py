"""Elasticsearch's bulk form at the HTTP intake: its actions, what shippers ask beforehand, and real ones as peers."""

from pathlib import Path

import orjson
import pytest

from tests.http_site import CREATE, TOKEN, site, windows

# -------------------------------------------------------------------- actions


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


# -------------------------------------------------------------------- senders


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
