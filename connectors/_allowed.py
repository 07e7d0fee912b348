"""Which SQL an analyst may ask: one SELECT over the view `events`, by the syntax tree that DuckDB itself parsed.

Everything is refused that is not named here: kinds of nodes, tables, functions, types. So a function that a later
DuckDB brings is refused until somebody has looked at it. The sandbox of the connection holds besides.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import orjson

VIEW: Final = "events"
MAX_SQL: Final = 64 << 10  # bytes of a statement


def check_sql(con: Any, text: str) -> None:
    """Refuse, by ValueError, what is not one SELECT over the view; the message names the thing and what is right."""
    if len(text.encode("utf-8", "replace")) > MAX_SQL:
        _refuse(f"a statement longer than {MAX_SQL >> 10} KiB", "ask in smaller steps")
    if "\0" in text:  # where some readers end
        _refuse("a NUL", "chr(0)")
    try:
        tree: Any = orjson.loads(con.execute("SELECT json_serialize_sql($sql)", {"sql": text}).fetchall()[0][0])
    except orjson.JSONDecodeError:
        _refuse("a statement nested too deep", "ask in smaller steps")
    if tree.get("error"):
        if tree.get("error_type") == "not implemented":  # its code for every statement that is no SELECT
            _refuse("a statement that is no SELECT", "SELECT … FROM events")
        msg = " ".join(str(tree.get("error_message")).split())[:300]
        raise ValueError(msg)
    statements = tree["statements"]
    if len(statements) != 1:
        _refuse(f"{len(statements)} statements", "one SELECT")
    _walk(statements[0], frozenset({VIEW}), 0)


def _walk(node: Any, tables: frozenset[str], depth: int) -> None:
    """Look at a node and all below it; `tables` are the names that stand for a table here."""
    if depth > _DEEP:
        _refuse("a statement nested too deep", "ask in smaller steps")
    if isinstance(node, list):
        for one in node:
            _walk(one, tables, depth + 1)
    elif isinstance(node, dict):
        _check(node, tables)
        ctes = node.get("cte_map")
        if isinstance(ctes, dict):
            for entry in ctes["map"]:  # each sees the ones before it
                _walk(entry["value"], tables, depth + 1)
                tables |= {entry["key"].casefold()}
        for key, one in node.items():
            if key != "cte_map" and isinstance(one, dict | list):
                _walk(one, tables, depth + 1)


def _check(node: dict[str, Any], tables: frozenset[str]) -> None:
    kind = node.get("class", node.get("type"))
    if isinstance(kind, str) and kind not in (_EXPRESSIONS if "class" in node else _NODES):
        _refuse(*_REFUSED.get(kind, (f"{kind.replace('_', ' ').lower()}", "a plain SELECT … FROM events")))
    if "function_name" in node:
        name = str(node["function_name"]).casefold()
        if name not in _FUNCTIONS or node.get("schema") or node.get("catalog"):
            _refuse(f"the function {_short(node['function_name'])}", "functions that look at nothing but values")
    if kind == "BASE_TABLE":
        name = str(node["table_name"])
        if name.casefold() not in tables or node.get("schema_name") or node.get("catalog_name"):
            _refuse(f"the table {_short(name)}", "the view events, and what WITH names")
        if node.get("at_clause") is not None:
            _refuse("AT", "ts >= …")
    if kind == "TYPE" and str(node.get("type_name")).casefold() not in _TYPES:
        _refuse(f"the type {_short(node.get('type_name'))}", "VARCHAR, BIGINT, DOUBLE, TIMESTAMP, JSON …")


def _refuse(what: str, right: str) -> NoReturn:
    msg = f"refused: {what}; what would be right: {right}"
    raise ValueError(msg)


def _short(name: object) -> str:
    text = " ".join(str(name).split())
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


# -------------------------------------------------------------------- tables

_DEEP: Final = 400  # of the tree; each step of a person's nesting is two or three
_NODES: Final = _words(
    "SELECT_NODE SET_OPERATION_NODE BASE_TABLE SUBQUERY JOIN EMPTY EXPRESSION_LIST PIVOT",
    "ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER",
    "ORDER_DEFAULT ASCENDING DESCENDING",
    "ORDINARY",
)
_EXPRESSIONS: Final = _words(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF OPERATOR",
    "POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW",
)
_REFUSED: Final = {
    "TABLE_FUNCTION": ("a table function", "the view events, and what WITH names"),
    "RECURSIVE_CTE_NODE": ("WITH RECURSIVE", "WITH"),
    "SHOW_REF": ("DESCRIBE, SHOW, SUMMARIZE", "SELECT * FROM events LIMIT 1"),
    "PARAMETER": ("a parameter", "its value"),
}
_TYPES: Final = _words(
    "boolean bool tinyint smallint integer int int2 int4 int8 bigint hugeint utinyint usmallint uinteger ubigint",
    "int1 short long signed float4 float8 float real double decimal numeric varchar text string char bpchar json uuid",
    "date time timestamp datetime timestamptz timestamp_s timestamp_ms timestamp_ns interval blob bytea",
    "list array struct row map",
    "timestamp_tz",
)
#: they look at values only, end soon, and give no more than they take (`repeat`, `lpad`, `range` … do not)
_FUNCTIONS: Final = _words(
    # comparing and counting
    "+ - * / // % ** ^ & | ~ << >> || ! @ abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log2 log10 pow",
    "power mod fmod divide add subtract multiply greatest least even pi degrees radians sin cos tan asin acos atan",
    "atan2 isnan isinf isfinite xor bit_count gcd lcm random fdiv",
    # choosing
    "coalesce nullif if ifnull switch typeof constant_or_null row struct_pack struct_extract struct_keys",
    # texts
    "~~ !~~ ~~* !~~* ~~~ ^@ like_escape not_like_escape ilike_escape not_ilike_escape contains starts_with ends_with",
    "prefix suffix lower upper lcase ucase length len strlen char_length character_length length_grapheme octet_length",
    "bit_length ascii unicode ord chr trim ltrim rtrim left right left_grapheme right_grapheme substr substring",
    "substring_grapheme position instr strpos reverse split split_part str_split string_split str_split_regex",
    "string_split_regex regexp_split_to_array string_to_array array_to_string array_to_string_comma_default",
    "replace translate concat concat_ws",
    "regexp_matches regexp_full_match regexp_extract regexp_extract_all regexp_replace regexp_escape",
    "nfc_normalize strip_accents levenshtein damerau_levenshtein editdist3 hamming mismatches jaccard",
    "jaro_similarity jaro_winkler_similarity parse_filename parse_dirname parse_dirpath parse_path",
    "md5 sha1 sha256 hash hex unhex to_hex from_hex base64 to_base64 from_base64 url_encode url_decode encode decode",
    "bin to_binary format_bytes formatreadablesize formatreadabledecimalsize pg_size_pretty entropy",
    "folded numeral address_key",
    # times
    "now today current_date current_timestamp get_current_timestamp transaction_timestamp age ago date_add date_diff",
    "date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear",
    "epoch epoch_ms epoch_ns epoch_us hour isodow isoyear last_day make_date make_time make_timestamp",
    "make_timestamp_ms make_timestamptz microsecond millisecond minute",
    "month monthname quarter second strftime strptime",
    "try_strptime time_bucket timezone to_days to_hours",
    "to_microseconds to_milliseconds to_minutes to_months to_seconds",
    "to_timestamp to_weeks to_years week weekday weekofyear year yearweek julian days_in_month",
    # JSON
    "-> ->> json json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text",
    "json_extract_string json_keys json_structure json_type json_valid json_value json_array json_object to_json",
    "json_quote from_json json_transform json_pretty",
    # lists, maps
    "list_value list_pack array_value list_extract array_extract list_element element_at list_contains list_has",
    "array_contains array_has list_has_any list_has_all array_has_any array_has_all list_position list_indexof",
    "array_position array_indexof list_distinct list_unique list_sort list_reverse_sort list_reverse list_slice",
    "array_slice list_filter array_filter filter list_transform array_transform apply list_apply list_concat list_cat",
    "array_concat array_cat list_intersect list_zip list_sum",
    "list_max list_min list_avg list_count list_first list_last",
    "list_any_value flatten unnest array_length cardinality map map_keys map_values map_entries map_extract",
    "map_contains map_from_entries",
    # over many events
    "count count_star count_if countif sum fsum avg mean min",
    "max min_by max_by arg_min arg_max argmin argmax median mode",
    "mad quantile quantile_cont quantile_disc approx_quantile approx_count_distinct approx_top_k stddev stddev_pop",
    "stddev_samp variance var_pop var_samp skewness kurtosis corr covar_pop covar_samp bool_and bool_or bit_and bit_or",
    "bit_xor any_value arbitrary first last list array_agg string_agg group_concat listagg histogram product",
    "json_group_array json_group_object regr_slope regr_intercept regr_r2 regr_count geomean",
    # over a window of them
    "row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value nth_value",
)
