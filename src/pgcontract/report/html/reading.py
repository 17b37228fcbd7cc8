"""Files of results to ``Results``. Which command wrote a file, the file itself says; what it lacks is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pgcontract.compare.benchmarks import read_benchmarks
from pgcontract.errors import UsageError
from pgcontract.model import Breaking, Reason, Step, Verdict
from pgcontract.report.html.results import (
    Benchmarked,
    ForeignKey,
    Index,
    Measured,
    Mutant,
    Mutated,
    Origin,
    Outline,
    PlanLine,
    Planned,
    Query,
    Results,
    Timed,
    Verified,
    Worth,
)

FORMAT: Final = 1
WRITERS: Final = "verify, mutate, bench plans, bench compare or pytest-benchmark"
VERDICTS: Final = ("proven", "broken", "unproven", "not covered")
_FATES: Final = {
    "survived": "survived",
    "drift_only": "killed by drift only",
    "equivalent": "equivalent",
    "impaired": "impaired",
    "killed": "killed by proof",
}

Said = Mapping[str, Any]


def read_results(paths: Iterable[Path]) -> Results:
    """The results in these files, and in the .json files of folders among them. Raises UsageError."""
    found: dict[type, list[Any]] = {kind: [] for kind in (Verified, Mutated, Planned, Timed, Benchmarked)}
    for path in _files(paths):
        one = read_result(path)
        found[type(one)].append(one)
    for kind, many in found.items():
        many.sort(key=lambda one: one.date if kind in (Timed, Benchmarked) else one.origin.date)
    return Results(*(tuple(many) for many in found.values()))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(path.glob("*.json"))
        if not inside:
            raise UsageError("The folder holds no result.", where=str(path), remedy=f"Write some: {WRITERS}.")
        yield from inside


def read_result(path: Path) -> Verified | Mutated | Planned | Timed | Benchmarked:
    """What one file holds. Raises UsageError."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("The file cannot be read.", where=str(path), seen=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("The file is no JSON.", where=str(path), seen=str(error)) from error
    if isinstance(said, dict) and "benchmarks" in said:
        commit = said.get("commit_info")
        commit_id = commit.get("id") if isinstance(commit, dict) else None
        # pytest-benchmark's word for what is in no repository
        named = str(commit_id)[:12] if commit_id and commit_id != "unversioned" else None
        return Benchmarked(path.name, str(said.get("datetime", "")), named, read_benchmarks(path))
    command = said.get("command") if isinstance(said, dict) else None
    read = _READERS.get(command) if isinstance(command, str) else None
    if read is None:
        raise UsageError(
            "The file is no result of which a report can be made.",
            where=str(path),
            seen=f"command {command!r}",
            remedy=f"Give what these write with --json: {WRITERS}.",
        )
    if said.get("format") != FORMAT:
        raise UsageError(
            "The file is of another format.",
            where=str(path),
            seen=f"format {said.get('format')!r}, and {FORMAT} is known",
            remedy=f"Write it again: pgcontract {command} --json {path.name}",
        )
    try:
        return read(path.name, said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        seen = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"The file is not as {command} writes it.",
            where=str(path),
            seen=seen,
            remedy=f"Write it again: pgcontract {command} --json {path.name}",
        ) from error


def _verified(file: str, said: Said) -> Verified:
    verdicts = tuple(_verdict(one) for one in said["verdicts"])
    return Verified(
        _origin(file, said),
        int(said["examples"]),
        int(said["seed"]),
        verdicts,
        _texts(said["drift"]),
        read_outline(said["tables"]),
    )


def _verdict(said: Said) -> Verdict:
    verdict = said["verdict"]
    if verdict not in VERDICTS:
        raise ValueError(f"verdict {verdict!r} of {said['id']}")
    return Verdict(
        _text(said["id"]),
        _text(said["kind"]),
        _text(said["clause"]),
        verdict,
        int(said["accepts"]),
        int(said["rejects"]),
        float(said["seconds"]),
        _optional(said["reason"]),
        _optional(said["counterexample"]),
        None if said["because"] is None else Reason(said["because"]),
        _optional(said["table"]),
        _texts(said["accepted"]),
        _texts(said["refused"]),
        None if said["breaking"] is None else _breaking(said["breaking"]),
    )


def _breaking(said: Said) -> Breaking:
    parts = (tuple(_step(one) for one in said[part]) for part in ("around", "change", "reference"))
    return Breaking(_text(said["promised"]), _text(said["seen"]), *parts)


def _step(said: Said) -> Step:
    row = said["row"]
    held = None if row is None else {_text(column): _optional(value) for column, value in row.items()}
    return Step(_text(said["sql"]), _optional(said["table"]), held)


def _mutated(file: str, said: Said) -> Mutated:
    mutants = tuple(_mutant(one, fate) for part, fate in _FATES.items() for one in said[part])
    return Mutated(_origin(file, said), int(said["sample"]), mutants)


def _mutant(said: Said, fate: str) -> Mutant:
    return Mutant(
        _text(said["promise"]),
        _text(said["kind"]),
        _text(said["operator"]),
        _text(said["what"]),
        fate,
        _optional(said.get("killer")),
        _optional(said.get("reason")) or "",
        _optional(said.get("listed")),
        _optional(said.get("ddl")) or "",
    )


def _planned(file: str, said: Said) -> Planned:
    by_name: dict[str, list[Said]] = {}
    for one in said["queries"]:
        by_name.setdefault(_text(one["query"]), []).append(one)
    return Planned(
        _origin(file, said),
        tuple(_query(name, sizes) for name, sizes in by_name.items()),
        tuple(_worth(one) for one in said["worth"]),
        read_outline(said["tables"]),
    )


def _query(name: str, sizes: Sequence[Said]) -> Query:
    first = sizes[0]
    executions = [execution for size in sizes for execution in size["measured"]]
    read = frozenset(node["index"] for one in executions for node in one["nodes"] if node["index"] is not None)
    measured = tuple(worst for size in sizes if (worst := _worst(size)) is not None)
    return Query(
        name,
        _text(first["meaning"]),
        _text(first["sql"]),
        _texts(first["uses"]),
        _text(first["promise"]),
        tuple(sorted(measured, key=lambda one: one.rows)),
        read,
    )


def _worst(size: Said) -> Measured | None:
    """The execution to show: a broken one, else the one that came nearest to its limit."""
    worst = max(size["measured"], key=lambda m: (bool(m["problems"]), m["pages"] / max(m["most"], 1)), default=None)
    if worst is None:
        return None
    return Measured(
        rows=int(size["rows"]),
        verdict=_text(size["verdict"]),
        parent=_text(worst["size"]),
        returned=int(worst["rows"]),
        pages=int(worst["pages"]),
        bound=int(worst["bound"]),
        most=float(worst["most"]),
        milliseconds=float(worst["milliseconds"]),
        fastest=None if worst["fastest"] is None else float(worst["fastest"]),
        slowest=None if worst["slowest"] is None else float(worst["slowest"]),
        problems=_texts(p for one in size["measured"] for p in one["problems"]),
        plan=_plan(worst["nodes"]),
    )


def _worth(said: Said) -> Worth:
    return Worth(
        _text(said["query"]),
        _text(said["index"]),
        int(said["rows"]),
        int(said["pages_with"]),
        int(said["pages_without"]),
        float(said["milliseconds_with"]),
        float(said["milliseconds_without"]),
        _plan(said["nodes_with"]),
        _plan(said["nodes_without"]),
    )


def _plan(nodes: Iterable[Said]) -> tuple[PlanLine, ...]:
    return tuple(
        PlanLine(int(n["depth"]), _text(n["what"]), int(n["rows"]), int(n["pages"]), _optional(n["index"]))
        for n in nodes
    )


def _timed(file: str, said: Said) -> Timed:
    numbers = ("floor", "ratio", "low", "high", "a_milliseconds", "b_milliseconds")
    compared = tuple(
        {
            "name": _text(one["name"]),
            "verdict": _optional(one["verdict"]),
            "note": _text(one["note"]),
            **{name: None if one[name] is None else float(one[name]) for name in numbers},
        }
        for one in said["compared"]
    )
    a, b, date = (_text(said[name]) for name in ("a", "b", "date"))
    return Timed(file, _optional(said["system"]), date, a, b, bool(said["paired"]), _texts(said["warnings"]), compared)


def _origin(file: str, said: Said) -> Origin:
    system, postgresql, date = (_text(said[name]) for name in ("system", "postgresql", "date"))
    return Origin(file, system, postgresql, date, _optional(said["commit"]))


def read_outline(tables: Sequence[Said]) -> Outline:
    """Tables as ``contract.outline`` tells them. Raises KeyError, TypeError."""
    return Outline(
        tuple(_text(table["name"]) for table in tables),
        {_text(t["name"]): _text(t["partition_of"]) for t in tables if t["partition_of"] is not None},
        tuple(
            ForeignKey(
                table["name"],
                _text(fk["name"]),
                _texts(fk["columns"]),
                _text(fk["references"]),
                _text(fk["on_delete"]),
            )
            for table in tables
            for fk in table["foreign_keys"]
        ),
        tuple(
            Index(
                table["name"],
                _text(index["name"]),
                _text(index["clause"]),
                tuple(_optional(column) for column in index["columns"]),
                bool(index["unique"]),
            )
            for table in tables
            for index in table["indexes"]
        ),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text should be")
    return value


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


_READERS: Final[Mapping[str, Callable[[str, Said], Verified | Mutated | Planned | Timed]]] = {
    "verify": _verified,
    "mutate": _mutated,
    "bench plans": _planned,
    "bench compare": _timed,
}
