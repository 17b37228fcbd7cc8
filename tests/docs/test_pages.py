"""Every command and every block of code in the documentation does what the page says, from its top to its end."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pgcontract.server import Binaries, Server, start
from tests.contract.fix_systems import ROOT
from tests.docs.pages import Follower, commands, fences, shows
from tests.docs.readers import BY_CI, ELSEWHERE, INSTEAD, READERS

SHOP = "postgresql:///shop"
PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("schema/*/README.md")]
)


def named(page: Path) -> str:
    """``docs/tutorial.md``."""
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def server(test_binaries: Binaries, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of the reader's own, which libpq's variables name: pages speak of ``postgresql:///shop``."""
    with start(test_binaries) as found:
        with psycopg.connect(found.address.dsn(), autocommit=True) as connection:
            for name in ("shop", "messenger", "optimizer"):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        monkeypatch.setenv("PGHOST", str(found.address.host))
        monkeypatch.setenv("PGPORT", str(found.address.port))
        monkeypatch.setenv("PGUSER", "postgres")
        monkeypatch.setenv("DATABASE_URL", SHOP)
        monkeypatch.setenv("COLUMNS", "120")
        # a reader's pytest is nobody's worker: as one it would time nothing
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield found


@pytest.mark.thorough
@pytest.mark.parametrize("page", [page for page in PAGES if named(page) not in ELSEWHERE], ids=named)
@pytest.mark.usefixtures("server", "hearing")
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Followed from top to bottom by somebody who has what the page takes for granted."""
    monkeypatch.chdir(tmp_path)
    follower = Follower(tmp_path, instead=INSTEAD.get(named(page), {}))
    with contextlib.ExitStack() as stack:
        if named(page) in READERS:
            stack.enter_context(READERS[named(page)](follower))
        for fence in fences(page):
            try:
                follower.follow(fence)
            except Exception as error:
                error.add_note(f"{named(page)}, line {fence.line}")
                raise


def test_no_reader_is_prepared_for_a_page_that_is_gone() -> None:
    """And nothing is run in the place of what no page says."""
    assert {*READERS, *INSTEAD, *ELSEWHERE} <= set(map(named, PAGES))
    assert all((ROOT / place).is_file() for place in ELSEWHERE.values())
    for page, parts in INSTEAD.items():
        said = {command for fence in fences(ROOT / page) for command in commands(fence.text)}
        assert [part for part in parts if part not in {command.removeprefix("$ ") for command in said}] == []


def test_the_commands_of_the_readme_are_run_by_ci() -> None:
    """Word for word; here they would be run again."""
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (begins,) = re.findall(r"grep -E '\^(.*)' README\.md", ci)
    run = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith(begins)]
    assert run == [said for said, instead in INSTEAD["README.md"].items() if instead == BY_CI]
    assert len(run) == 2


def test_what_is_printed_is_compared_with_what_is_shown() -> None:
    """Numbers and blanks may differ, lines may be left out; words may not."""
    printed = "kind   proven  seconds\ncheck  12      0.5\nall    40      12.75\n"
    assert shows(printed, "kind  proven seconds\ncheck      4     3.31")
    assert shows(printed, "kind  …\nall …")
    assert not shows(printed, "all 40 12.75\nkind proven seconds")
    assert not shows(printed, "unique 12 0.5")
    assert not shows(printed, "check 12")


def test_a_shells_commands_are_told_from_its_comments() -> None:
    """A line that ends in a backslash goes on."""
    assert commands("# first\none --a \\\n  --b  # why\n\ntwo\n") == ["one --a --b", "two"]
