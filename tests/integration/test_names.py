"""Names of every kind, all the way through: frozen, read back, compared, proven, and broken on purpose."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from pgcontract.contract import Contract, drift, dumps, read, write
from pgcontract.ephemeral import ServerChoice, ephemeral
from pgcontract.mutation import Plan as Mutation
from pgcontract.mutation import mutate
from pgcontract.system import System
from pgcontract.verify import Plan, verify
from tests.integration.fix_server import TEST_MAJOR

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
