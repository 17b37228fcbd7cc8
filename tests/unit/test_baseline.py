"""The list of what is known to be broken or unproven: what it covers, how it shrinks, how it is written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcontract.contract import Baseline, read_baseline, write_baseline
from pgcontract.contract.baseline import dumps
from pgcontract.errors import UsageError
from pgcontract.model import Verdict
from pgcontract.system import System

LISTED = Baseline({"a.chk": "since 2019"}, {"b.trg": "no row passes"})


def verdict(id_: str, said: Literal["proven", "broken", "unproven"], reason: str | None = None) -> Verdict:
    """What was found of one promise."""
    return Verdict(id_, "check", "CHECK (true)", said, reason=reason)


def test_what_is_listed_is_known_and_nothing_worse() -> None:
    """Broken covers unproven; unproven does not cover broken; what is not listed is never known."""
    assert LISTED.reason("a.chk", "broken") == "since 2019"
    assert LISTED.reason("a.chk", "unproven") == "since 2019"
    assert LISTED.reason("b.trg", "unproven") == "no row passes"
    assert LISTED.reason("b.trg", "broken") is None
    assert LISTED.reason("c", "broken") is None
    assert LISTED.reason("a.chk", "proven") is None


def test_it_only_shrinks() -> None:
    """What is proven goes, what is gone goes, what got better moves, what is new does not come."""
    found = [verdict("a.chk", "unproven"), verdict("b.trg", "proven"), verdict("c", "broken")]
    assert LISTED.shrunk(found) == Baseline({}, {"a.chk": "since 2019"})
    assert LISTED.mended(found) == ("b.trg",)
    assert LISTED.gone(["a.chk", "c"]) == ("b.trg",)
    assert not LISTED.shrunk([verdict("b.trg", "broken")])


def test_what_is_found_is_listed_with_its_reason_on_one_line() -> None:
    """A reason that both directions have is said once."""
    found = [
        verdict("a", "broken", "promised: accepted;\n  seen: 23514"),
        verdict("b", "unproven", "accepts: no row; rejects: no row"),
        verdict("c", "unproven", "accepts: no row; rejects: no key"),
        verdict("d", "proven"),
    ]
    assert Baseline.of(found) == Baseline(
        {"a": "promised: accepted; seen: 23514"}, {"b": "no row", "c": "accepts: no row; rejects: no key"}
    )


@given(
    st.dictionaries(st.text(min_size=1), st.text(min_size=1).filter(str.strip)),
    st.dictionaries(st.text(min_size=1), st.text(min_size=1).filter(str.strip)),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, broken: dict[str, str], unproven: dict[str, str]
) -> None:
    """Whatever ids and reasons hold; an empty list is no file."""
    file = tmp_path_factory.mktemp("list") / "baseline.toml"
    write_baseline(file, Baseline(broken, unproven))
    assert file.exists() == bool(broken or unproven)
    assert read_baseline(file) == Baseline(broken, unproven)


def test_a_promise_is_a_line_and_lines_are_sorted() -> None:
    """So that two branches merge, and that a review shows what became of each promise."""
    text = dumps(Baseline({"b": "two", "a": "one"}))
    assert [line for line in text.splitlines() if " = " in line] == ['"a" = "one"', '"b" = "two"']


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[broken]\na = 1\n", "has no reason"),
        ('[broken]\na = " "\n', "has no reason"),
        ('[broken]\na.b = "not in quotes"\n', "has no reason"),
        ('[known]\na = "x"\n', "known"),
        ("broken = 3\n", "something else"),
        ("[broken\n", "cannot be read"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """With the file's name and what to write."""
    file = tmp_path / "baseline.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words) as raised:
        read_baseline(file)
    assert str(file) in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("contract", "baseline"),
    [
        ("contract.toml", "baseline.toml"),
        ("schema.contract.toml", "schema.baseline.toml"),
        ("promises.toml", "promises.baseline.toml"),
    ],
)
def test_it_stands_beside_the_contract(contract: str, baseline: str) -> None:
    """Under a name that is the contract's own."""
    assert System("shop", Path(), None, Path("db") / contract).baseline == Path("db") / baseline
