"""Generated row classes agree with the catalog, for anybody's schema; the three systems' are up to date."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import Field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.pq import ExecStatus
from psycopg.rows import class_row
from psycopg.types.range import Range

from pgcontract.catalog import read_catalog
from pgcontract.cli import models as command
from pgcontract.contract import Contract, read, write
from pgcontract.database import Database
from pgcontract.ephemeral import template_of
from pgcontract.errors import UsageError
from pgcontract.migrations import seed
from pgcontract.model import Catalog, Check, Column, Name, Table
from pgcontract.models import source
from pgcontract.server import SUPPORTED, Server
from pgcontract.system import System
from pgcontract.values.naming import domains_of
from pgcontract.values.types import space
from tests.contract.fix_systems import PATHS
from tests.integration.fix_models import (
    choices_of,
    executed,
    hints_of,
    module_of,
    register,
    rows_of,
    strays,
    takes_none,
)
from tests.integration.fix_server import TEST_MAJOR

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
# what psycopg gives for each column of each relation: asked of the catalog in other words than `read_catalog` asks
COLUMNS = """
    SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
      a.attnotnull OR (c.relkind IN ('r', 'p', 'f') AND domain_not_null.found)
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
      WITH RECURSIVE made_of AS (
        SELECT t.typnotnull, t.typbasetype FROM pg_type AS t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.typnotnull, t.typbasetype FROM made_of JOIN pg_type AS t ON t.oid = made_of.typbasetype
      )
      SELECT bool_or(typnotnull) AS found FROM made_of
    ) AS domain_not_null
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::REGCLASS AND d.objid = c.oid AND d.deptype = 'e'
      )
      AND c.oid <> ALL (%s::REGCLASS[])
"""


@pytest.mark.parametrize("system", PATHS, ids=lambda path: path.name, indirect=True)
def test_the_systems_rows_are_up_to_date(system: System) -> None:
    """`pgcontract models` would write what is there."""
    contract = read(system.contract)
    written = (system.root / "rows.py").read_text(encoding="utf-8")
    assert written == source(contract.system, contract.catalog, system.models, system.secrets)


@pytest.mark.parametrize("system", PATHS, ids=lambda path: path.name, indirect=True)
def test_no_repr_of_the_systems_rows_shows_a_secret(system: System) -> None:
    """Hashes and tokens: a row that is logged, or that an assertion shows, gives nothing away."""
    rows = list(rows_of(executed((system.root / "rows.py").read_text(encoding="utf-8"))))
    shown = {f"{row.TABLE}.{field.name}" for row in rows for field in fields(row) if field.repr and is_text(row, field)}
    assert {name for name in shown if re.search("password|token|secret|_hash", name.rpartition(".")[2])} <= {
        "public.oauth_tokens.token_type"
    }


def is_text(row: type[Any], field: Field[Any]) -> bool:
    """Whether the field holds a text."""
    return hints_of(row)[field.name] in {str, str | None}


@pytest.fixture(params=SUPPORTED)
def every_database(
    request: pytest.FixtureRequest, zoo_servers: Callable[[int], Server], system: System
) -> Iterator[str]:
    """The DSN of a database with the system's schema in it, on each supported major."""
    server = zoo_servers(request.param)
    with server.clone(server.template(template_of(system))) as clone:
        yield clone.dsn


@pytest.mark.parametrize("system", PATHS, ids=lambda path: path.name, indirect=True)
def test_every_column_is_in_one_class_with_its_type_and_nullability(system: System, every_database: str) -> None:
    """Of the three systems, by the classes that stand in their folders; development data loads through them."""
    seed(every_database, system)
    module = executed((system.root / "rows.py").read_text(encoding="utf-8"))
    with psycopg.connect(every_database, autocommit=True) as connection:
        agree(connection, module, read(system.contract).catalog, ignore=[system.tracking_table])
        loaded = 0
        for row in rows_of(module):
            for found in connection.cursor(row_factory=class_row(row)).execute(
                f"SELECT {row.COLUMNS} FROM {row.TABLE}"
            ):
                loaded += 1
                assert [s for name, hint in hints_of(row).items() for s in strays(getattr(found, name), hint)] == []
        assert loaded > 0


def test_every_column_of_a_strange_schema_is_in_one_class(every_zoo: str) -> None:
    """Composites, domains over domains, ranges, arrays, extensions' types, and names that nobody should give."""
    with psycopg.connect(every_zoo, autocommit=True) as zoo:
        catalog = read_catalog(zoo)
        agree(zoo, module_of(catalog), catalog, ignore=[])


def agree(
    connection: psycopg.Connection[Any], module: types.ModuleType, catalog: Catalog, *, ignore: list[Name]
) -> None:
    """Hold the classes against the live catalog, and against what psycopg gives for a value of each column's type."""
    register(module, connection)
    ignored = [f"{name.namespace}.{name.name}" for name in ignore]
    connection.execute("SET search_path = ''")
    live = {(oid, number): rest for oid, number, *rest in connection.execute(COLUMNS, (ignored,))}
    seen: Counter[tuple[int, int]] = Counter()
    for row in rows_of(module):
        hints = hints_of(row)
        # the server itself says which column of which table each field shows
        # and is not asked for a plan, which a foreign table without a server has not
        prepared = connection.pgconn.prepare(b"", f"SELECT {row.COLUMNS} FROM {row.TABLE}".encode())
        assert prepared.status == ExecStatus.COMMAND_OK, prepared.error_message
        result = connection.pgconn.describe_prepared(b"")
        shown = [(result.ftable(n), result.ftablecol(n)) for n in range(result.nfields)]
        assert [(result.fname(n) or b"").decode() for n in range(result.nfields)] == list(hints)
        seen.update(shown)
        columns = [live[place] for place in shown]
        wrong = [
            name
            for (name, _, not_null), hint in zip(columns, hints.values(), strict=True)
            if hint is not Any and not_null == takes_none(hint)
        ]
        assert wrong == [], row.TABLE
        for (name, _, _), hint in zip(columns, hints.values(), strict=True):
            assert refused(connection, row, name, choices_of(hint)) == [], row.TABLE
        if hints:
            loads(connection, row, [type_ for _, type_, _ in columns], catalog)
    assert seen == Counter(live.keys())


def refused(connection: psycopg.Connection[Any], row: type[Any], column: str, choices: tuple[str, ...]) -> list[str]:
    """Which of the texts that a field may hold the table's CHECKs refuse, and what else they let pass."""
    query = """
        SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
        WHERE contype = 'c' AND conrelid = %s::REGCLASS AND conkey = ARRAY[(
          SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = %s
        )]
    """
    checks = [str(check) for (check,) in connection.execute(query, (row.TABLE, column))] if choices else []
    passes = sql.SQL("SELECT {} FROM (SELECT {}::TEXT AS {}) AS one")
    every = sql.SQL(" AND ".join(checks) or "TRUE")
    wrong = []
    for text, wanted in [*((choice, True) for choice in choices), *(("none of these", False) for _ in choices[:1])]:
        found = connection.execute(passes.format(every, sql.Literal(text), sql.Identifier(column))).fetchone()
        if found != (wanted,):
            wrong.append(text)
    return wrong


def loads(connection: psycopg.Connection[Any], row: type[Any], columns: list[str], catalog: Catalog) -> None:
    """One value of each column's type, and NULL where that may be, through ``class_row``."""
    hints = hints_of(row)
    with connection.transaction():
        for simplest in (True, False):
            parts = []
            for (name, hint), type_ in zip(hints.items(), columns, strict=True):
                # a view may show NULL where its column's domain takes none
                null = takes_none(hint) and not any(domain.not_null for domain in domains_of(type_, catalog))
                text = None if null and not simplest else next(iter(choices_of(hint)), value_of(type_, catalog))
                assert text is not None or null
                parts.append(sql.SQL(f"{{}}::{type_} AS {{}}").format(sql.Literal(text), sql.Identifier(name)))
            query = sql.SQL("SELECT {}").format(sql.SQL(", ").join(parts))
            found = connection.cursor(row_factory=class_row(row)).execute(query).fetchone()
            assert [s for name, hint in hints.items() for s in strays(getattr(found, name), hint)] == [], row.TABLE


def value_of(type_: str, catalog: Catalog) -> str | None:
    """A plain value of a type; None where it has none."""
    if type_.endswith("[]"):
        element = value_of(type_.removesuffix("[]"), catalog)
        return "{}" if element is None else '{"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"}'
    if type_ in NO_VALUES:
        return None
    return space(type_, catalog).simplest


# one without labels, and one that nothing can be put into text by
NO_VALUES = {"audit.empty_enum"}
AWKWARD = """
    CREATE SCHEMA other;
    CREATE TYPE mood AS ENUM ('fine', 'in progress', '2nd', '', 'Fine', 'class');
    CREATE DOMAIN code AS TEXT CHECK (VALUE <> '');
    CREATE DOMAIN needed AS code NOT NULL;
    CREATE DOMAIN moods AS mood[];
    CREATE TYPE place AS (name needed, moods mood[], "class" INTEGER);
    CREATE TYPE price_range AS RANGE (subtype = NUMERIC, multirange_type_name = many_prices);
    CREATE TABLE other.things_of_others (id INTEGER NOT NULL, mood mood NOT NULL);
    CREATE TABLE things (
      "class" INTEGER NOT NULL, "date" DATE NOT NULL, "int" INTEGER NOT NULL, "list" TEXT[] NOT NULL,
      "UUID" UUID, "COLUMNS" TEXT, __init__ TEXT, "Mood" mood NOT NULL, "2fa" BOOLEAN, "%s" TEXT, "{}" TEXT,
      codes code[], home place, homes place[], cost price_range, costs many_prices, words moods,
      path other.things_of_others[], CONSTRAINT no_null CHECK (array_position("list", NULL) IS NULL)
    );
    CREATE TABLE thing (id INTEGER);
    CREATE TABLE other.thing (id INTEGER);
    CREATE TABLE decimals (id NUMERIC);
    CREATE TABLE "None" (id INTEGER);
    INSERT INTO things VALUES (
      1, '2024-02-29', 2, '{a,b}', '00000000-0000-0000-0000-000000000001', 'c', 'i', 'in progress', true, 'p', 'b',
      '{x,NULL}', ('n', '{fine,NULL}', 3), ARRAY[('n', NULL, NULL)::place, NULL], '[1.5,2]', '{[1,2],[3,4]}', '{Fine}',
      ARRAY[ROW(1, 'class')::other.things_of_others]
    );
"""


@pytest.fixture
def awkward(empty: psycopg.Connection) -> psycopg.Connection:
    """A schema of names and types that do not fit Python."""
    empty.execute(AWKWARD)
    return empty


def test_names_and_types_that_do_not_fit_python_are_made_to(awkward: psycopg.Connection) -> None:
    """Values come back through ``class_row`` as the classes say, whatever columns and labels are called."""
    rows = module_of(read_catalog(awkward))
    register(rows, awkward)
    assert [(member.name, member.value) for member in rows.Mood] == [
        ("FINE", "fine"),
        ("IN_PROGRESS", "in progress"),
        ("N2ND", "2nd"),
        ("EMPTY", ""),
        ("FINE_2", "Fine"),
        ("CLASS", "class"),
    ]
    # parameters, so that psycopg looks for placeholders in the columns' names
    query = f"SELECT {rows.Things.COLUMNS} FROM {rows.Things.TABLE} WHERE 1 = %s"
    found = awkward.cursor(row_factory=class_row(rows.Things)).execute(query, (1,)).fetchone()
    assert [s for name, hint in hints_of(rows.Things).items() for s in strays(getattr(found, name), hint)] == []
    assert list(hints_of(rows.Things)) == [
        *("class_", "date", "int", "list", "UUID", "COLUMNS_", "_init__", "Mood_", "n2fa", "s", "unnamed"),
        *("codes", "home", "homes", "cost", "costs", "words", "path"),
    ]
    assert found is not None
    assert (found.class_, found.list, found.Mood_, found.codes) == (1, ["a", "b"], rows.Mood.IN_PROGRESS, ["x", None])
    assert found.home == rows.Place("n", [rows.Mood.FINE, None], 3)
    assert found.homes == [rows.Place("n", None, None), None]
    assert found.cost == Range(Decimal("1.5"), Decimal(2), "[]")
    assert found.words == [rows.Mood.FINE_2]
    assert found.path == [rows.ThingsOfOtherValue(1, rows.Mood.CLASS)]
    hints = {name: str(hint) for name, hint in hints_of(rows.Things).items()}
    assert hints["list"] == "list[str]"
    assert hints["codes"] == "list[str | None] | None"


def test_classes_that_would_be_called_alike_are_told_apart(awkward: psycopg.Connection) -> None:
    """Plurals first, then the schema; what Python or the file itself calls so keeps its name."""
    rows = module_of(read_catalog(awkward))
    assert {row.TABLE: row.__name__ for row in rows_of(rows)} == {
        "public.things": "Things",
        "public.thing": "Thing",
        "other.thing": "OtherThing",
        "other.things_of_others": "ThingsOfOther",
        "public.decimals": "DecimalRow",
        'public."None"': "NoneRow",
    }


def test_values_of_the_classes_can_be_sent(awkward: psycopg.Connection) -> None:
    """Enums as themselves, also in arrays; ranges too."""
    rows = module_of(read_catalog(awkward))
    register(rows, awkward)
    sent = (rows.Mood.FINE_2, [rows.Mood.CLASS, rows.Mood.EMPTY], Range(Decimal(1), Decimal(2)))
    query = "SELECT %s::public.mood::text, %s::public.mood[]::text, lower(%s::public.price_range)"
    assert awkward.execute(query, sent).fetchone() == ("Fine", '{class,""}', Decimal(1))


NAMES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15),
    st.sampled_from(["self", "cls", "class", "None", "__x", "_x", "x_", "x", "X", "%s", "%(x)s", "%%", "{x}", "a\\b"]),
    st.sampled_from(["ClassVar", "date", "int", "TABLE", "user", "order", '"""', "--", "ﬁ", "fi", "ª", "a", " "]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(
        NAMES.filter(lambda name: len(name.encode()) <= 63),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_any_columns_become_fields_that_class_row_fills(empty: psycopg.Connection, columns: list[str]) -> None:
    """Whatever they are called: each field holds its own column's value."""
    relation = Table(Name("pg_temp", "odd"), tuple(Column(name, "integer") for name in columns))
    module = module_of(Catalog(tables=(relation,)))
    (row,) = rows_of(module)
    empty.rollback()
    definition = sql.SQL(", ").join(sql.SQL("{} integer").format(sql.Identifier(name)) for name in columns)
    # sql.Identifier doubles no %, and there are no parameters here
    empty.execute(sql.SQL("CREATE TEMP TABLE odd ({})").format(definition))
    empty.execute(f"INSERT INTO odd SELECT {', '.join(map(str, range(len(columns))))}".encode())
    found = (
        empty.cursor(row_factory=class_row(row))
        .execute(f"SELECT {row.COLUMNS} FROM {row.TABLE} WHERE 1 = %s", (1,))
        .fetchone()
    )
    assert [getattr(found, name) for name in hints_of(row)] == list(range(len(columns)))
    empty.rollback()


def test_the_module_is_the_same_each_time(tmp_path: Path, zoo: psycopg.Connection) -> None:
    """The same bytes in processes that hash differently."""
    contract = tmp_path / "contract.toml"
    write(contract, Contract("zoo", read_catalog(zoo)))
    code = (
        "import sys, pathlib\nfrom pgcontract.contract import read\nfrom pgcontract.models import source\n"
        "sys.stdout.write(source('zoo', read(pathlib.Path(sys.argv[1])).catalog))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, str(contract)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for number in ("0", "1", "2")
    }
    assert len(texts) == 1


@pytest.mark.parametrize("length", [79, 88, 100, 120, 200])
def test_a_formatter_leaves_it_alone(tmp_path: Path, zoo: psycopg.Connection, length: int) -> None:
    """Whatever line length it is told, and with names as long as PostgreSQL lets them be."""
    long = "x" * 62
    listed = Check("listed", f"({long}2 = ANY (ARRAY['a'::text, '{long}{long}'::text]))")
    columns = tuple(Column(f"{long}{n}", t) for n, t in enumerate(("text[]", "inet", "text")))
    tables = [Table(Name("public", long), columns, checks=(listed,))]
    catalog = read_catalog(zoo)
    for number, one in enumerate((catalog, Catalog(tables=tuple(tables)))):
        (tmp_path / f"rows_{number}.py").write_text(source("zoo", one), encoding="utf-8")
    assert "Literal[" in (tmp_path / "rows_1.py").read_text(encoding="utf-8")
    check = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(length), "--diff", "."]
    done = subprocess.run(check, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


USE = """
from typing import assert_type

import psycopg
from psycopg.rows import class_row
from rows import Everything, JobStatus, register


def first(connection: psycopg.Connection) -> Everything | None:
    register(connection)
    cursor = connection.cursor(row_factory=class_row(Everything))
    found = cursor.execute(f"SELECT {Everything.COLUMNS} FROM {Everything.TABLE}").fetchone()
    if found is not None:
        assert_type(found.status, JobStatus)
        assert_type(found.y, list[str | None])
    return found
"""


@pytest.mark.thorough
def test_a_type_checker_takes_it(tmp_path: Path, zoo: psycopg.Connection, awkward: psycopg.Connection) -> None:
    """mypy, strict; and the type of a field is known where it is used."""
    (tmp_path / "rows.py").write_text(source("zoo", read_catalog(zoo)), encoding="utf-8")
    (tmp_path / "awkward_rows.py").write_text(source("awkward", read_catalog(awkward)), encoding="utf-8")
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    check = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."]
    done = subprocess.run(check, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_classes_work_with_the_pool(pgcontract_server: Server, system_database: str) -> None:
    """``register`` is what ``configure`` takes."""
    del pgcontract_server
    with psycopg.connect(system_database) as connection:
        rows = module_of(read_catalog(connection))
    with Database(system_database, configure=getattr(rows, "register", None)) as database:
        for row in rows_of(rows):
            database.query(sql.SQL(f"SELECT {row.COLUMNS} FROM {row.TABLE} LIMIT 1"), row=row)


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str], test_binaries: Any) -> None:
    """Beside the contract, or where it is told; --check writes nothing and exits 1 where it would."""
    path = tmp_path / "shop.sql"
    path.write_text("CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT);\n", encoding="utf-8")
    binaries = {"pg": TEST_MAJOR, "pg_bin": test_binaries.bin_dir}
    rows = tmp_path / "shop_rows.py"
    assert (ended(path, check=True, **binaries), rows.exists()) == (1, False)
    assert ended(path, **binaries) == 0
    assert executed(rows.read_text(encoding="utf-8")).Note.TABLE == "public.notes"
    assert "written" in capsys.readouterr().out
    assert ended(path, check=True, **binaries) == 0
    rows.write_text("", encoding="utf-8")
    assert (ended(path, check=True, **binaries), rows.read_text(encoding="utf-8")) == (1, "")
    captured = capsys.readouterr()
    assert "out of date" in captured.out
    assert f"to write it: pgcontract models {path}\n" in captured.out
    assert f"{path} has no shop.contract.toml" in captured.err.replace("\n", "")
    assert ended(path, out=Path("-"), **binaries) == 0
    assert capsys.readouterr().out.startswith('"""Rows of shop, typed.')


def test_what_cannot_be_is_told_before_any_work(tmp_path: Path) -> None:
    """No server is started: a folder that is not there, and a check of what is only printed."""
    path = tmp_path / "shop.sql"
    path.write_text("CREATE TABLE notes (id INTEGER PRIMARY KEY);\n", encoding="utf-8")
    nowhere: dict[str, Any] = {"pg": TEST_MAJOR, "pg_bin": tmp_path}
    with pytest.raises(UsageError, match="cannot be written") as unwritable:
        command.models(path, out=tmp_path / "no" / "rows.py", **nowhere)
    assert unwritable.value.seen == "there is no such folder"
    with pytest.raises(UsageError, match="--check") as printed:
        command.models(path, out=Path("-"), check=True, **nowhere)
    assert printed.value.seen == "--out -"


def ended(path: Path, **options: Any) -> int:
    """Run the command; its exit code."""
    with pytest.raises(typer.Exit) as raised:
        command.models(path, **options)
    return int(raised.value.exit_code)
