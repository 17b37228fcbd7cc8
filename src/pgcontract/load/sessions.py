"""A connection that does transactions: prepared statements, values as text, by libpq's own functions."""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import pq

from pgcontract.errors import ServerError
from pgcontract.load.schedule import Arrival
from pgcontract.load.workload import LOT, LoadError, Step, Transaction, Workload

Values: TypeAlias = dict[str, bytes | None]
Drawn: TypeAlias = Mapping[str, Sequence[Values]]
_Sent: TypeAlias = tuple[bytes, list[bytes | None] | None]

_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.PIPELINE_ABORTED)
_PLACE: Final = 32
"""Bits of a lot that choose one row."""
GONE: Final = b"08006"


def drawn_from(connection: psycopg.Connection[Any], workload: Workload) -> dict[str, tuple[Values, ...]]:
    """The rows from which values are drawn. Raises LoadError: a query that fails, or returns no row."""
    found: dict[str, tuple[Values, ...]] = {}
    for name, query in workload.values.items():
        where = f"{workload.path}: values.{name}"
        result = connection.pgconn.exec_(query.encode())
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise LoadError("Values cannot be asked for.", where=where, seen=_said(result), remedy="Correct the query.")
        if result.ntuples == 0:
            raise LoadError(
                "There are no values to draw.",
                where=where,
                seen="no row",
                remedy="Have [rows] make what the query looks for, or ask for more --users.",
            )
        found[name] = tuple(_row(result, n) for n in range(result.ntuples))
    return found


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A step on the server. ``returns`` are its columns."""

    name: bytes
    step: Step
    returns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Prepare:
    """A transaction on the server. The steps of a batch need no answers of each other, and are sent together."""

    transaction: Transaction
    batches: tuple[tuple[_Prepared, ...], ...]
    bracketed: bool


class _Failure(Exception):
    """A statement failed; its SQLSTATE."""


class Worker:
    """Does a workload's transactions on one connection, which is its own. Raises ServerError where that is lost."""

    def __init__(self, connection: psycopg.Connection[Any], workload: Workload, drawn: Drawn) -> None:
        self._pg: Any = connection.pgconn
        self._drawn = drawn
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)
        self._work: dict[str, _Prepare] = {}
        for number, one in enumerate(workload.transactions):
            steps = self._steps(one, workload, number)
            self._work[one.name] = _Prepare(one, _batches(steps, atomic=one.atomic), one.atomic and len(steps) > 1)
        self._pg.enter_pipeline_mode()

    def perform(self, arrival: Arrival) -> str | None:
        """Do one; the SQLSTATE of what failed, in which case nothing of an atomic one is left."""
        work = self._work[arrival.transaction]
        known: Values = {"uuid": b"%032x" % arrival.lot, "n": b"%d" % arrival.number}
        for place, draw in enumerate(work.transaction.draws):
            rows = self._drawn[draw]
            known.update(rows[(arrival.lot >> _PLACE * place) % (1 << _PLACE) % len(rows)])
        try:
            self._all(work, known)
        except _Failure as failure:
            if work.bracketed:
                self._together([(b"ROLLBACK", None)])
            return str(failure)
        except psycopg.OperationalError as error:
            raise _lost(str(error)) from error
        return None

    def _all(self, work: _Prepare, known: Values) -> None:
        rows: list[Values] = []
        for place, batch in enumerate(work.batches):
            # one that is for each row stands alone
            each = batch[0].step.each
            given = [known | row for row in rows] if each else [known]
            ready = all(name in values for values in given for one in batch for name in one.step.names)
            sent: list[_Sent] = [(b"BEGIN", None)] if work.bracketed and place == 0 else []
            if ready:
                sent += [(one.name, [values[name] for name in one.step.names]) for values in given for one in batch]
            if work.bracketed and (not ready or place == len(work.batches) - 1):
                # what is deferred fails with it
                sent.append((b"COMMIT", None))
            answers = self._together(sent)
            if not ready:
                return
            answered = zip(list(batch) * len(given), answers, strict=True)
            returned = [_rows(answer) for one, answer in answered if one.returns]
            if returned:
                rows = [row for found in returned for row in found] if each else returned[-1]
            for found in returned:
                known |= found[0] if found else {}

    def _together(self, sent: Sequence[_Sent]) -> list[Any]:
        """Send statements in one round trip; the results of those that are prepared. Raises _Failure for the first."""
        pg = self._pg
        if not sent:
            return []
        for text, values in sent:
            if values is None:
                pg.send_query_params(text, None)
            else:
                pg.send_query_prepared(text, values)
        pg.pipeline_sync()
        answers: list[Any] = []
        failed: str | None = None
        for _, values in sent:
            result = self._result()
            if result.status in _FAILED:
                failed = failed or _state(result)
            self._result()
            if values is not None:
                answers.append(result)
        self._result()
        if failed is not None:
            raise _Failure(failed)
        return answers

    def _result(self) -> Any:
        """The next result. Waits outside of libpq, which would keep the interpreter from all other threads."""
        pg = self._pg
        while pg.is_busy():
            self._poll.poll()
            pg.consume_input()
        result = pg.get_result()
        if pg.status != pq.ConnStatus.OK:
            raise _lost(pg.get_error_message() if result is None else _said(result))
        return result

    def _steps(self, transaction: Transaction, workload: Workload, number: int) -> tuple[_Prepared, ...]:
        known = {*LOT, *(name for draw in transaction.draws for name in self._drawn[draw][0])}
        prepared: list[_Prepared] = []
        for n, step in enumerate(transaction.steps):
            where = f"{workload.path}: transactions.{transaction.name}, {step.title}"
            if unknown := [name for name in step.names if name not in known]:
                raise LoadError(
                    "A step needs a value that nothing gives.",
                    where=where,
                    seen=", ".join(unknown),
                    remedy=f"Known there are {', '.join(sorted(known))}.",
                )
            name = b"load_%d_%d" % (number, n)
            result = self._pg.prepare(name, step.sql.encode())
            if result.status not in _FAILED:
                result = self._pg.describe_prepared(name)
            if result.status in _FAILED:
                raise LoadError("A step cannot be done.", where=where, seen=_said(result), remedy="Correct it.")
            returns = tuple(_column(result, column) for column in range(result.nfields))
            known.update(returns)
            prepared.append(_Prepared(name, step, returns))
        return tuple(prepared)


def _batches(steps: Sequence[_Prepared], *, atomic: bool) -> tuple[tuple[_Prepared, ...], ...]:
    """Steps that can be sent together: none uses what another of them returns, and they are one transaction."""
    batches: list[list[_Prepared]] = []
    for prepared in steps:
        alone = not atomic or prepared.step.each or (batches and batches[-1][-1].step.each)
        returned = {name for other in batches[-1] for name in other.returns} if batches else set()
        if alone or not batches or returned & set(prepared.step.names):
            batches.append([])
        batches[-1].append(prepared)
    return tuple(map(tuple, batches))


def _lost(seen: str) -> ServerError:
    return ServerError("The server has closed a connection under load.", seen=seen, remedy="See the server's log.")


def _rows(result: Any) -> list[Values]:
    return [_row(result, n) for n in range(result.ntuples)]


def _row(result: Any, number: int) -> Values:
    return {_column(result, column): result.get_value(number, column) for column in range(result.nfields)}


def _column(result: Any, column: int) -> str:
    name: bytes = result.fname(column)
    return name.decode()


def _state(result: Any) -> str:
    state: bytes = result.error_field(pq.DiagnosticField.SQLSTATE) or GONE
    return state.decode()


def _said(result: Any) -> str:
    state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
    text = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
    return f"{state.decode()} {text.decode()}".strip()
