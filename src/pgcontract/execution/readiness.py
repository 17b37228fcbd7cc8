"""The state in which pages can be counted: the same plans, and nothing left to be tidied up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.errors import PgContractError

SETTINGS: Final = {
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "track_counts": "on",
    "synchronous_commit": "on",
    # what is hot is in memory, where no page costs more than another; the default models a disk that must be turned
    "random_page_cost": "1.1",
    # a sample is the table's first rows, and not those where another scan has stopped
    "synchronize_seqscans": "off",
    "statement_timeout": "0",
    "search_path": "public",
}
_NOT_FROZEN = """
    SELECT c.oid::REGCLASS::TEXT, c.relpages, c.relallvisible
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND c.relallvisible <> c.relpages
    ORDER BY 1 ASC
"""
_VIEWS = """
    SELECT n.nspname, c.relname
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY c.oid ASC
"""


class NotReady(PgContractError):
    """Pages counted here would not compare with those counted elsewhere."""


def readied(connection: psycopg.Connection[Any]) -> None:
    """Refresh, vacuum and analyze all that is there, twice, and see that it helped; set what plans depend on.

    Raises NotReady, naming what is not as it must be.
    """
    if not connection.autocommit:
        raise NotReady("VACUUM runs outside of transactions only.", remedy="Connect with autocommit.")
    for name, value in SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    for what, seen, remedy in _obstacles(connection):
        raise NotReady(what, seen=seen, remedy=remedy)
    for view in connection.execute(_VIEWS).fetchall():
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(*view)))
    for _ in range(2):
        # the second one finds what the first could not yet mark: pages that it wrote itself. Without the last option
        # a few pages that have dead rows are left as they are
        connection.execute("VACUUM (FREEZE, ANALYZE, INDEX_CLEANUP ON)")
    for table, pages, visible in connection.execute(_NOT_FROZEN).fetchall():
        raise NotReady(
            "A table is not frozen: another session's transaction holds rows back.",
            where=table,
            seen=f"{visible} of {pages} pages are all-visible",
            remedy="End that transaction, and check again.",
        )


def _obstacles(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str, str]]:
    wanted = {
        "autovacuum": ("off", "It would tidy up in the middle of the counting."),
        "data_checksums": (
            "on",
            "They change what is written, and are the default from 18.",
        ),
        "jit": ("off", "Plans would differ with their costs."),
        "max_parallel_workers_per_gather": ("0", "Workers read pages of their own."),
    }
    for name, (value, why) in wanted.items():
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert row is not None
        if row[0] != value:
            yield f"{name} is {row[0]}, not {value}. {why}", row[0], f"Set {name} = {value} on this server."
