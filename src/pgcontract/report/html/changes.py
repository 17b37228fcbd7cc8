"""What changed between two runs on the same major: what grew worse, what got better, what came and what went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol, TypeVar

from pgcontract.compare.benchmarks import compare_records
from pgcontract.report.html.results import (
    Benchmarked,
    Measured,
    Mutated,
    Origin,
    Planned,
    Query,
    Results,
    Timed,
    Verified,
)
from pgcontract.signs import count

TOLERANCE: Final = 1.1
SLACK: Final = 2
"""Pages: a database that is filled anew has its rows a little elsewhere."""
_GOOD: Final = {"proven": 2, "not covered": 1, "unproven": 1, "broken": 0}


class _Run(Protocol):
    @property
    def origin(self) -> Origin: ...


Run = TypeVar("Run", bound=_Run)
Item = dict[str, Any]


def changes(results: Results) -> list[dict[str, Any]]:
    """Every comparison that the results allow, those with something worse first."""
    found = [
        *_each(results.verified, "promises", _promises),
        *_each(results.planned, "queries", _queries),
        *_each(results.mutated, "mutants", _mutants),
        *(_timed(one) for one in results.timed),
        *_benchmarks(results.benchmarked),
    ]
    return sorted(found, key=lambda one: -sum(item["verdict"] == "worse" for item in one["items"]))


def _each(runs: Sequence[Run], what: str, compared: Callable[[Run, Run], Iterator[Item]]) -> Iterator[dict[str, Any]]:
    """The last two runs of each system and major."""
    by: dict[tuple[str, int], list[Run]] = {}
    for run in sorted(runs, key=lambda one: one.origin.date):
        by.setdefault((run.origin.system, run.origin.major), []).append(run)
    for (system, major), those in by.items():
        for before, after in list(pairwise(those))[-1:]:
            yield {
                "what": what,
                "system": system,
                "major": major,
                "a": _label(before.origin),
                "b": _label(after.origin),
                "notes": [],
                "items": _sorted(compared(before, after)),
            }


def _sorted(items: Iterable[Item]) -> list[Item]:
    order = ("worse", "new", "gone", "better", "same", "not judged")
    return sorted(items, key=lambda item: (order.index(item["verdict"]), item["name"]))


def _label(origin: Origin) -> str:
    return _dated(origin.commit, origin.file, origin.date)


def _dated(commit: str | None, file: str, date: str) -> str:
    """By its commit, or else its file."""
    return f"{commit or file}, {date[:16].replace('T', ' ')}"


def _promises(before: Verified, after: Verified) -> Iterator[Item]:
    was = {verdict.id: verdict.verdict for verdict in before.verdicts}
    now = {verdict.id: verdict.verdict for verdict in after.verdicts}
    for id_ in dict.fromkeys([*now, *was]):
        old, new = was.get(id_), now.get(id_)
        if old != new:
            yield {"name": id_, "was": old, "now": new, "verdict": _judged(old, new, _GOOD)}


def _judged(old: str | None, new: str | None, good: Mapping[str, int]) -> str:
    if old is None:
        return "new" if new is None or good[new] == max(good.values()) else "worse"
    if new is None:
        return "gone"
    return "worse" if good[new] < good[old] else "better"


def _mutants(before: Mutated, after: Mutated) -> Iterator[Item]:
    good = {"killed by proof": 2, "equivalent": 2, "impaired": 2, "killed by drift only": 1, "survived": 0}
    was, now = ({f"{m.promise} {m.operator} {m.what}".strip(): m.fate for m in run.mutants} for run in (before, after))
    for id_ in now:
        old, new = was.get(id_), now[id_]
        if old is not None and good[old] != good[new]:
            yield {"name": id_, "was": old, "now": new, "verdict": _judged(old, new, good)}


def _queries(before: Planned, after: Planned) -> Iterator[Item]:
    was = {query.name: query for query in before.queries}
    now = {query.name: query for query in after.queries}
    for name in dict.fromkeys([*now, *was]):
        old, new = was.get(name), now.get(name)
        if old is None or new is None:
            yield {"name": name, "verdict": "new" if old is None else "gone", "told": [], "sizes": []}
            continue
        item = _query(old, new)
        if item["verdict"] != "same" or item["told"]:
            yield item


def _query(old: Query, new: Query) -> Item:
    """One query at all sizes that both runs have."""
    at = {measured.rows: measured for measured in old.measured}
    pairs = [(at[measured.rows], measured) for measured in new.measured if measured.rows in at]
    verdicts = [_measured(a, b) for a, b in pairs]
    told = [f"{count(b.rows, 'row')}: {_told(a, b)}" for (a, b), v in zip(pairs, verdicts, strict=True) if v != "same"]
    if pairs and [line.what for line in pairs[-1][0].plan] != [line.what for line in pairs[-1][1].plan]:
        told.append(f"{count(pairs[-1][1].rows, 'row')}: another plan")
    verdict = "worse" if "worse" in verdicts else "better" if "better" in verdicts else "same"
    sizes = [[b.rows, a.pages, b.pages, a.milliseconds, b.milliseconds] for a, b in pairs]
    return {"name": new.name, "verdict": verdict, "told": told, "sizes": sizes}


def _measured(a: Measured, b: Measured) -> str:
    """By the promise and by pages, which are counted. Times of two runs were not taken in turns, and judge nothing."""
    if (a.verdict == "broken") != (b.verdict == "broken"):
        return "worse" if b.verdict == "broken" else "better"
    if b.pages > TOLERANCE * a.pages + SLACK:
        return "worse"
    return "better" if a.pages > TOLERANCE * b.pages + SLACK else "same"


def _told(a: Measured, b: Measured) -> str:
    words = [f"{a.verdict}, now {b.verdict}"] if a.verdict != b.verdict else []
    return ", ".join([*words, f"{count(a.pages, 'page')}, now {b.pages:,}"])


def _timed(timed: Timed) -> dict[str, Any]:
    words = {"slower": "worse", "faster": "better", "same": "same", None: "not judged"}
    return {
        "what": "times",
        "system": timed.system,
        "major": None,
        "a": timed.a,
        "b": timed.b,
        "notes": list(timed.warnings),
        "items": _sorted({**one, "verdict": words.get(one["verdict"], "not judged")} for one in timed.compared),
    }


def _benchmarks(benchmarked: Sequence[Benchmarked]) -> Iterator[dict[str, Any]]:
    """The last two records that have benchmarks in common."""
    for before, after in reversed(list(pairwise(benchmarked))):
        compared = compare_records(before.record, after.record)
        if compared:
            said = [one.as_dict() for one in compared]
            timed = Timed(after.file, None, after.date, _named(before), _named(after), False, (), tuple(said))
            yield _timed(timed) | {"what": "benchmarks", "notes": ["not measured in turns"]}
            return


def _named(one: Benchmarked) -> str:
    return _dated(one.commit, one.file, one.date)
