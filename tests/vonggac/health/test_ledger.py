"""The chain of day rows: what stands in it, and what shows."""

from vonggac.health.ledger import START, Day, Row, chained, read, verify
from vonggac.health.measure import Source


def day(number: int) -> Day:
    return Day(f"2026-03-{number:02}", Source("syslog", "pc1"), "u", 5, 1, None, None, 3, 1440, -0.5, ("x",))


def chain(count: int) -> list[Row]:
    rows: list[Row] = []
    before = START
    for number in range(1, count + 1):
        body = day(number).body()
        rows.append(Row(number, body, before, chained(before, number, body)))
        before = rows[-1].hash
    return rows


def test_a_body_is_pinned_and_read_back() -> None:
    assert day(1).body() == (
        '{"day":"2026-03-01","source":["syslog","pc1","","",false],"unit":"u","events":5,"failed":1,"first":null,'
        '"last":null,"silent":3,"watched":1440,"offset_s":-0.5,"changes":["x"]}'
    )
    assert read(day(1).body()) == day(1)


def test_a_hash_is_pinned_for_ever() -> None:
    assert chained(START, 1, "{}") == "857ee6299d26533d1f5f46c02209ae8bc34dc4898a8a9545493946b4ea59d6f3"


def test_a_whole_chain_is_whole() -> None:
    rows = chain(4)
    assert verify(rows, (4, rows[-1].hash)) is None
    assert verify([], (0, START)) is None


def test_a_cut_a_swap_and_a_change_show() -> None:
    rows = chain(4)
    head = (4, rows[-1].hash)
    assert "ends at row 3" in str(verify(rows[:3], head))
    assert "row 2 is missing" in str(verify([rows[0], *rows[2:]], head))
    assert "row 2 is missing" in str(verify([rows[0], rows[2], rows[1], rows[3]], head))
    changed = Row(2, rows[1].body.replace("5", "6"), rows[1].before, rows[1].hash)
    assert "row 2 was changed" in str(verify([rows[0], changed, *rows[2:]], head))


def test_a_chain_written_anew_shows_against_a_kept_head() -> None:
    kept = (4, chain(4)[-1].hash)
    other = Day("2026-03-01", Source("syslog", "pc1"), "u", 0, 0, None, None, 0, 1440, None, ()).body()
    rows = [Row(1, other, START, chained(START, 1, other))]
    assert verify(rows, kept) is not None
