"""Mutants that only a row with the right rows around it tells: other parents, other values, another way to pass."""

from __future__ import annotations

import pytest

from pgcontract.mutation import Plan, Result
from pgcontract.server import Server
from tests.integration.test_mutate import mutated

pytestmark = pytest.mark.thorough

SCHEMA = """
CREATE TABLE products (id INTEGER PRIMARY KEY);
CREATE TABLE photos (id INTEGER PRIMARY KEY);
CREATE TABLE shown (
  product_id INTEGER NOT NULL REFERENCES products, photo_id INTEGER NOT NULL REFERENCES photos,
  PRIMARY KEY (product_id, photo_id)
);
CREATE VIEW pairs AS SELECT product_id, photo_id FROM shown;
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, alias TEXT NOT NULL);
CREATE TABLE places (id INTEGER PRIMARY KEY, city TEXT NOT NULL);
CREATE TABLE homes (
  person_id INTEGER NOT NULL REFERENCES people, place_id INTEGER NOT NULL REFERENCES places,
  PRIMARY KEY (person_id, place_id)
);
CREATE VIEW residents AS
  SELECT p.alias, p.name, a.city FROM people p JOIN homes h ON h.person_id = p.id JOIN places a ON a.id = h.place_id;
CREATE TABLE assemblies (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER REFERENCES products,
  level SMALLINT NOT NULL,
  quantity NUMERIC(8, 2) NOT NULL DEFAULT 1,
  made DATE NOT NULL DEFAULT CURRENT_DATE,
  CONSTRAINT chk_level CHECK (
    (parent_id IS NULL AND level = 0 AND quantity = 1) OR (parent_id IS NOT NULL AND level >= 1)
  ),
  CONSTRAINT chk_quantity CHECK (quantity >= 1)
);
CREATE TABLE codes (code VARCHAR(5) PRIMARY KEY);
CREATE TABLE uses (code VARCHAR(5) NOT NULL REFERENCES codes, product_id INTEGER REFERENCES products);
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, pgcontract_server: Server) -> Result:
    """What becomes of them."""
    file = tmp_path_factory.mktemp("neighbours") / "neighbours.sql"
    file.write_text(SCHEMA)
    only = ("pairs", "residents", "assemblies.chk_level", "assemblies.chk_quantity", "assemblies.made", "uses.code")
    return mutated(pgcontract_server, file, Plan(only=only, examples=10, workers=1))


def test_every_mutant_is_killed_by_proof(result: Result) -> None:
    """Or is equivalent by a rule."""
    assert [j.id for j in result.alive] == []


@pytest.mark.parametrize(
    ("of", "operator", "count"),
    [
        # keys of two tables are different numbers in some row, and columns different texts
        ("pairs", "change_view", 1),
        ("residents", "change_view", 6),
        # less than one is only to be had together with a parent
        ("assemblies.chk_quantity", "relax_bound", 1),
        ("assemblies.made.default", "change_default", 2),
        # a parent with a key as long as can be
        ("uses.code.type", "narrow_type", 1),
    ],
)
def test_the_mutants_are_there(result: Result, of: str, operator: str, count: int) -> None:
    """Those that need such rows."""
    assert sum(j.promise == of and j.operator == operator for j in result.judged) == count


def test_joins_that_give_the_same_rows_are_equivalent(result: Result) -> None:
    """The one around takes no row without a partner; a foreign key over NOT NULL finds one, also through a join."""
    same = {j.reason for j in result.of("equivalent")}
    assert same == {
        "the join around it takes no row where there is no partner",
        "each row has its partner, by a foreign key over columns that are NOT NULL",
    }
