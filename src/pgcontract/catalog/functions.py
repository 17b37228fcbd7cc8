"""Functions, procedures and aggregates. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgcontract.catalog.words import FINAL_MODIFY, FUNCTION_KINDS, PARALLEL, VOLATILITIES
from pgcontract.model import Function, Name

Rows = Mapping[str, Sequence[Any]]


def functions(rows: Rows) -> dict[int, Function]:
    """Functions by oid."""
    definitions = {row.oid: _aggregate(row) for row in rows["aggregates"]}
    return {
        row.oid: Function(
            name=Name(row.namespace, row.name),
            arguments=row.arguments,
            signature=row.signature,
            kind=FUNCTION_KINDS[row.kind],
            returns=row.returns,
            language=row.language,
            body=definitions[row.oid] if row.kind == "a" else row.body,
            volatility=VOLATILITIES[row.volatility],
            parallel=PARALLEL[row.parallel],
            security_definer=row.security_definer,
            strict=row.strict,
            leakproof=row.leakproof,
            settings=tuple(row.settings or ()),
            cost=row.cost,
            rows=row.rows,
        )
        for row in rows["functions"]
    }


def _aggregate(row: Any) -> str:
    """The clauses that CREATE AGGREGATE would need, one a line; ``*_MODIFY`` differs in its default by kind."""
    usual = "r" if row.kind == "n" else "w"
    clauses = [
        ("SFUNC", row.sfunc),
        ("STYPE", row.stype),
        ("SSPACE", row.sspace),
        ("FINALFUNC", row.finalfunc),
        ("FINALFUNC_EXTRA", row.finalfunc_extra or None),
        ("FINALFUNC_MODIFY", None if row.finalfunc_modify == usual else FINAL_MODIFY[row.finalfunc_modify]),
        ("COMBINEFUNC", row.combinefunc),
        ("SERIALFUNC", row.serialfunc),
        ("DESERIALFUNC", row.deserialfunc),
        ("INITCOND", _literal(row.initcond)),
        ("MSFUNC", row.msfunc),
        ("MINVFUNC", row.minvfunc),
        ("MSTYPE", row.mstype),
        ("MSSPACE", row.msspace),
        ("MFINALFUNC", row.mfinalfunc),
        ("MFINALFUNC_EXTRA", row.mfinalfunc_extra or None),
        ("MFINALFUNC_MODIFY", None if row.mfinalfunc_modify == usual else FINAL_MODIFY[row.mfinalfunc_modify]),
        ("MINITCOND", _literal(row.minitcond)),
        ("SORTOP", row.sortop),
        ("HYPOTHETICAL", True if row.kind == "h" else None),
    ]
    return ",\n".join(key if value is True else f"{key} = {value}" for key, value in clauses if value is not None)


def _literal(text: str | None) -> str | None:
    return None if text is None else "'" + text.replace("'", "''") + "'"
