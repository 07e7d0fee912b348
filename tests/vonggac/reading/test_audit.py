from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.audit import document, record


def test_hex_is_decoded_where_the_kernel_encodes() -> None:
    assert record("SYSCALL", ' exe=2F62696E2F73682031 comm="sh" name=(null) key=6101620A a0=2F62') == {
        "type": "SYSCALL",
        "exe": "/bin/sh 1",
        "comm": "sh",
        "key": ["a", "b\n"],
        "a0": "2F62",
    }


def test_arguments_in_pieces_are_joined() -> None:
    found = record("EXECVE", 'argc=2 a0="sh" a1_len=4 a1[0]=2F62 a1[1]=696E')
    assert found == {"type": "EXECVE", "argc": "2", "a0": "sh", "a1_len": "4", "a1": "/bin"}


def test_messages_within_messages() -> None:
    found = record(
        "USER_AUTH", "pid=1 uid=0 msg='PAM: authentication acct=an : exe=\"/bin/su\" (hostname=?, res=success)'"
    )
    assert found == {
        "type": "USER_AUTH",
        "pid": "1",
        "uid": "0",
        "acct": "an",
        "exe": "/bin/su",
        "hostname": "?",
        "res": "success",
    }


def test_avc() -> None:
    found = record("AVC", ' avc:  denied  { read write } for  pid=1 comm="x" tclass=dir')
    assert found["seresult"] == "denied"
    assert found["seperms"] == "read write"


def test_system_calls_have_names() -> None:
    assert record("SYSCALL", "arch=c000003e syscall=41")["SYSCALL"] == "socket"
    assert record("SYSCALL", "arch=c00000b7 syscall=221")["SYSCALL"] == "execve"
    assert record("SYSCALL", "arch=40000003 syscall=11")["SYSCALL"] == "execve"
    assert record("SYSCALL", "arch=c000003e syscall=1 \x1dSYSCALL=write")["SYSCALL"] == "write"
    assert "SYSCALL" not in record("SYSCALL", "arch=40000028 syscall=1")


def test_socket_addresses() -> None:
    assert record("SOCKADDR", "saddr=02000050C00002010000000000000000")["laddr"] == "192.0.2.1"
    six = record("SOCKADDR", "saddr=0A00001600000000" + "20010DB8" + "0" * 23 + "1" + "00000000")
    assert (six["saddr_fam"], six["laddr"], six["lport"]) == ("inet6", "2001:db8::1", "22")
    assert record("SOCKADDR", "saddr=01002F72756E2F78")["path"] == "/run/x"
    assert "laddr" not in record("SOCKADDR", "saddr=0200")


def test_a_relative_path_is_joined_with_the_folder() -> None:
    records = [record("CWD", 'cwd="/srv"'), record("PATH", 'name="x" nametype=CREATE')]
    doc = document("", "1772298123.250", "1", records, "")
    assert doc["file"] == {"path": "/srv/x"}
    assert doc["@timestamp"] == "2026-02-28T17:02:03.250000Z"


@given(st.sampled_from(["EXECVE", "SYSCALL", "PATH", "LOGIN"]), st.text(max_size=200))
def test_nothing_raises(kind: str, body: str) -> None:
    document("", "99999999999999.1", "1", [record(kind, body)], body)
