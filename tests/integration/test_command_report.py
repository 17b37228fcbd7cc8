"""``pgcontract report`` as people run it, on what the other commands write."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pgcontract.provenance import provenance
from tests.integration.test_command_verify import SCHEMA, pgcontract, refused

QUERY = """\
-- A parent's children.
-- uses: idx_children_parent
-- $1 integer: the parent; from children.parent_id
SELECT id FROM children WHERE parent_id = $1
"""


def shown(report: Path) -> Any:
    """The data of a page."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', report.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(json.loads(found[1])["gzip"])))


@pytest.mark.thorough
def test_one_page_of_what_every_command_found(tmp_path: Path) -> None:
    """A folder of results becomes a page with the promises, the mutants, the queries and their plans."""
    house, results, report = tmp_path / "house", tmp_path / "results", tmp_path / "out.html"
    (house / "migrations").mkdir(parents=True)
    (house / "queries").mkdir()
    results.mkdir()
    schema = SCHEMA.replace("fk_parent REF", "fk_parent NOT NULL REF").replace("SET NULL", "CASCADE")
    schema += "CREATE INDEX idx_children_parent ON children (parent_id);"
    (house / "migrations" / "001-house.sql").write_text(f"{schema}\n-- ROLLBACK\nSELECT 1;\n")
    (house / "queries" / "children.sql").write_text(QUERY)
    (house / "system.toml").write_text("[bench]\nchildren = 1\nparents = 0.2\n")
    commands: dict[str, list[str | Path]] = {
        "verify": ["verify", house, "--examples", "5", "--seed", "7"],
        "mutate": ["mutate", house, "--only", "children.chk_age"],
        "plans": ["bench", "plans", house, "--rows", "500,8000", "--worth"],
    }
    for name, words in commands.items():
        result = pgcontract(*words, "--json", results / f"{name}.json")
        assert result.returncode == 0, result.stdout + result.stderr
    result = pgcontract("report", results, "-o", report)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(str(report))
    (system,) = shown(report)["systems"]
    assert system["name"] == "house"
    promises = system["promises"]
    at = promises["ids"].index("children.chk_age")
    assert promises["clause"][at].startswith("CHECK")
    assert "age = '17'" in [promises["texts"][n] for n in promises["accepted"][at]]
    assert promises["runs"][0]["seed"] == 7
    assert promises["results"][0]["verdicts"] == "p" * len(promises["ids"])
    assert {box[0] for box in promises["picture"]["boxes"]} == {"children", "parents"}
    assert set(system["mutants"]["results"][0]["fates"]) == {"k"}
    queries = system["queries"]
    assert queries["names"] == ["children"]
    ((_, small), (_, large)) = [(size[0], size) for size in queries["results"][0][0]["sizes"]]
    for size in (small, large):
        _, verdict, _, pages, bound, most, typical, fastest, slowest, *_ = size
        assert verdict == "kept"
        assert 0 < pages <= most
        assert 0 < bound <= most
        assert 0 < fastest <= typical <= slowest
    assert queries["results"][0][0]["plan"]
    (worth,) = queries["worth"]
    assert (worth["query"], worth["index"], worth["rows"]) == ("children", "idx_children_parent", 8000)
    assert all(worth["plans"])
    assert min(worth["pages"]) > 0


@pytest.mark.thorough
def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    """Exit 2, the file and what may be given; nothing is written."""
    path = tmp_path / "other.json"
    path.write_text('{"format": 1}')
    refused(pgcontract("report", path, "-o", tmp_path / "out.html"), str(path), "bench plans", "pytest-benchmark")
    refused(pgcontract("report", tmp_path / "none.json"), "none.json", "cannot be read")
    assert not (tmp_path / "out.html").exists()


def test_a_result_names_its_commit(tmp_path: Path) -> None:
    """The repository's, with a mark where files differ; none outside of a repository, or before its first commit."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", tmp_path, *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "schema.sql"
    file.write_text("SELECT 1;")
    assert provenance(file).commit is None
    git("init", "--quiet")
    assert provenance(file).commit is None
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    head = git("rev-parse", "--short=12", "HEAD")
    assert provenance(file).commit == provenance(tmp_path / "shop").commit == head
    (tmp_path / "elsewhere.txt").write_text("no business of the system's")
    assert provenance(file).commit == head
    file.write_text("SELECT 2;")
    assert provenance(file).commit == f"{head}+"
    assert provenance(tmp_path / "none" / "such").commit is None
    assert provenance(None).commit is None
