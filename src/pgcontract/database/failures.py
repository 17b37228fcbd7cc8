"""From the driver's errors to this project's, without the values that the server repeats in its words.

The driver's error is neither cause nor context of ours: a traceback would print its DETAIL, which shows a row.
"""

from __future__ import annotations

from typing import Final

import psycopg

from pgcontract.errors import ConnectionLost, OutcomeUnknown, QueryError

# serialization_failure and deadlock_detected: the same transaction may well succeed when it is run again
TRANSIENT: Final = frozenset({"40001", "40P01"})
_SYNTAX: Final = "42601"
_ALONE: Final = "correct the text; of several statements, give each a query of its own, in `tx()` together"
# what the server says of a statement's text: names of tables, columns and functions, and no values
_OF_THE_TEXT: Final = "42"


def failure(error: psycopg.Error, query: str, *, lost: bool, several: bool = False) -> QueryError:
    """What has become of a query; ``lost``: the connection is of no use any more.

    ``several``: its text may be several statements, which the server refuses as it does any mistake in a text.
    """
    state = error.sqlstate
    kind = type(error).__name__ + (f" ({state})" if state else "")
    if lost:
        return ConnectionLost(
            f"The connection was lost: {kind}",
            query=query,
            sqlstate=state,
            remedy="what was not committed is undone; try again once the server is back",
        )
    diag = error.diag
    told = (state or "").startswith(_OF_THE_TEXT) or (state is None and isinstance(error, psycopg.ProgrammingError))
    return QueryError(
        f"The query failed: {kind}",
        query=query,
        sqlstate=state,
        table=diag.table_name,
        column=diag.column_name,
        constraint=diag.constraint_name,
        datatype=diag.datatype_name,
        seen=(diag.message_primary or str(error)) if told else None,
        remedy=(
            "run the whole transaction again"
            if state in TRANSIENT
            else _ALONE
            if several and state == _SYNTAX
            else None
        ),
    )


def lost_at_commit(error: psycopg.Error) -> OutcomeUnknown:
    """What is known of a transaction whose COMMIT was not answered: nothing."""
    return OutcomeUnknown(
        "The connection was lost at COMMIT",
        query="COMMIT",
        sqlstate=error.sqlstate,
        remedy="look whether the rows are there before it is run again",
    )


def unfit(query: str, columns: tuple[str, ...], row: type) -> QueryError:
    """A result that a row class does not take."""
    return QueryError(
        f"The columns do not fit {row.__name__}",
        query=query,
        seen=", ".join(columns),
        remedy=f"select the columns that {row.__name__} has as fields, under their names",
    )
