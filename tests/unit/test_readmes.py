"""What the systems' READMEs say of tests is so: every test that one names is there, in the file that it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pgcontract.system import configured

ROOT = Path(__file__).parents[2]
READMES = [folder / "README.md" for folder in configured(ROOT)]


@cache
def written() -> frozenset[tuple[str, str]]:
    """Every test under tests/, as its file's name and its own."""
    return frozenset(
        (path.name, node.name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def named(text: str) -> list[tuple[str, str]]:
    """The tests that a text names: ``file.py::test``, or ``test`` alone, whose file is then empty."""
    return re.findall(r"(?:\b(test_\w+\.py)::)?\b(test_\w+)\b(?!\.py|\w*::)", text)


def unknown(text: str) -> list[str]:
    """The tests that a text names and that are not there, and so for files."""
    files = {file for file, _ in written()}
    names = {name for _, name in written()}
    gone = [
        f"{file}::{name}" if file else name
        for file, name in named(text)
        if (file and (file, name) not in written()) or name not in names
    ]
    return gone + [file for file in re.findall(r"\btest_\w+\.py\b", text) if file not in files]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_test_that_a_readme_names_is_there(readme: Path) -> None:
    """Its table from the documents to the tests cannot rot; and it has one."""
    text = readme.read_text(encoding="utf-8")
    assert len(named(text)) >= 10
    assert unknown(text) == []


def test_a_test_that_is_gone_or_elsewhere_is_found_out() -> None:
    """By its name alone, or with the file that it is said to be in."""
    here = "`test_readmes.py::test_every_test_that_a_readme_names_is_there`"
    assert unknown(f"| a | {here}, `test_a_test_that_is_gone_or_elsewhere_is_found_out` |") == []
    assert unknown("`test_that_nobody_wrote`") == ["test_that_nobody_wrote"]
    assert unknown("`test_absent.py::test_that`") == ["test_absent.py::test_that", "test_absent.py"]
    elsewhere = here.replace("test_readmes", "test_system")
    assert unknown(elsewhere) == [elsewhere.strip("`")]
