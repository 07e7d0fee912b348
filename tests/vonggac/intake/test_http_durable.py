"""What the HTTP intake acknowledges was committed, and nothing else: all of a body, or nothing of it."""

import socket
import threading

import orjson

from tests.http_site import CREATE, TOKEN, site, windows
from tests.listening import until
from vonggac.intake.http import HttpIntake
from vonggac.intake.inlet import Delivery
from vonggac.intaketesting import DEADLINE, running


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
        until(lambda: there.figure("refused_malformed_total") == 1)
        assert there.log.records == []


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
            until(lambda: "connections" in intake.figures())
    intake.close()
    intake.close()
