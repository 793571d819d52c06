"""How a database means to answer a query, how many rows it read for it, and how large its tables are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from checks._database import Session
from checks.result import Diagnostic

_MOST_LINES = 60
_LARGEST_SQLITE = 256 * 2**20  # above this, weighing each table would read too much of the file

_POSTGRESQL_READ = (
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables"
)
_RELTUPLES = "SELECT max(reltuples) FROM pg_class WHERE relname = ':name'"
_MYSQL_READ = "SHOW SESSION STATUS WHERE Variable_name = 'Rows_read' OR Variable_name LIKE 'Handler_read%'"
_POSTGRESQL_SIZES = """
    SELECT c.oid::regclass::text, pg_total_relation_size(c.oid), c.reltuples::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg_t%'
    ORDER BY 2 DESC LIMIT 10"""
_MYSQL_SIZES = """
    SELECT table_name, data_length + index_length, table_rows FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 2 DESC LIMIT 10"""
_SQLITE_SIZES = """
    SELECT name, pgsize, NULL FROM dbstat WHERE aggregate = TRUE AND name NOT LIKE 'sqlite_%'
    ORDER BY pgsize DESC LIMIT 10"""


def rows_read(session: Session) -> int | None:
    """How many rows this session has read so far, by the server's own count; None where it keeps none.

    The difference before and after a query is what the query read. PostgreSQL does not count what parallel
    workers read.
    """
    if session.dialect == "postgresql":
        return int(session.rows(_POSTGRESQL_READ)[1][0][0])
    if session.dialect == "mysql":
        counters = {str(name).lower(): int(value) for name, value in session.rows(_MYSQL_READ)[1]}
        return counters.get("rows_read", sum(counters.values()))
    return None


def explain(session: Session, query: str) -> tuple[Diagnostic | None, int | None]:
    """The plan, and the rows a parallel plan will scan, which no counter tells. Does not run the query."""
    match session.dialect:
        case "sqlite":
            _, steps = session.rows(f"EXPLAIN QUERY PLAN {query}")
            shown = _indented([(step[0], step[1], str(step[3])) for step in steps])
            return Diagnostic(title="Query plan", text=shown), None
        case "postgresql":
            _, rows = session.rows(f"EXPLAIN (FORMAT JSON) {query}")
            plan = rows[0][0]
            plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            lines = list(_postgresql_lines(plan, 0))
            estimate = _postgresql_estimate(session, plan) if "Workers Planned" in json.dumps(plan) else None
            return Diagnostic(title="Query plan", text="\n".join(lines[:_MOST_LINES])), estimate
        case "mysql":
            columns, rows = session.rows(f"EXPLAIN {query}")
            return Diagnostic(title="Query plan", text=table([columns, *rows])), None
    return None, None


def table_sizes(session: Session) -> Diagnostic | None:
    """The largest tables with their indexes, and about how many rows they have where the server knows."""
    match session.dialect:
        case "sqlite":
            size = int(session.rows("PRAGMA page_count")[1][0][0]) * int(
                session.rows("PRAGMA page_size")[1][0][0]
            )
            rows = session.rows(_SQLITE_SIZES)[1] if size <= _LARGEST_SQLITE else []
            rows = [*rows, ("whole file", size, None)]
        case "postgresql":
            rows = session.rows(_POSTGRESQL_SIZES)[1]
        case "mysql":
            rows = session.rows(_MYSQL_SIZES)[1]
        case _:
            return None
    lines = [
        (name, _size(size), "" if not count or count < 0 else f"about {count:,} rows")
        for name, size, count in rows
    ]
    return Diagnostic(title="Table sizes", text=table(lines)) if lines else None


def table(rows: list[Any]) -> str:
    """Rows in aligned columns, each cell and the whole kept short."""
    cells = [["" if cell is None else str(cell)[:60] for cell in row] for row in rows[:_MOST_LINES]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _size(size: Any) -> str:
    amount = float(size or 0)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def _indented(steps: list[tuple[int, int, str]]) -> str:
    depths: dict[int, int] = {0: -1}
    lines = []
    for number, parent, step in steps[:_MOST_LINES]:
        depths[number] = depths.get(parent, -1) + 1
        lines.append("  " * depths[number] + step)
    return "\n".join(lines)


def _postgresql_lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    on = f" on {node['Relation Name']}" if "Relation Name" in node else ""
    using = f" using {node['Index Name']}" if "Index Name" in node else ""
    rows, cost = node.get("Plan Rows", 0), node.get("Total Cost", 0)
    yield f"{'  ' * depth}{node['Node Type']}{using}{on}  (rows about {rows:,}, cost {cost:,.0f})"
    for key in ("Index Cond", "Filter", "Hash Cond", "Join Filter"):
        if key in node:
            yield f"{'  ' * depth}  {key}: {str(node[key])[:200]}"
    for child in node.get("Plans", ())[:20]:
        yield from _postgresql_lines(child, depth + 1)


def _postgresql_estimate(session: Session, plan: Mapping[str, Any]) -> int:
    """Whole tables for sequential scans, since the plan tells only what is left of them after the filter."""
    scanned = 0
    for node in _nodes(plan):
        if node["Node Type"] == "Seq Scan" and "Relation Name" in node:
            name = str(node["Relation Name"]).replace("'", "''")
            known = session.rows(_RELTUPLES.replace(":name", name))[1][0][0]
            scanned += max(0, int(known or 0))
        elif node["Node Type"].endswith("Scan"):
            scanned += int(node.get("Plan Rows", 0))
    return scanned


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
