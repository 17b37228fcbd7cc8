"""Names of every kind, all the way through: frozen, read back, compared, proven, and broken on purpose."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract, drift, dumps, read, write
from pgcontract.ephemeral import ServerChoice, ephemeral
from pgcontract.mutation import Plan as Mutation
from pgcontract.mutation import mutate
from pgcontract.populate import Plan as Amounts
from pgcontract.populate import populate
from pgcontract.system import System
from pgcontract.verify import Plan, verify
from tests.integration.fix_server import TEST_MAJOR
from tests.integration.test_command_verify import pgcontract

pytestmark = pytest.mark.thorough

FILES = sorted((Path(__file__).parent / "names").glob("*.sql"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def schema(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    """A schema in one file: several namespaces, reserved words, names that must be quoted, a search path."""
    shutil.copy(request.param, tmp_path)
    return System.load(tmp_path / request.param.name)


def test_names_go_all_the_way_through(schema: System) -> None:
    """What is frozen reads back the same and shows no drift; every promise is proven, in both directions."""
    with ephemeral(schema, ServerChoice(TEST_MAJOR)) as stage:
        contract = Contract(schema.name, stage.read_catalog())
        write(schema.contract, contract)
        again = read(schema.contract)
        assert dumps(again) == dumps(contract)
        assert drift(again.catalog, stage.read_catalog()) == ()
        result = verify(stage, again, Plan(examples=5, workers=1))
    assert [(one.id, one.reason) for one in result.verdicts if one.verdict != "proven"] == []


@pytest.mark.thorough
def test_what_is_broken_on_purpose_is_noticed(schema: System) -> None:
    """None survives, and none is impaired by its name."""
    with ephemeral(schema, ServerChoice(TEST_MAJOR)) as stage:
        contract = Contract(schema.name, stage.read_catalog())
        result = mutate(stage, contract, Mutation(examples=5, workers=2))
    assert [one.id for one in result.of("survived")] == []
    misnamed = [one for one in result.of("impaired") if "syntax error" in one.reason or "does not exist" in one.reason]
    assert [(one.id, one.reason) for one in misnamed] == []


def test_a_change_under_any_name_is_drift(schema: System) -> None:
    """Each table that is dropped is named, and nothing else is told."""
    with ephemeral(schema, ServerChoice(TEST_MAJOR)) as stage:
        frozen = stage.read_catalog()
        for table in frozen.tables:
            with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
                name = psycopg.sql.Identifier(table.name.namespace, table.name.name)
                connection.execute(psycopg.sql.SQL("DROP TABLE {} CASCADE").format(name))
                told = [str(one) for one in drift(frozen, stage.catalog(connection))]
            assert any(line.startswith(f"{table.name}: the table was dropped") for line in told), told


def test_rows_in_bulk_come_under_any_name(schema: System) -> None:
    """Into every table, and nothing that was there is gone."""
    with (
        ephemeral(schema, ServerChoice(TEST_MAJOR)) as stage,
        stage.clone() as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        catalog = read_catalog(connection)
        done = populate(connection, catalog, Amounts({table.name: 6 for table in catalog.tables}))
        assert dict(done) == {table.name: 6 for table in catalog.tables}
        assert drift(catalog, read_catalog(connection)) == ()


def test_a_counterexample_and_a_report_of_hostile_names(tmp_path: Path) -> None:
    """The commands' way: the counterexample can be run as it stands, and the page holds no element of the schema's."""
    text = (Path(__file__).parent / "names" / "hostile.sql").read_text("utf-8")
    file, found, page = tmp_path / "hostile.sql", tmp_path / "found.json", tmp_path / "found.html"
    file.write_text(text, "utf-8")
    assert pgcontract("freeze", file).returncode == 0
    file.write_text(text.replace(") > 0)", ") > 1)").replace("ON DELETE CASCADE", "ON DELETE RESTRICT"), "utf-8")
    ended = pgcontract("verify", file, "--examples", "5", "--json", found)
    assert ended.returncode == 1, ended.stderr
    broken = json.loads(found.read_text("utf-8"))["broken"]
    assert {one["kind"] for one in broken} == {"check", "referential action"}
    with ephemeral(System.load(file), ServerChoice(TEST_MAJOR)) as stage:
        for one in broken:
            with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
                before = read_catalog(connection)
                assert one["counterexample"]
                # the error that it shows (23001 from 18 on), and no error of syntax or of a name
                with pytest.raises(psycopg.errors.IntegrityError):
                    connection.execute(one["counterexample"].encode())
                connection.rollback()
                assert drift(before, read_catalog(connection)) == ()
    assert pgcontract("report", found, "-o", page).returncode == 0
    shown = page.read_text("utf-8")
    assert "<script>alert(1)" not in shown
    assert "<img src=x" not in shown
