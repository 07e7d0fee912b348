"""What analyst SQL may and may not do; each hostile statement is refused by name, or ends within its limits."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors._allowed import check_sql
from connectors._duck import Engine
from connectors.embedded_query import QueryProcess
from connectors.embedded_store import EmbeddedStore
from vonggac.storeport import TooMuch, TooSlow
from vonggac.storetesting import batch_of, upto

JOINED = ", ".join(f"events e{n}" for n in range(25))
CTES = [f"a{n} AS (SELECT d || d AS d FROM a{n - 1})" for n in range(1, 30)]  # noqa: S608 (a test's)
DOUBLED = ", ".join(["a0 AS (SELECT doc AS d FROM events)", *CTES])
LONG = " OR ".join(f"id = '{n}'" for n in range(10_000))

#: statement, what the refusal names
REFUSED = (
    # reading files
    ("SELECT * FROM '/etc/passwd.csv'", "/etc/passwd.csv"),
    ("FROM 'x.parquet'", "x.parquet"),
    ('SELECT * FROM "/etc/passwd"', "/etc/passwd"),
    ("SELECT * FROM read_csv('/etc/passwd')", "table function"),
    ("SELECT * FROM read_text('/etc/passwd')", "table function"),
    ("SELECT * FROM read_blob('/proc/self/environ')", "table function"),
    ("SELECT * FROM read_parquet('*.parquet')", "table function"),
    ("SELECT * FROM parquet_metadata('x.parquet')", "table function"),
    ("SELECT * FROM glob('/**')", "table function"),
    ("SELECT * FROM read_json_auto('/etc/hosts')", "table function"),
    ("SELECT * FROM sniff_csv('/etc/passwd')", "table function"),
    ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "table function"),
    ("SELECT * FROM events WHERE id IN (SELECT content FROM read_text('/etc/passwd'))", "table function"),
    ("SELECT * FROM events, LATERAL (SELECT * FROM read_text(host))", "table function"),
    ("WITH a AS (SELECT * FROM 'x.csv') SELECT * FROM a", "x.csv"),
    ('SELECT * FROM (WITH "x.csv" AS (SELECT 1) SELECT * FROM "x.csv") JOIN \'x.csv\' ON true', "x.csv"),
    ("SELECT * FROM a JOIN (WITH a AS (SELECT 1) SELECT * FROM a) ON true", "'a'"),
    ("SELECT * FROM events ORDER BY (SELECT max(content) FROM read_text('/etc/passwd'))", "table function"),
    ("SELECT count(*) FILTER (EXISTS (FROM 'x.csv')) FROM events", "x.csv"),
    ("SELECT * FROM events LIMIT (SELECT count(*) FROM 'x.csv')", "x.csv"),
    ("SELECT max(id) OVER (ORDER BY (SELECT 1 FROM 'x.csv')) FROM events", "x.csv"),
    ("SELECT list_transform([1], lambda x: (SELECT 1 FROM 'x.csv'))", "x.csv"),
    ("SELECT * FROM (PIVOT 'x.csv' ON a USING count(*))", ""),
    ("SELECT * FROM (UNPIVOT 'x.csv' ON a, b)", ""),
    # reading the engine, the environment, other schemas
    ("SELECT getenv('HOME')", "getenv"),
    ("SELECT current_setting('temp_directory')", "current_setting"),
    ("SELECT getvariable('x')", "getvariable"),
    ("SELECT current_query()", "current_query"),
    ("SELECT version()", "version"),
    ("SELECT main.getenv('HOME')", "getenv"),
    ("SELECT system.main.lower('A')", "lower"),
    ("SELECT 'HOME'.getenv()", "getenv"),
    ("SELECT * FROM duckdb_settings()", "table function"),
    ("SELECT * FROM duckdb_secrets()", "table function"),
    ("SELECT * FROM duckdb_views", "duckdb_views"),
    ("SELECT * FROM sqlite_master", "sqlite_master"),
    ("SELECT * FROM information_schema.tables", "tables"),
    ("SELECT * FROM pg_catalog.pg_class", "pg_class"),
    ("SELECT * FROM temp.events", "events"),
    ("SELECT * FROM main.events", "events"),
    ("SELECT * FROM events AT (VERSION => 1)", "AT"),
    ("SELECT 'pg_class'::regclass", "regclass"),
    ("SHOW TABLES", "SHOW"),
    ("DESCRIBE events", "DESCRIBE"),
    ("SUMMARIZE events", "SUMMARIZE"),
    ("EXPLAIN SELECT 1", "no SELECT"),
    # SQL within SQL
    ("SELECT * FROM query('SELECT 1')", "table function"),
    ("SELECT * FROM query_table('events')", "table function"),
    ("SELECT json_serialize_sql('SELECT 1')", "json_serialize_sql"),
    ("SELECT json_execute_serialized_sql('{}')", "json_execute_serialized_sql"),
    ("SELECT * FROM json_execute_serialized_sql('{}')", "table function"),
    ("SELECT list_aggregate([1], 'sum')", "list_aggregate"),
    ("SELECT ?", "parameter"),
    ("SELECT $x", "parameter"),
    # writing, settings, sessions
    ("COPY events TO '/tmp/x'", "no SELECT"),
    ("COPY (SELECT 1) TO 'x.csv'", "no SELECT"),
    ("EXPORT DATABASE '/tmp/x'", "no SELECT"),
    ("ATTACH '/tmp/x.db'", "no SELECT"),
    ("INSTALL httpfs", "no SELECT"),
    ("LOAD '/tmp/x.so'", "no SELECT"),
    ("SET memory_limit = '100GB'", "no SELECT"),
    ("RESET memory_limit", "no SELECT"),
    ("PRAGMA database_list", ""),
    ("CALL pragma_version()", "no SELECT"),
    ("CREATE TABLE t AS SELECT 1", "no SELECT"),
    ("CREATE MACRO lower(x) AS getenv(x)", "no SELECT"),
    ("DROP VIEW events", "no SELECT"),
    ("INSERT INTO events VALUES (1)", "no SELECT"),
    ("DELETE FROM events", "no SELECT"),
    ("BEGIN", "no SELECT"),
    ("USE memory", "no SELECT"),
    ("PREPARE p AS SELECT 1", "no SELECT"),
    ("CREATE SECRET s (TYPE s3)", "no SELECT"),
    ("WITH a AS (DELETE FROM events RETURNING *) SELECT * FROM a", ""),
    ("SELECT nextval('s')", "nextval"),
    ("SELECT write_log('x')", "write_log"),
    ("SELECT setseed(0.1)", "setseed"),
    ("SELECT 1; SELECT 2", "2 statements"),
    ("SELECT 1; COPY events TO 'x'", ""),
    ("", "0 statements"),
    ("-- nothing", "0 statements"),
    # running for ever, eating memory
    ("WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SELECT * FROM t", "RECURSIVE"),
    ("SELECT * FROM range(1000000000000)", "table function"),
    ("SELECT unnest(range(1000000000000))", "range"),
    ("SELECT * FROM events, generate_series(1, 1000000000)", "table function"),
    ("SELECT generate_series(1, 1000000000)", "generate_series"),
    ("SELECT repeat('x', 1000000000)", "repeat"),
    ("SELECT lpad('x', 1000000000, 'y')", "lpad"),
    ("SELECT rpad('x', 1000000000, 'y')", "rpad"),
    ("SELECT format('{:>1000000000}', 'x')", "format"),
    ("SELECT printf('%1000000000d', 1)", "printf"),
    ("SELECT bar(1, 0, 1, 100000000)", "bar"),
    ("SELECT list_resize([1], 1000000000)", "list_resize"),
    ("SELECT list_reduce(['a', 'b'], lambda a, b: a || a || b)", "list_reduce"),
    ("SELECT sleep_ms(1000000)", "sleep_ms"),
    ("SELECT pg_sleep(1000)", "pg_sleep"),
    ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, ""),
    ("SELECT 1" + " + 1" * 15_000, ""),
    ("SELECT " + "NOT " * 15_000 + "true", ""),
    (f"SELECT 1 FROM events WHERE {LONG}", "longer"),  # noqa: S608 (a test's)
    ("SELECT " + "[" * 3_000 + "]" * 3_000, ""),
    ("SELECT 'x\0y'", "NUL"),
    ("\0", "NUL"),
    ("SELECT 1 \0; COPY events TO 'x'", "NUL"),
)

#: what may be asked: the statement, and its first row
ANSWERED = (
    ("SELECT count(*) FROM events", [3]),
    ("SELECT host, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC, host LIMIT 1", ["ws-01", 2]),
    ("WITH a AS (SELECT host FROM events), b AS (SELECT * FROM a) SELECT count(DISTINCT b.host) FROM b", [2]),
    ("SELECT e.host FROM events e JOIN EVENTS f USING (id) WHERE f.event_code = '4624' ORDER BY ALL", ["ws-01"]),
    ("SELECT doc->>'$.process.pid' FROM events WHERE (doc->'$.process.pid')::INT > 5", ["7"]),
    ("SELECT max(ts) - INTERVAL 1 HOUR, date_trunc('hour', min(ts)) FROM events", None),
    ("SELECT count(*) FROM events WHERE ts > now() - INTERVAL '1' DAY OR doc ILIKE '%WS%'", [3]),
    ("SELECT row_number() OVER (PARTITION BY host ORDER BY ts) FROM events QUALIFY rank() OVER (ORDER BY id) = 1", [1]),
    ("SELECT CASE WHEN host LIKE 'ws%' THEN upper(host) ELSE host END FROM events ORDER BY 1", ["WS-01"]),
    ("FROM events SELECT list(id ORDER BY id) WHERE host = 'ws-01'", [["e0", "e2"]]),
    ("SELECT host FROM events UNION ALL SELECT 'x' ORDER BY 1 LIMIT 1", ["ws-01"]),
    ("SELECT regexp_extract(host, '([0-9]+)', 1), try_cast('x' AS INT), [1, 2][1] FROM events LIMIT 1", None),
    ("SELECT unnest(['a', 'b'])", ["a"]),
    ("SELECT TIMESTAMP '2026-03-01 08:00:00', TIMESTAMPTZ '2026-03-01 08:00:00.5+07', [DATE '2026-03-01'::TIMESTAMP]",
     ["2026-03-01T08:00:00.000000Z", "2026-03-01T01:00:00.500000Z", ["2026-03-01T00:00:00.000000Z"]]),
    ("SELECT INTERVAL 26 HOUR, -INTERVAL 1 HOUR, TIME '01:02:03'", ["1 day, 2:00:00", "-1:00:00", "01:02:03"]),
    ("SELECT typeof(now()), typeof(current_timestamp), typeof(ago(INTERVAL 1 DAY)), now() = current_timestamp",
     ["TIMESTAMP", "TIMESTAMP", "TIMESTAMP", True]),
    ("SELECT {'a': 1, 'b': [1.5, NULL]}, 'x'::BLOB, DATE '2026-03-01', 'nan'::FLOAT, 1.10::DECIMAL(5, 2)",
     [{"a": 1, "b": ["1.5", None]}, "78", "2026-03-01", "nan", "1.10"]),
    ("SELECT 170141183460469231731687303715884105727::HUGEINT, 9223372036854775807, true",
     ["170141183460469231731687303715884105727", 9223372036854775807, True]),
    ("SELECT * FROM (VALUES (1, 2)) AS v(a, b)", [1, 2]),
    ("SELECT * EXCLUDE (doc, ts, ingested) FROM events WHERE id = 'e1'",
     ["e1", None, None, "ws-02", None, None, None, None, None, None, ""]),
)  # fmt: skip


#: what is allowed but has no end in sight, or is wrong; how it may end
COSTLY = (
    (f"SELECT list(e0.doc || e1.doc || e2.doc) FROM {JOINED}", (TooMuch,)),  # noqa: S608 (a test's)
    (f"SELECT string_agg(e0.doc, '') FROM {JOINED}", (TooMuch,)),  # noqa: S608 (a test's)
    (f"SELECT count(*) FROM {JOINED} WHERE e0.id < e24.id AND e1.id > e23.id", (TooSlow,)),  # noqa: S608 (a test's)
    (f"WITH {DOUBLED} SELECT d FROM a29", (TooMuch, ValueError)),  # noqa: S608 (a test's)
    ("SELECT " + "replace(" * 30 + "doc" + ", 'e', 'eeeeeeeeee')" * 30 + " FROM events", (TooMuch, ValueError)),
    ("SELECT nosuch FROM events", (ValueError,)),
    ("SELECT host::INT FROM events", (ValueError,)),
    ("SELECT regexp_matches(doc, '(') FROM events", (ValueError,)),
    ("SELECT regexp_matches(doc, '((a{1,1000}){1,1000}){1,1000}') FROM events", (ValueError,)),
    ("SELECT 10 ** 400 * doc FROM events", (ValueError,)),
    ("SELECT 9223372036854775807 + length(id) FROM events", (ValueError,)),
    ("SELECT doc->'$[' FROM events", (ValueError,)),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("events"), "256MB")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryProcess]:
    root = tmp_path_factory.mktemp("store")
    batch = batch_of(
        {"host": {"name": "ws-01"}, "process": {"pid": 7}, "event": {"code": "4624"}},
        {"host": {"name": "ws-02"}},
        {"host": {"name": "ws-01"}, "process": {"pid": 3}},
    )
    EmbeddedStore(root).save([batch], upto(batch))
    with QueryProcess(root, memory_mb=128) as process:
        yield process


@pytest.mark.parametrize(("sql", "named"), REFUSED, ids=[sql[:60] for sql, _ in REFUSED])
def test_what_is_refused_is_named(sql: str, named: str, engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        check_sql(engine.con, sql)
    assert named in str(caught.value)


@pytest.mark.parametrize(("sql", "row"), ANSWERED, ids=[sql[:60] for sql, _ in ANSWERED])
def test_what_is_asked_rightly_is_answered(sql: str, row: list[object] | None, process: QueryProcess) -> None:
    found = process.sql(sql, frozenset({""}), 60.0, threading.Event())
    assert row is None or found.rows[0] == row


@pytest.mark.parametrize(("sql", "ends"), COSTLY, ids=[sql[:60] for sql, _ in COSTLY])
def test_what_costs_too_much_ends_and_the_next_question_works(
    sql: str, ends: tuple[type[Exception], ...], process: QueryProcess
) -> None:
    with pytest.raises(ends):
        process.sql(sql, frozenset({""}), 3.0, threading.Event())
    assert process.sql("SELECT count(*) FROM events", frozenset({""}), 60.0, threading.Event()).rows == ([3],)


def test_the_sandbox_holds_without_the_list_too(engine: Engine) -> None:
    """What the list would let through by mistake, the connection refuses."""
    import duckdb

    for sql in (
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/vonggac-never.csv'",
        "ATTACH '/tmp/vonggac-never.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET allowed_directories = ['/']",
        "SELECT getenv('HOME')",
        "SELECT * FROM REFUSED",
    ):
        with pytest.raises(duckdb.Error):
            engine.con.execute(sql).fetchall()
    assert not Path("/tmp/vonggac-never.csv").exists()
