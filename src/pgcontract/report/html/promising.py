"""What ``verify`` found on any number of servers and commits, as one matrix: promises by runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from pgcontract.model import Verdict
from pgcontract.report.html.interning import Texts
from pgcontract.report.html.picture import picture
from pgcontract.report.html.results import Origin, Outline, Verified

LETTERS: Final = {"proven": "p", "broken": "b", "unproven": "u", "not covered": "n"}
ABSENT: Final = "."
"""The letter of a promise that a run does not know."""


def run(origin: Origin, *, newest: bool) -> dict[str, Any]:
    """Where a column comes from."""
    return {
        "postgresql": origin.postgresql,
        "major": origin.major,
        "date": origin.date,
        "commit": origin.commit,
        "file": origin.file,
        "newest": newest,
    }


def runs(origins: Sequence[Origin]) -> list[dict[str, Any]]:
    """One column each, as they are given; the last of each major is its newest."""
    last = {origin.major: number for number, origin in enumerate(origins)}
    return [run(origin, newest=last[origin.major] == number) for number, origin in enumerate(origins)]


def promising(verified: Sequence[Verified]) -> dict[str, Any] | None:
    """One system's runs, which are given the oldest first, as data for the page: by major, and of each by age."""
    if not verified:
        return None
    ordered = sorted(verified, key=lambda one: one.origin.major)
    newest_last = sorted(verified, key=lambda one: one.origin.date)
    # the newest run that knows a promise says what it is
    known: dict[str, Verdict] = {}
    for one in newest_last:
        for verdict in one.verdicts:
            known[verdict.id] = verdict
    ids = _in_order(known, newest_last)
    kinds, tables, texts = Texts(), Texts(), Texts()
    outline = newest_last[-1].outline
    return {
        "runs": [
            {**said, "examples": one.examples, "seed": one.seed, "drift": list(one.drift)}
            for said, one in zip(runs([one.origin for one in ordered]), ordered, strict=True)
        ],
        "ids": ids,
        "kind": [kinds.number(known[id_].kind) for id_ in ids],
        "table": [tables.number(_table(known[id_], outline)) for id_ in ids],
        "clause": [known[id_].clause for id_ in ids],
        "accepted": [[texts.number(text) for text in known[id_].accepted] for id_ in ids],
        "refused": [[texts.number(text) for text in known[id_].refused] for id_ in ids],
        "kinds": kinds.all,
        "tables": tables.all,
        "texts": texts.all,
        "results": [_column(one, ids) for one in ordered],
        "picture": drawn(outline),
    }


def _in_order(known: dict[str, Verdict], newest_last: Sequence[Verified]) -> list[str]:
    """The ids of the newest run in its order, then those that only older ones know."""
    newest = [verdict.id for verdict in newest_last[-1].verdicts]
    return list(dict.fromkeys([*newest, *known]))


def _table(verdict: Verdict, outline: Outline) -> str:
    """The table whose promise it is; empty for what belongs to none."""
    return verdict.table if verdict.table in outline.tables else ""


def _column(one: Verified, ids: Sequence[str]) -> dict[str, Any]:
    found = {verdict.id: verdict for verdict in one.verdicts}
    here = [found.get(id_) for id_ in ids]
    return {
        "verdicts": "".join(ABSENT if v is None else LETTERS[v.verdict] for v in here),
        "accepts": [0 if v is None else v.accepts for v in here],
        "rejects": [0 if v is None else v.rejects for v in here],
        "told": {n: _told(v) for n, v in enumerate(here) if v is not None and _worth_telling(v)},
    }


def _worth_telling(verdict: Verdict) -> bool:
    return bool(verdict.reason or verdict.counterexample)


def _told(verdict: Verdict) -> dict[str, Any]:
    """Why a promise is broken or unproven, and the counterexample."""
    return {
        "reason": verdict.reason,
        "counterexample": verdict.counterexample,
        "breaking": None if verdict.breaking is None else asdict(verdict.breaking),
    }


def drawn(outline: Outline) -> dict[str, Any]:
    """The picture of a schema's tables; partitions are not drawn, since their parent stands for them."""
    tables = [table for table in outline.tables if table not in outline.part_of]
    laid = picture(tables, ((fk.table, fk.references) for fk in outline.foreign_keys))
    named: dict[tuple[str, str], list[str]] = {}
    for fk in outline.foreign_keys:
        told = f"{fk.name} ({', '.join(fk.columns)}) ON DELETE {fk.on_delete}"
        named.setdefault((fk.table, fk.references), []).append(told)
    return {
        "width": laid.width,
        "height": laid.height,
        "box": [laid.box_width, laid.box_height],
        "boxes": [[box.name, box.x, box.y] for box in laid.boxes],
        "links": [
            [link.table, link.references, [list(p) for p in link.points], _lines(named[link.table, link.references])]
            for link in laid.links
        ],
        "parts": dict(outline.part_of),
    }


def _lines(told: Iterable[str]) -> str:
    return "\n".join(told)
