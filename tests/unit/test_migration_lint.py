"""`validate` and `create`: what is found in files, how rules are switched off, and what a new file holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.creating import create
from pgcontract.migrations.files import load_directory
from pgcontract.migrations.lint import RULES, Finding, validate
from pgcontract.migrations.lint.standards import plural
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]
END = "\n-- ROLLBACK\n-- nothing to undo\n"
FIRST = "CREATE TABLE users (id UUID, CONSTRAINT users_pkey PRIMARY KEY (id));"


def found(folder: Path, *texts: str, settings: str = "") -> list[Finding]:
    """What `validate` finds in files of these texts."""
    (folder / "migrations").mkdir(exist_ok=True)
    (folder / "system.toml").write_text(settings)
    for number, text in enumerate(texts, 1):
        (folder / "migrations" / f"{number:03}-m{number}.sql").write_text(text)
    return list(validate(System.load(folder)))


@pytest.mark.parametrize("path", configured(ROOT), ids=lambda path: path.name)
def test_every_shipped_system_is_valid(path: Path) -> None:
    """And each rule that is switched off has its reason, and finds something."""
    system = System.load(path)
    assert validate(system) == ()
    for key, reason in system.validate.items():
        assert isinstance(reason, str)
        others = {name: why for name, why in system.validate.items() if name != key}
        without = System(system.name, system.root, system.migrations, system.contract, validate=others)
        assert validate(without), f"{key} is switched off for nothing"


BROKEN = {
    "empty": "-- later",
    "transaction": "CREATE INDEX CONCURRENTLY i ON users (id);",
    "snake-case": 'CREATE TABLE "userNames" (id UUID);',
    "plural-tables": "CREATE TABLE status (id UUID);",
    "text": "CREATE TABLE users (name VARCHAR(20));",
    "timestamptz": "ALTER TABLE users ADD COLUMN made TIMESTAMP;",
    "numeric": "CREATE TABLE users (price MONEY);",
    "jsonb": "CREATE TABLE users (body JSON);",
    "named-constraints": "CREATE TABLE users (id UUID PRIMARY KEY);",
    "keyword-case": "create table users (id UUID);",
    "named-columns": "CREATE VIEW users AS SELECT * FROM a;",
    "explicit-order": "CREATE VIEW users AS SELECT id FROM a ORDER BY id;",
    "explicit-joins": "CREATE VIEW users AS SELECT id FROM a, b;",
    "squawk.ban-drop-database": "DROP DATABASE shop;",
}


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_can_be_broken_and_switched_off(tmp_path: Path, rule: str) -> None:
    """With its line; by its name, or for one migration, and always with a reason."""
    text = BROKEN[rule] + END
    findings = [finding for finding in found(tmp_path, text) if finding.rule == rule]
    assert findings
    assert "001-m1.sql" in findings[0].where
    name = f'"{rule}"' if "." not in rule else rule
    for settings in (f'[validate]\n{name} = "on purpose"\n', f'[validate]\n"{rule}:001-m1" = "on purpose"\n'):
        assert rule not in {finding.rule for finding in found(tmp_path, text, settings=settings)}


def test_every_rule_has_a_case() -> None:
    """Those of files and numbers stand below."""
    assert set(RULES) - set(BROKEN) == {"gap", "rollback", "squawk"}


def test_a_rule_is_switched_off_for_one_object(tmp_path: Path) -> None:
    """Others are still told."""
    text = "CREATE TABLE status (id UUID);\nCREATE TABLE person (id UUID);" + END
    settings = '[validate]\n"plural-tables:status" = "the word has no plural"\n'
    assert [finding.subject for finding in found(tmp_path, text, settings=settings)] == ["person"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[validate]\nnonsense = 'x'", "names no rule"),
        ("[validate]\ntext = false", "validate.text"),
        ("[validate]\ntext = ''", "validate.text"),
        ("validate = 3", "validate"),
        ("[validate.squawk]\nnonsense = 'x'", "squawk did not run"),
    ],
)
def test_a_setting_that_is_none_is_told(tmp_path: Path, settings: str, said: str) -> None:
    """Silence would switch nothing off."""
    with pytest.raises(UsageError) as caught:
        found(tmp_path, FIRST + END, settings=settings)
    assert said in str(caught.value)


def test_all_of_squawk_can_be_switched_off_and_single_rules_on(tmp_path: Path) -> None:
    """Timeouts and going on after a failure are the runner's business, unless it is said otherwise."""
    text = "ALTER TABLE users ADD COLUMN age BIGINT;" + END
    assert found(tmp_path, FIRST + END, text) == []
    on = "[validate.squawk]\nrequire-lock-timeout = true\n"
    assert {finding.rule for finding in found(tmp_path, FIRST + END, text, settings=on)} == {
        "squawk.require-lock-timeout"
    }
    alone = "-- no-transaction\nCREATE INDEX CONCURRENTLY idx_users_id ON users (id);" + END
    assert found(tmp_path, FIRST + END, alone) == []
    unsafe = "ALTER TABLE users ADD COLUMN age BIGINT NOT NULL;" + END
    assert found(tmp_path, FIRST + END, unsafe)
    assert found(tmp_path, FIRST + END, unsafe, settings='[validate]\nsquawk = "another linter does it"') == []


def test_every_file_that_is_refused_is_told(tmp_path: Path) -> None:
    """Not only the first; gaps and empty rollback sections, too."""
    findings = found(tmp_path, "SELEC;" + END, "SELECT 1;", "BEGIN;" + END, "SELECT 1;\n-- ROLLBACK\n")
    assert [(finding.rule, finding.migration) for finding in findings] == [
        ("file", "001-m1"),
        ("file", "002-m2"),
        ("file", "003-m3"),
        ("rollback", "004-m4"),
    ]
    (tmp_path / "migrations" / "002-m2.sql").unlink()
    (tmp_path / "migrations" / "0004-twice.sql").write_text("SELECT 1;" + END)
    (tmp_path / "migrations" / "seed.sql").write_text("SELECT 1;")
    told = [f"{finding.rule}: {finding.message}" for finding in found(tmp_path)]
    assert any(line.startswith("gap: no migration bears the number 2") for line in told)
    assert any("Two migrations bear the number 4" in line for line in told)
    assert any("no name of a migration (seed.sql)" in line for line in told)


@pytest.mark.parametrize(
    ("name", "is_plural"),
    [
        ("users", True),
        ("user_addresses", True),
        ("media", True),
        ("status", False),
        ("address", False),
        ("user", False),
    ],
)
def test_plurals_are_told_by_their_ending(name: str, *, is_plural: bool) -> None:
    """As far as that goes: others are switched off by name."""
    assert plural(name) is is_plural


def test_a_new_migration_has_the_next_number_and_must_be_filled_in(tmp_path: Path) -> None:
    """Words become hyphens; until both sections are written, `validate` says so, and `down` would refuse."""
    found(tmp_path, FIRST + END)
    path = create(tmp_path / "migrations", "Add orders_index")
    assert path.name == "002-add-orders-index.sql"
    assert {finding.rule for finding in validate(System.load(tmp_path))} == {"empty", "rollback"}
    alone = create(tmp_path / "migrations", "vacuum", transactional=False)
    assert [m.transactional for m in load_directory(tmp_path / "migrations")] == [True, True, False]
    assert alone.name == "003-vacuum.sql"
    with pytest.raises(UsageError):
        create(tmp_path / "migrations", "naïve")
    (tmp_path / "migrations" / "seed.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        create(tmp_path / "migrations", "more")
