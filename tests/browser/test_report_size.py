"""Large reports: how fast one opens, and how big one is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pgcontract.contract import read
from pgcontract.contract.outline import outline
from pgcontract.model import Verdict
from pgcontract.promises import promises
from pgcontract.promises.base import Mutable
from pgcontract.queries import queries_of
from pgcontract.report.html import Results, document, page, read_results
from pgcontract.report.html.reading import read_outline
from pgcontract.report.html.results import Measured, Mutant, Mutated, Origin, PlanLine, Planned, Query, Verified
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MAJORS = (15, 16, 17, 18)
MADE = "2026-01-02T03:04:05+00:00"


def test_a_large_report_opens_within_a_second(browser: Browser, shop_results: Path, tmp_path: Path) -> None:
    """5,000 promises on four versions: from the start of the navigation to all that is there to see.

    The best of five, since other work on the machine is no business of the report.
    """
    shop = read_results([shop_results]).verified
    one = next(v for v in shop if v.origin.major == 18 and v.origin.date == max(o.origin.date for o in shop))
    many = [
        replace(v, id=f"copy_{n}_of_{v.id}", table=f"copy_{n}_of_{v.table}")
        for n in range(5000 // len(one.verdicts) + 1)
        for v in one.verdicts
    ][:5000]
    tables = tuple(dict.fromkeys(v.table for v in many if v.table))
    keys = tuple(
        replace(fk, table=f"copy_{n}_of_{fk.table}", references=f"copy_{n}_of_{fk.references}")
        for n in range(5000 // len(one.verdicts))
        for fk in one.outline.foreign_keys
    )
    drawing = replace(one.outline, tables=tables, foreign_keys=keys)
    results = Results(
        tuple(
            replace(one, origin=replace(one.origin, postgresql=f"{n}.1"), verdicts=tuple(many), outline=drawing)
            for n in MAJORS
        )
    )
    report = tmp_path / "large.html"
    report.write_text(page(document(results, made=MADE, version="0")), encoding="utf-8")
    times = []
    for _ in range(5):
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(report.as_uri())
        tab.wait_for_selector("main[data-ready]")
        # two frames later it has been painted
        shown = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
        tab.evaluate(shown)
        times.append(tab.evaluate("performance.getEntriesByName('ready')[0].startTime"))
        assert tab.locator("#promises [role=status]").inner_text() == "5,000 promises"
        tab.close()
    assert min(times) < 1000, times


def test_three_systems_on_four_majors_fit_into_500_kib() -> None:
    """All promises and all mutants of the three systems, and their hot queries at three sizes, on each major.

    Names, clauses and changes are those of the systems; numbers and fates are drawn, which packs worse than real ones.
    """
    drawn = random.Random(1)
    results = Results()
    for path in PATHS:
        system = System.load(path)
        catalog = read(system.contract).catalog
        covered = dict(promises(catalog))
        drawing = read_outline(outline(catalog))
        mutants = tuple(
            Mutant(
                id_, promise.kind, mutant.operator, mutant.what, _fate(drawn), reason="drawn", ddl=mutant.ddl[0].text
            )
            for id_, promise in covered.items()
            if isinstance(promise, Mutable)
            for mutant in promise.mutants(catalog)
        )
        for major in MAJORS:
            origin = Origin("f.json", system.name, f"{major}.1", MADE, "0123456789ab")
            verdicts = tuple(_verdict(drawn, id_, p.kind, p.clause, str(p.table)) for id_, p in covered.items())
            planned = tuple(_query(drawn, q.name, q.text, q.meaning, q.uses) for q in queries_of(system.queries))
            results = replace(
                results,
                verified=(*results.verified, Verified(origin, 100, 0, verdicts, (), drawing)),
                mutated=(*results.mutated, Mutated(origin, 0, mutants)),
                planned=(*results.planned, Planned(origin, planned, (), drawing)),
            )
    text = page(document(results, made=MADE, version="0"))
    size = len(text.encode()) / 1024
    assert size < 500, size


def _fate(drawn: random.Random) -> str:
    """Nearly all are killed."""
    return drawn.choices(("killed by proof", "killed by drift only", "equivalent"), (94, 2, 4))[0]


def _verdict(drawn: random.Random, id_: str, kind: str, clause: str, table: str) -> Verdict:
    values = [f"{table} = '{drawn.randrange(10**6)}'" for _ in range(12)]
    return Verdict(
        id_,
        kind,
        clause,
        "proven",
        drawn.randrange(200),
        drawn.randrange(200),
        table=table,
        accepted=tuple(values[:6]),
        refused=tuple(values[6:]),
    )


def _query(drawn: random.Random, name: str, sql: str, meaning: str, uses: Sequence[str]) -> Query:
    plan = tuple(
        PlanLine(depth, f"Index Scan on {name} by {name}_{depth}", drawn.randrange(9999), drawn.randrange(9999))
        for depth in range(5)
    )
    sizes = (1000, 10_000, 100_000)
    measured = tuple(
        Measured(
            rows=size,
            verdict="kept",
            parent="large",
            returned=drawn.randrange(9999),
            pages=drawn.randrange(9999),
            bound=drawn.randrange(9999),
            most=drawn.randrange(9999),
            milliseconds=drawn.random(),
            fastest=drawn.random(),
            slowest=drawn.random(),
            problems=(),
            plan=plan,
        )
        for size in sizes
    )
    return Query(name, meaning, sql, tuple(uses), "1.1 * bound + 2", measured, frozenset())
