"""Texts cut as psql cuts them: what a statement is, where it stands, and what becomes of psql's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.errors import MigrationError
from pgcontract.inputs.judging import meaning_of
from pgcontract.inputs.psql import Connection, CopiedFile, Part, Reader
from pgcontract.inputs.script import Statement, statements
from pgcontract.inputs.texts import read_any


def read(folder: Path, text: str) -> list[Part]:
    """What the file runs."""
    file = folder / "all.sql"
    file.write_text(text, encoding="utf-8")
    return list(Reader(file).parts())


def texts(folder: Path, text: str) -> list[str]:
    """Its statements, as they are sent."""
    return [part.text for part in read(folder, text) if isinstance(part, Statement)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("A; B", ["A", "B"]),
        ("-- one; two\nA /* ; /* ; */ ; */ x;\n", ["A /* ; /* ; */ ; */ x"]),
        (
            "SELECT ';', E'\\';', \"a;\"\"b\", U&'\\;', $$;$$, $a$;$$;$a$;B",
            ["SELECT ';', E'\\';', \"a;\"\"b\", U&'\\;', $$;$$, $a$;$$;$a$", "B"],
        ),
        ("SELECT 'a''; b' ; B", ["SELECT 'a''; b'", "B"]),
        ("CREATE RULE r AS ON INSERT TO t DO (A; B); C", ["CREATE RULE r AS ON INSERT TO t DO (A; B)", "C"]),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END; B",
            ["CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END", "B"],
        ),
        ("BEGIN; A; END; B;", ["BEGIN", "A", "END", "B"]),
        ("SELECT a$b$c; B$1;", ["SELECT a$b$c", "B$1"]),
        ("SELECT a::text, f(a := 1), b[1:n]; ;; B", ["SELECT a::text, f(a := 1), b[1:n]", "B"]),
        (
            "SET standard_conforming_strings = off; SELECT 'a\\';b'; C",
            ["SET standard_conforming_strings = off", "SELECT 'a\\';b'", "C"],
        ),
    ],
)  # fmt: skip
def test_a_semicolon_ends_a_statement_only_where_it_does(tmp_path: Path, text: str, cut: list[str]) -> None:
    """Not in quotes, comments, brackets, bodies of SQL."""
    assert texts(tmp_path, text) == cut


def test_each_statement_knows_its_line(tmp_path: Path) -> None:
    """Its own first line, not that of a comment before it, also after data and commands."""
    text = "-- why\n\nA\n  x;\n\\echo it's\nCOPY t FROM stdin;\n1\n2\n\\.\n/* b\n*/ B;"
    found = [(part.text, part.line, part.data) for part in read(tmp_path, text) if isinstance(part, Statement)]
    assert found == [("A\n  x", 3, None), ("COPY t FROM stdin", 6, "1\n2\n"), ("B", 11, None)]


def test_copys_data_is_data(tmp_path: Path) -> None:
    """Whatever it looks like, up to its end; without an end it is no schema."""
    data = "DROP TABLE t;\t'\t$$\n\\N\t\\\\.\n\\connect x\n"
    (part,) = read(tmp_path, f'COPY "s"."t" (a, b) FROM stdin WITH (FORMAT text);\n{data}\\.\n')
    assert isinstance(part, Statement)
    assert part.data == data
    with pytest.raises(MigrationError, match="no end") as caught:
        read(tmp_path, "\nCOPY t FROM STDIN;\n1\n")
    assert (caught.value.where or "").endswith(":2")


@pytest.mark.parametrize(
    ("text", "line"), [("A;\n'open", 2), ('\n"open;', 2), ("$$ open", 1), ("$a$ $$ ;", 1), ("A;\n\n/* /* */ ;", 3)]
)
def test_what_is_not_closed_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """It is the sign of a file that was cut off."""
    with pytest.raises(MigrationError, match="never closed") as caught:
        read(tmp_path, text)
    assert (caught.value.where or "").endswith(f":{line}")


def test_commands_that_only_print_are_skipped(tmp_path: Path) -> None:
    """Dumps and scripts are full of them; what follows `q` is not read."""
    text = "\\restrict abc\n\\echo 'a;\n\\pset pager off\n\\d+ t\n\\set ON_ERROR_STOP on\nA;\n\\unrestrict abc\n\\q\nB;"
    assert texts(tmp_path, text) == ["A"]


@pytest.mark.parametrize(
    "command", ["\\gexec", "\\gset", "\\if true", "\\! rm x", "\\copy t from program 'x'", "\\lo_import x", "\\o f"]
)  # fmt: skip
def test_commands_that_would_change_what_runs_are_refused(tmp_path: Path, command: str) -> None:
    """By name, with the line."""
    with pytest.raises(MigrationError) as caught:
        read(tmp_path, f"A;\n{command}\n")
    assert command.partition(" ")[0] in caught.value.what
    assert (caught.value.where or "").endswith(":2")


def test_variables_are_put_in(tmp_path: Path) -> None:
    """As they are, as a text, as a name; one that is not set is refused, also where it would have been a slice."""
    text = "\\set a 'it''s' x\n\\set b 1\nSELECT :b, :'a', :\"a\", :{?a}, :{?c};\n\\unset b\nSELECT x[:b], t::int;"
    assert texts(tmp_path, text) == ["SELECT 1, 'it''sx', \"it'sx\", TRUE, FALSE", "SELECT x[:b], t::int"]
    with pytest.raises(MigrationError, match="not set") as caught:
        read(tmp_path, "SELECT\n :'a';")
    assert ((caught.value.where or "").rpartition(":")[2], caught.value.seen) == ("2", ":'a'")


def test_included_files_are_read_where_they_stand(tmp_path: Path) -> None:
    """`ir` from the file's own folder, `i` from the first file's as well; lines are the included file's own."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.sql").write_text("A;\n\\ir b.sql\n\\i parts/c.sql\n")
    (tmp_path / "parts" / "b.sql").write_text("\nB;")
    (tmp_path / "parts" / "c.sql").write_text("C;")
    found = read(tmp_path, "\\i parts/a.sql\nD;")
    told = [(part.text, part.path.name, part.line) for part in found if isinstance(part, Statement)]
    assert told == [("A", "a.sql", 1), ("B", "b.sql", 2), ("C", "c.sql", 1), ("D", "all.sql", 2)]


@pytest.mark.parametrize(("name", "said"), [("gone.sql", "not there"), ("all.sql", "includes itself")])
def test_what_cannot_be_included_is_told(tmp_path: Path, name: str, said: str) -> None:
    """With the line that asks for it."""
    with pytest.raises(MigrationError, match=said) as caught:
        read(tmp_path, f"A;\n\\i {name}\n")
    assert (caught.value.where or "").endswith("all.sql:2")


@pytest.mark.parametrize(
    ("command", "database"),
    [
        ("\\c shop", "shop"),
        ("\\connect shop;", "shop"),
        ('\\connect "My Shop" user host', "My Shop"),
        ("\\connect -reuse-previous=on \"dbname='shop'\"", "shop"),
        ("\\c postgresql://u@h:1/shop?x=y", "shop"),
    ],
)
def test_the_database_to_go_on_in_is_read(tmp_path: Path, command: str, database: str) -> None:
    """Names and connection strings."""
    (part,) = read(tmp_path, command)
    assert isinstance(part, Connection)
    assert part.database == database


def test_connecting_as_somebody_else_stays_where_it_is(tmp_path: Path) -> None:
    """No other database is meant."""
    assert read(tmp_path, "\\c\n\\c - bob\n") == []


def test_a_copied_file_is_looked_for_beside_the_script(tmp_path: Path) -> None:
    """The statement is COPY's own; what would be written is not."""
    (part,) = read(tmp_path, "\\copy s.t (a, b) FROM './t.csv' WITH (FORMAT csv, HEADER)\n\\copy t TO 'out.csv'\n")
    assert part == CopiedFile(
        "COPY s.t (a, b) FROM STDIN WITH (FORMAT csv, HEADER)", tmp_path / "t.csv", tmp_path / "all.sql", 1
    )


def test_a_migration_knows_no_commands(tmp_path: Path) -> None:
    """What a tool sends to the server as it stands is not obeyed."""
    found = list(statements("SELECT :a \\gexec;\nB;", tmp_path / "1.sql", 7))
    assert [(part.text, part.line) for part in found] == [("SELECT :a \\gexec", 7), ("B", 8)]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfSELECT 1;\r\n", "SELECT 1;\n"),
        ("SET client_encoding = LATIN1;\nSELECT 'é';".encode("latin-1"), "SET client_encoding = LATIN1;\nSELECT 'é';"),
        ("SET NAMES WIN1252;\nSELECT '€';".encode("cp1252"), "SET NAMES WIN1252;\nSELECT '€';"),
        ("SELECT 'é';".encode("utf-16"), "SELECT 'é';"),
        ("SET client_encoding = 'LATIN1';\nSELECT 'é';".encode(), "SET client_encoding = 'LATIN1';\nSELECT 'é';"),
    ],
)  # fmt: skip
def test_a_text_is_read_in_the_encoding_that_it_names(tmp_path: Path, content: bytes, text: str) -> None:
    """UTF-8 where it is, whatever it says."""
    (tmp_path / "a.sql").write_bytes(content)
    assert read_any(tmp_path / "a.sql").removeprefix("\ufeff") == text


def test_an_archive_is_no_script(tmp_path: Path) -> None:
    """The remedy makes one of it."""
    (tmp_path / "a.sql").write_bytes(b"PGDMP\x01\x0e\xff")
    with pytest.raises(MigrationError, match="archive") as caught:
        read_any(tmp_path / "a.sql")
    assert "pg_restore" in (caught.value.remedy or "")


def test_an_encoding_that_is_not_named_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    (tmp_path / "a.sql").write_bytes("SELECT 'é';".encode("latin-1"))
    with pytest.raises(MigrationError, match="not UTF-8"):
        read_any(tmp_path / "a.sql")


@pytest.mark.parametrize(
    ("statement", "kind", "roles"),
    [
        ('GRANT SELECT ON t TO "A b", PUBLIC, CURRENT_USER', "grant_stmt", {"A b"}),
        ("ALTER TABLE t OWNER TO bob", "alter_table_stmt", {"bob"}),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT ALL ON TABLES TO b", "alter_default_privileges_stmt", {"a", "b"}),
        ("CREATE POLICY p ON t TO a USING (true)", "create_policy_stmt", {"a"}),
        ("GRANT a TO b", "grant_role_stmt", {"a", "b"}),
        ("CREATE ROLE a IN ROLE b", "create_role_stmt", {"b"}),
        ("SET SESSION AUTHORIZATION 'bob'", "variable_set_stmt", {"bob"}),
        ("SET ROLE none", "variable_set_stmt", set()),
        ("INSERT INTO role VALUES ('GRANT x TO y')", "", set()),
        ("CREATE TABLE role (owner text) WITH NONSENSE", "", set()),
    ],
)  # fmt: skip
def test_roles_are_read_from_the_tree(statement: str, kind: str, roles: set[str]) -> None:
    """Every one that must be there, and no other; what does not parse says nothing."""
    meaning = meaning_of(statement)
    assert (meaning.kind, set(meaning.roles)) == (kind, roles)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER DATABASE shop SET search_path TO a",
        "ALTER DATABASE shop OWNER TO bob",
        "GRANT CONNECT ON DATABASE shop TO bob",
        "COMMENT ON DATABASE shop IS 'x'",
        "ALTER ROLE bob IN DATABASE shop SET work_mem TO '1MB'",
        "ALTER DATABASE shop CONNECTION LIMIT 5",
    ],
)
def test_what_is_said_of_a_database_is_said_of_this_one(statement: str) -> None:
    """The template stands for the database that a script names."""
    meaning = meaning_of(statement)
    assert meaning.about_database
    assert "shop" not in meaning.for_database("This One")
    assert '"This One"' in meaning.for_database("This One")
