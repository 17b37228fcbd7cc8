"""Values that a system gives for its columns: what triggers ask for, and types of which nothing is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.errors import UsageError
from pgcontract.mutation import Plan as Mutation
from pgcontract.mutation import mutate
from pgcontract.populate import Overrides, populate
from pgcontract.populate import Plan as Amounts
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, verify

SCHEMA = """
CREATE TABLE people (
  id INTEGER PRIMARY KEY,
  iban TEXT NOT NULL,
  "Country; --" TEXT NOT NULL,
  born DATE NOT NULL,
  nick TEXT CHECK (nick <> '')
);
CREATE FUNCTION checked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.iban !~ '^[A-Z]{2}[0-9]{4}$' THEN
    RAISE EXCEPTION 'no IBAN: %', NEW.iban;
  END IF;
  IF md5(NEW."Country; --") NOT IN (md5('Brazil'), md5('Chile')) THEN
    RAISE EXCEPTION 'no country: %', NEW."Country; --";
  END IF;
  IF extract(dow FROM NEW.born) <> 1 THEN
    RAISE EXCEPTION 'not born on a Monday';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER checked BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION checked();
CREATE TABLE cards (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE);
"""
BY_COLUMN = """
"people.iban" = { regex = "^[A-Z]{2}[0-9]{4}$" }
"people.Country; --" = { examples = ["Brazil", "Chile"] }
"people.born" = { expression = "date '1990-01-01' + 7 * n" }
"""
BY_TABLE = """
people = { examples = [
  { iban = "DE1234", "Country; --" = "Chile", born = 1990-01-08 },
  { iban = "BR0000", "Country; --" = "Brazil", born = 2001-01-01 },
] }
"""


def system(folder: Path, values: str) -> System:
    """The schema, with what is given for its columns."""
    (folder / "schema.sql").write_text(SCHEMA, "utf-8")
    (folder / "system.toml").write_text(f'schema = "schema.sql"\n[values]\n{values}', "utf-8")
    return System.load(folder)


@pytest.fixture
def stage(tmp_path: Path, pgcontract_server: Server) -> Iterator[Stage]:
    """The schema with values for each column that its trigger looks at."""
    with staged(system(tmp_path, BY_COLUMN), pgcontract_server, ServerChoice()) as stage:
        yield stage


@pytest.mark.thorough
@pytest.mark.parametrize("values", [BY_COLUMN, BY_TABLE], ids=["by column", "by table"])
def test_what_is_given_makes_rows_where_nothing_else_does(
    tmp_path: Path, pgcontract_server: Server, values: str
) -> None:
    """Without it a trigger refuses every row and every promise of rows is unproven; with it all of them are proven."""
    for given, proven in (("", False), (values, True)):
        with staged(system(tmp_path, given), pgcontract_server, ServerChoice()) as stage:
            result = verify(stage, Contract("people", stage.read_catalog()), Plan(examples=5, workers=1))
        left = [(v.id, v.verdict, v.reason) for v in result.verdicts if v.verdict != "proven"]
        assert {verdict for _, verdict, _ in left} == (set() if proven else {"unproven"}), left


@pytest.mark.thorough
def test_mutants_are_tried_on_the_values_that_are_given(stage: Stage) -> None:
    """And noticed by proofs that make rows."""
    contract = Contract("people", stage.read_catalog())
    result = mutate(stage, contract, Mutation(kinds=("not null", "foreign key", "check"), examples=5, workers=1))
    assert result.of("killed by proof")
    assert [m.id for m in result.of("survived")] == []


@pytest.mark.thorough
def test_bulk_rows_have_the_values_that_are_given(stage: Stage) -> None:
    """By turns; and each row passes the trigger."""
    with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        catalog = stage.catalog(connection)
        table = catalog.tables[-1].name
        populate(connection, catalog, Amounts({table: 30}), overrides=Overrides.of({}, catalog, "system.toml"))
        found = connection.execute('SELECT count(*), count(DISTINCT "Country; --") FROM people').fetchone()
    assert found == (30, 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ('"people.ibn" = { regex = "a" }', "names a column that is not there"),
        ("nobody = { examples = [{ a = 1 }] }", "a table that is not there"),
        ("people = { examples = [{ id = 1, nix = 2 }] }", "people.nix"),
        ('"people.id" = { examples = ["; DROP TABLE people"] }', "invalid input syntax for type integer"),
        ('"people.iban" = { regex = "(" }', "parentheses \\(\\) not balanced"),
        ('"people.id" = { regex = "[a-z]+" }', "No text that matches"),
        ('"people.born" = { expression = "nope(n)" }', "function nope\\(integer\\) does not exist"),
        ('"people.born" = { expression = "now()); DROP TABLE people; --" }', "does not parse"),
        ('"people.born" = { expression = "NULL" }', "NULL alone"),
    ],
)
def test_what_cannot_be_given_is_told(tmp_path: Path, pgcontract_server: Server, values: str, said: str) -> None:
    """With its place, what was seen, and what to write."""
    with (
        staged(system(tmp_path, values), pgcontract_server, ServerChoice()) as stage,
        pytest.raises(UsageError, match=said) as told,
    ):
        stage.read_catalog()
    assert "system.toml" in str(told.value)


@pytest.mark.parametrize(
    "value", ['{ regx = "a" }', "{ examples = [] }", "{ examples = [[1]] }", '"a"', "{ regex = 1 }"]
)
def test_what_says_nothing_is_told_before_a_server_starts(tmp_path: Path, value: str) -> None:
    """As any wrong setting is."""
    with pytest.raises(UsageError, match=r'values\."people\.iban"'):
        system(tmp_path, f'"people.iban" = {value}')
