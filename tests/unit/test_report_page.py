"""The page's data: what is read of files, what is compared, and how it is put into one document."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgcontract.errors import UsageError
from pgcontract.model import Verdict
from pgcontract.report.html import document, page, read_results
from pgcontract.report.html.changes import changes
from pgcontract.report.html.page import SCRIPTS, STYLES, embedded
from pgcontract.report.html.queries import unneeded
from pgcontract.report.html.results import (
    ForeignKey,
    Index,
    Measured,
    Origin,
    Outline,
    PlanLine,
    Planned,
    Query,
    Results,
    Verified,
    Worth,
)

MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:(?!//www\.w3\.org/2000/svg)"
)
HOSTILE = "</script><!--<script>\u2028&\ud800"


def origin(day: int, major: int = 18, system: str = "shop") -> Origin:
    """A run of that day."""
    return Origin("f.json", system, f"{major}.1", f"2026-01-{day:02}T00:00:00+00:00", f"c{day}")


def verified(day: int, *verdicts: tuple[str, Any], major: int = 18) -> Verified:
    """A run that found these verdicts."""
    found = tuple(Verdict(id_, "check", f"CHECK ({HOSTILE})", verdict) for id_, verdict in verdicts)
    return Verified(origin(day, major), 25, 0, found, (), Outline(("t",)))


def query(pages: int, *, verdict: str = "kept", uses: str = "idx", plan: str = "Index Scan on t by idx") -> Query:
    """A query that was measured once."""
    line = PlanLine(0, plan, 1, pages, None)
    measured = Measured(1000, verdict, "large", 1, pages, 4, 6.4, 0.1, 0.1, 0.2, (), (line,))
    return Query("page", "", "SELECT 1", (uses,), "1.1 * bound + 2", (measured,), frozenset({"idx_read"}))


def planned(day: int, *queries: Query, outline: Outline | None = None, worth: tuple[Worth, ...] = ()) -> Planned:
    """A run that measured these queries."""
    return Planned(origin(day), queries, worth, outline or Outline())


def data_of(text: str) -> Any:
    """What a document holds."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(json.loads(found[1])["gzip"])))


# the document


def test_nothing_of_the_data_is_markup() -> None:
    """Names that would end the script or begin a comment come back as they were; the same data make the same text."""
    made = document(Results((verified(1, (HOSTILE, "proven")),)), made="2026-01-01T00:00:00+00:00", version="0")
    text = page(made)
    assert data_of(text) == json.loads(json.dumps(made))
    assert data_of(text)["systems"][0]["promises"]["ids"] == [HOSTILE]
    assert text.count("<script") == 2
    assert "<" not in embedded(made)
    assert page(made) == text


def test_only_its_own_script_and_style_are_allowed() -> None:
    """The policy names the hashes of just these, nothing of any network, and nothing inline."""
    text = page(document(Results(), made="2026-01-01T00:00:00+00:00", version="0"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]


def test_the_scripts_never_read_markup_out_of_data() -> None:
    """No way to make markup of text stands in them, and every part is in the document."""
    parts = Path("src/pgcontract/report/html/parts")
    assert {path.name for path in parts.iterdir()} == {*SCRIPTS, *STYLES, "page.html"}
    for path in parts.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not MARKUP.search(text), path.name
        # the page has them without their indentation
        assert all(line.count("`") % 2 == 0 for line in text.splitlines()), path.name


# files


def test_bad_files_are_told(tmp_path: Path) -> None:
    """Each with its path, what was seen, and what to do."""
    whole: dict[str, Any] = {"command": "verify", "format": 1, "examples": 1, "seed": 0, "drift": [], "tables": []}
    whole |= {"system": "s", "postgresql": "18.1", "date": "2026-01-01", "commit": None, "verdicts": []}
    for content, word in (
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no result"),
        ('{"command": ["verify"]}', "no result"),
        ('{"command": "doctor", "format": 1}', "command 'doctor'"),
        (json.dumps(whole | {"format": 2}), "format 2"),
        (json.dumps({k: v for k, v in whole.items() if k != "verdicts"}), "no 'verdicts'"),
        (json.dumps(whole | {"system": 5}), "5 where a text"),
        (json.dumps(whole | {"verdicts": [{"id": "x", "verdict": "maybe"}]}), "maybe"),
        (json.dumps(whole | {"verdicts": 7}), "not as verify writes it"),
        ('{"benchmarks": [1]}', "pytest-benchmark"),
    ):
        path = tmp_path / "result.json"
        path.write_text(content)
        with pytest.raises(UsageError) as error:
            read_results([path])
        assert word in str(error.value), content[:80]
        assert str(path) in str(error.value)
    (tmp_path / "empty").mkdir()
    for missing in (tmp_path / "none.json", tmp_path / "empty"):
        with pytest.raises(UsageError):
            read_results([missing])


# what is compared


def test_runs_on_one_major_are_compared_the_last_with_the_one_before() -> None:
    """What is worse comes first; another major is another comparison, and a single run is none."""
    results = Results(
        (
            verified(1, ("a", "broken"), ("b", "proven")),
            verified(2, ("a", "proven"), ("b", "proven"), ("c", "proven"), ("d", "proven")),
            verified(3, ("a", "broken"), ("c", "unproven"), ("d", "proven"), ("e", "proven"), ("f", "broken")),
            verified(3, ("a", "broken"), major=15),
        )
    )
    (found,) = changes(results)
    assert (found["major"], found["a"][:2], found["b"][:2]) == (18, "c2", "c3")
    assert [(item["name"], item["verdict"]) for item in found["items"]] == [
        ("a", "worse"),
        ("c", "worse"),
        ("f", "worse"),
        ("e", "new"),
        ("b", "gone"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (query(10), query(13), None),
        (query(10), query(14), "worse"),
        (query(14), query(10), "better"),
        (query(10), query(10, verdict="broken"), "worse"),
        (query(14, verdict="broken"), query(14), "better"),
        (query(10), query(10, plan="Seq Scan on t"), "same"),
    ],
)
def test_a_query_is_worse_by_its_promise_or_its_pages(before: Query, after: Query, verdict: str | None) -> None:
    """A few pages more are how rows lie; another plan within as many pages is told, and no worse."""
    (found,) = changes(Results(planned=(planned(1, before), planned(2, after))))
    assert [item["verdict"] for item in found["items"]] == ([verdict] if verdict else [])


def test_a_query_that_was_not_measured_at_the_same_size_is_not_judged() -> None:
    """Pages at 1,000 rows say nothing of pages at 5,000."""
    other = query(900)
    other = replace(other, measured=(replace(other.measured[0], rows=5000),))
    (found,) = changes(Results(planned=(planned(1, query(3)), planned(2, other))))
    assert found["items"] == []


# indexes


def test_an_index_is_needed_by_what_promises_or_reads_it() -> None:
    """A unique one refuses rows; one that a foreign key looks up by says so; a promised one that is no use is told."""
    names = {"idx": ("a",), "idx_read": ("a",), "idx_idle": ("a",), "idx_fk": ("b", "a"), "uq": ("a",)}
    indexes = tuple(Index("t", name, "…", columns, unique=name == "uq") for name, columns in names.items())
    outline = Outline(("t",), {}, (ForeignKey("t", "fk", ("b",), "u", "CASCADE"),), indexes)
    worth = Worth("page", "idx", 1000, 5, 5, 0.1, 0.1, (), ())
    found = unneeded([planned(1, query(5), outline=outline, worth=(worth,))])
    assert {(one["name"], one["needed"], *one["serves"]) for one in found} == {
        ("idx", True),
        ("idx_idle", False),
        ("idx_fk", False, "fk"),
    }
    dear = replace(worth, pages_without=50)
    assert "idx" not in {one["name"] for one in unneeded([planned(1, query(5), outline=outline, worth=(dear,))])}
