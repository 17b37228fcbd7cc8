"""Migration files: what is read from them, and everything that is refused before anything is executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.errors import MigrationError
from pgcontract.migrations.files import load, load_directory, load_plain

GOOD = "CREATE TABLE t ();\n-- ROLLBACK\nDROP TABLE t;\n"


def folder_of(tmp_path: Path, **files: str | bytes) -> Path:
    for name, text in files.items():
        path = tmp_path / f"{name.replace('_', '-')[1:]}.sql"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return tmp_path


def test_the_marker_separates_up_and_down(tmp_path: Path) -> None:
    """Up ends before the marker's line, down begins behind it and knows its line."""
    (migration,) = load_directory(folder_of(tmp_path, _001_first=GOOD))
    assert (migration.number, migration.name) == (1, "001-first")
    assert migration.up == "CREATE TABLE t ();\n"
    assert migration.down == "\nDROP TABLE t;\n"
    assert migration.down_line == 2


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\n-- ROLLBACK\n';\n",
        "DO $$\nBEGIN\n-- ROLLBACK\nEND\n$$;\n",
        "/* /* */\n-- ROLLBACK\n*/ SELECT 1;\n",
        "SELECT 1; -- ROLLBACK\n",
        'SELECT 1 AS "\n-- ROLLBACK\n";\n',
    ],
)
def test_a_marker_inside_something_else_is_none(tmp_path: Path, text: str) -> None:
    """Strings, bodies, block comments, quoted names, and the end of another line."""
    (migration,) = load_directory(folder_of(tmp_path, _001_first=text + "-- ROLLBACK\nSELECT 2;"))
    assert migration.up == text
    assert migration.down == "\nSELECT 2;"


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD.replace("\n", "\r\n")])
def test_byte_order_marks_and_line_ends_make_no_difference(tmp_path: Path, text: str) -> None:
    """What is executed and the checksum are those of the plain file."""
    plain = load(folder_of(tmp_path, _001_plain=GOOD) / "001-plain.sql", 1)
    other = load(folder_of(tmp_path, _002_other=text) / "002-other.sql", 2)
    assert (other.up, other.down, other.checksum) == (plain.up, plain.down, plain.checksum)


def test_a_checksum_tells_every_other_change(tmp_path: Path) -> None:
    """In the rollback section, too."""
    first = load(folder_of(tmp_path, _001_a=GOOD) / "001-a.sql", 1)
    second = load(folder_of(tmp_path, _002_b=GOOD + " ") / "002-b.sql", 2)
    assert first.checksum != second.checksum


def test_a_comment_says_that_there_is_nothing_to_undo_and_silence_does_not(tmp_path: Path) -> None:
    """An empty rollback section may be a forgotten one."""
    files = {"_001_said": "SELECT 1;\n-- ROLLBACK\n-- nothing to undo\n", "_002_silent": "SELECT 1;\n-- ROLLBACK\n\n"}
    said, silent = load_directory(folder_of(tmp_path, **files))
    assert said.down is not None
    assert silent.down is None


def test_migrations_come_by_number(tmp_path: Path) -> None:
    """Not by name: 1000 follows 999. Files that are no SQL are left alone."""
    (tmp_path / "README.md").write_text("hello")
    found = load_directory(folder_of(tmp_path, _1000_last=GOOD, _002_b=GOOD, _999_c=GOOD))
    assert [migration.number for migration in found] == [2, 999, 1000]


@pytest.mark.parametrize(
    ("text", "said", "where"),
    [
        ("CREATE TABLE t ();\n", "no line `-- ROLLBACK`", "001-a.sql"),
        ("SELECT 1;\n-- rollback\nSELECT 2;", "no line `-- ROLLBACK`", "001-a.sql:2"),
        ("SELECT 1;\n-- ROLLBACK\n-- ROLLBACK\n", "2 lines `-- ROLLBACK`", "lines 2, 3"),
        ("SELECT 1;\nSELECT 2;\n\nCREATE TABEL t ();\n-- ROLLBACK\n-- none", "TABEL", "001-a.sql:4 (statement 3)"),
        ("SELECT 1;\n-- ROLLBACK\n\nSELECT 1;\nDORP TABLE t;", "DORP", "001-a.sql:5 (statement 2)"),
        ("SELECT 'é';\nSELECT 'open;\n-- ROLLBACK\n-- none", "unterminated quoted string", "001-a.sql:2"),
        ("SELECT 1;\nCOMMIT;\n-- ROLLBACK\n-- none", "begin or end a transaction", "001-a.sql:2 (statement 2)"),
        ("BEGIN;\nSELECT 1;\n-- ROLLBACK\n-- none", "begin or end a transaction", "001-a.sql:1 (statement 1)"),
        ("SELECT 1;\n-- ROLLBACK\nROLLBACK;", "begin or end a transaction", "001-a.sql:3 (statement 1)"),
        ("COPY t FROM STDIN;\n-- ROLLBACK\n-- none", "COPY", "001-a.sql:1 (statement 1)"),
        ("\\connect shop\n-- ROLLBACK\n-- none", "\\connect is a command of psql", "001-a.sql:1"),
        ("SELECT 1;\n  \\i other.sql\n-- ROLLBACK\n-- none", "\\i is a command of psql", "001-a.sql:2"),
        ("SELECT 1;\n\\echo don't\n-- ROLLBACK\n-- none", "\\echo is a command of psql", "001-a.sql:2"),
        ("SELECT 1 \\gset\n-- ROLLBACK\n-- none", "\\gset is a command of psql", "001-a.sql:1"),
        ("SELECT 1;\n-- ROLLBACK\n\\! rm x\n", "\\! is a command of psql", "001-a.sql:3"),
        ("SELECT 1;\nCOPY t (a) FROM stdin;\n1\tx\n\\.\n-- ROLLBACK\n-- none", "COPY has no data", "001-a.sql:2"),
        (b"SELECT '\xe9';\n-- ROLLBACK\n-- none", "not UTF-8", "001-a.sql"),
        ("SELECT '\0';\n-- ROLLBACK\n-- none", "NUL", "001-a.sql:1"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line_and_statement(
    tmp_path: Path, text: str | bytes, said: str, where: str
) -> None:
    """Each mistake ends in one message that says what, where and what to do."""
    with pytest.raises(MigrationError) as caught:
        load_directory(folder_of(tmp_path, _001_a=text))
    assert said in caught.value.what
    assert where in (caught.value.where or "")
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\\connect shop';\n",
        "SELECT $$\n\\connect shop\n$$;\n",
        "-- \\connect shop\nSELECT 1;\n",
        "/* /* BEGIN; */ COMMIT; */ SELECT 1;\n",
        "DO $x$ BEGIN PERFORM $$;COMMIT;$$; END $x$;\n",
        "CREATE FUNCTION f() RETURNS INT BEGIN ATOMIC SELECT 1; END;\n",
        "COPY t FROM '/srv/t.csv';\n",
        "PREPARE p AS SELECT 1;\n",
    ],
)
def test_what_only_looks_forbidden_is_not(tmp_path: Path, text: str) -> None:
    """Inside strings, bodies and comments; and statements that merely begin alike."""
    (migration,) = load_directory(folder_of(tmp_path, _001_a=text + "-- ROLLBACK\n-- none\n"))
    assert migration.up == text


def test_savepoints_are_a_migrations_own_business(tmp_path: Path) -> None:
    """They end nothing that the runner began."""
    text = "SAVEPOINT a;\nSELECT 1;\nROLLBACK TO a;\nRELEASE a;\n-- ROLLBACK\n-- none\n"
    assert load_directory(folder_of(tmp_path, _001_a=text))


@pytest.mark.parametrize(
    "name", ["1-short.sql", "001_underscore.sql", "seed.sql", "001-Upper.sql", "001-.sql", "001.sql"]
)
def test_a_name_that_is_no_migrations_is_refused(tmp_path: Path, name: str) -> None:
    """A seed file beside the migrations is never taken for one."""
    (tmp_path / name).write_text(GOOD)
    with pytest.raises(MigrationError) as caught:
        load_directory(tmp_path)
    assert name in (caught.value.where or "")


def test_two_files_of_one_number_are_both_named(tmp_path: Path) -> None:
    """Also where they are written differently."""
    with pytest.raises(MigrationError) as caught:
        load_directory(folder_of(tmp_path, _001_a=GOOD, _0001_b=GOOD))
    assert "001-a.sql" in (caught.value.where or "")
    assert "0001-b.sql" in (caught.value.where or "")


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    """It is more likely the wrong folder than a schema of nothing; one that is not there is named, too."""
    with pytest.raises(MigrationError, match="no migrations"):
        load_directory(tmp_path)
    with pytest.raises(MigrationError, match="cannot be read"):
        load_directory(tmp_path / "absent")


def test_a_broken_link_is_not_read_as_nothing(tmp_path: Path) -> None:
    """A file that was there and cannot be read must not be left out."""
    (tmp_path / "002-b.sql").symlink_to(tmp_path / "gone")
    with pytest.raises(MigrationError) as caught:
        load_directory(folder_of(tmp_path, _001_a=GOOD))
    assert "002-b.sql" in (caught.value.where or "")


def test_a_plain_file_needs_no_marker(tmp_path: Path) -> None:
    """One .sql file is a schema; where it has a rollback section, that is not part of it."""
    plain = tmp_path / "schema.sql"
    plain.write_text("CREATE TABLE t ();\n")
    assert load_plain(plain).down is None
    plain.write_text(GOOD)
    assert load_plain(plain).up == "CREATE TABLE t ();\n"


def test_names_of_files_are_read_as_the_system_gives_them(tmp_path: Path) -> None:
    """A folder with spaces and letters beyond ASCII."""
    folder = tmp_path / "ações de loja"
    folder.mkdir()
    assert load_directory(folder_of(folder, _001_a=GOOD))
