"""Strategies for rows: what they draw can be inserted, is as overridden, and shrinks to what a person would write."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from pgcontract.catalog import read_catalog
from pgcontract.database import Database, Queries, Settings, Transaction
from pgcontract.ephemeral import template_of
from pgcontract.errors import PgContractError, QueryError, ServerError, UsageError
from pgcontract.server import Server
from pgcontract.strategies import Strategies, World
from pgcontract.system import System, configured
from schema.social_selling.products import Products
from schema.social_selling.rows import Message, Product, User

ROOT = Path(__file__).parents[2]
SYSTEMS = {path.name: System.load(path) for path in configured(ROOT)}
USER = UUID(int=0xA)
AWKWARD = """
    CREATE TYPE mood AS ENUM ('fine', 'in progress');
    CREATE DOMAIN shade AS TEXT CHECK (VALUE ~ '^#[0-9a-f]{6}$');
    CREATE SCHEMA "other place";
    CREATE TABLE "other place"."Ström; --" (
      "the key" INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "100%" TEXT NOT NULL UNIQUE, mood mood NOT NULL
    );
    CREATE TABLE leaves (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      "of" INTEGER NOT NULL REFERENCES "other place"."Ström; --",
      shade shade NOT NULL, is_on BOOLEAN NOT NULL, length NUMERIC(6, 2) NOT NULL CHECK (length > 1),
      area NUMERIC GENERATED ALWAYS AS (length * length) STORED,
      opened TIMESTAMPTZ NOT NULL DEFAULT now(), closed TIMESTAMPTZ, data JSONB, raw BYTEA, span DATERANGE,
      CONSTRAINT ordered CHECK (closed > opened),
      CONSTRAINT whole CHECK (is_on OR data IS NOT NULL)
    );
    CREATE TABLE eggs (id INTEGER PRIMARY KEY, hen INTEGER NOT NULL);
    CREATE TABLE hens (id INTEGER PRIMARY KEY, egg INTEGER NOT NULL REFERENCES eggs, note TEXT);
    ALTER TABLE eggs ADD FOREIGN KEY (hen) REFERENCES hens;
    CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b));
    CREATE TABLE of_pairs (a INTEGER NOT NULL, b INTEGER NOT NULL, FOREIGN KEY (a, b) REFERENCES pairs);
    CREATE TABLE guarded (number INTEGER NOT NULL);
    CREATE FUNCTION guard() RETURNS TRIGGER LANGUAGE plpgsql AS
      'BEGIN IF NEW.number = 13 THEN RAISE EXCEPTION ''not that one''; END IF; RETURN NEW; END';
    CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
    CREATE TABLE nothing ();
"""


@contextmanager
def opened(server: Server, system: System, **options: Any) -> Iterator[tuple[Strategies, Database]]:
    """A system's strategies, and another of its databases to insert into."""
    template = server.template(template_of(system))
    catalog = partial(read_catalog, ignore=[system.tracking_table])
    with (
        server.clone(template) as trials,
        server.clone(template) as mine,
        Strategies(trials.dsn, catalog=catalog, **options) as strategies,
        Database(mine.dsn, Settings(min_size=1)) as database,
    ):
        # the pool's threads use `random` while they connect
        database.query("SELECT 1")
        yield strategies, database


@pytest.fixture(scope="module")
def shop(pgcontract_server: Server) -> Iterator[tuple[Strategies, Database]]:
    """social_selling's."""
    with opened(pgcontract_server, SYSTEMS["social_selling"]) as found:
        yield found


@pytest.fixture
def strategies(shop: tuple[Strategies, Database]) -> Strategies:
    """social_selling's strategies."""
    return shop[0]


class Undone(Exception):
    """What the test's transaction ends with."""


@pytest.fixture
def database(shop: tuple[Strategies, Database]) -> Iterator[Transaction]:
    """A transaction that is undone."""
    with ExitStack() as stack:
        transaction = stack.enter_context(undone(shop[1]))
        yield transaction


@contextmanager
def undone(database: Database) -> Iterator[Transaction]:
    """A transaction of which nothing stays."""
    with suppress(Undone), database.tx() as tx:
        yield tx
        raise Undone


@pytest.fixture(scope="module")
def awkward(
    pgcontract_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Strategies, Database]]:
    """A schema of names, types and keys that are not plain."""
    file = tmp_path_factory.mktemp("awkward") / "awkward.sql"
    file.write_text(AWKWARD, encoding="utf-8")
    with opened(pgcontract_server, System.load(file)) as found:
        yield found


def drawn(strategy: st.SearchStrategy[Any], examples: int, check: Callable[[Any], None]) -> int:
    """Check drawn examples; how many there were."""
    seen = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def test(example: Any) -> None:
        nonlocal seen
        seen += 1
        check(example)

    test()
    return seen


def smallest(strategy: st.SearchStrategy[Any], wanted: Callable[[Any], bool]) -> Any:
    """What a failing example is cut down to."""
    # without the phase that explains, which tries hundreds more
    phases = [Phase.generate, Phase.shrink]
    return find(
        strategy,
        wanted,
        settings=settings(max_examples=500, database=None, phases=phases, suppress_health_check=list(HealthCheck)),
    )


@pytest.mark.thorough
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_rows_of_every_table_can_be_inserted(pgcontract_server: Server, system: System) -> None:
    """With their parents, the plainest and any other; and what is drawn is cut down to the plainest."""
    with opened(pgcontract_server, system) as (strategies, database):
        with psycopg.connect(database.dsn) as connection:
            tables = [str(t.name) for t in read_catalog(connection, ignore=[system.tracking_table]).tables]
        for table in tables:
            plainest = strategies.worlds.minimal(table)

            def inserted(world: World, database: Database = database) -> None:
                with world.inserted(database) as stored:
                    written = {name: stored[name] for name in world.row}
                    assert written == dict(world.row) or "NaN" in repr(written)

            inserted(plainest)
            assert drawn(strategies.worlds(table), 10, inserted) > 1, table
            assert smallest(strategies.rows(table), lambda _: True) == plainest.row == strategies.rows.minimal(table)


def test_the_plainest_row_is_what_a_person_would_write(strategies: Strategies) -> None:
    """No column that the database fills by itself, none that may stay empty; what is given, as it is given."""
    product = strategies.rows.minimal("products", name="Mug", price=Decimal("9.90"), tags=["a", "b"], metadata={"b": 1})
    assert product == {
        "user_id": UUID(int=1),
        "name": "Mug",
        "price": Decimal("9.90"),
        "tags": ["a", "b"],
        "metadata": {"b": 1},
    }
    assert list(strategies.rows.minimal("messages")) == [
        "conversation_id",
        "platform_message_id",
        "sender_type",
        "sent_at",
    ]
    assert strategies.rows.minimal("products", name=st.text(min_size=3))["name"] == "000"


def test_a_world_holds_the_parents_and_is_inserted_with_them(strategies: Strategies, database: Transaction) -> None:
    """In their order; the row comes back as it is stored, or as its class."""
    world = strategies.worlds.minimal("messages", content="Hello")
    assert [table for table, _ in world.parents] == ["users", "client_accounts", "conversations"]
    message = world.insert(database, row=Message)
    assert (message.content, message.conversation_id) == ("Hello", world.parents[-1][1]["id"])
    assert database.one("SELECT count(*) FROM users") == (1,)
    with pytest.raises(QueryError) as raised:
        world.insert(database)
    # the second did nothing, and the transaction goes on
    assert raised.value.sqlstate == "23505"
    assert database.one("SELECT count(*) FROM messages") == (1,)


def test_a_world_is_there_for_the_length_of_its_block(strategies: Strategies, database: Transaction) -> None:
    """And with it goes all that was done in the block; what fails in there is told."""
    world = strategies.worlds.minimal("products")
    for _ in range(2):
        with world.inserted(database, row=Product) as product:
            database.none("UPDATE products SET name = 'changed' WHERE id = %s", (product.id,))
        assert database.query("SELECT FROM products") == []
    with world.inserted(database) as stored:
        assert set(stored) == {field.name for field in fields(Product)}
    with pytest.raises(QueryError), world.inserted(database):
        database.query("SELECT FROM nowhere")
    assert database.query("SELECT FROM users") == []


def test_a_world_shown_is_sql_to_paste(strategies: Strategies, database: Transaction) -> None:
    """Every statement with its values in it."""
    world = strategies.worlds.minimal("products", name="Ana's")
    text = str(world)
    assert "'Ana''s'" in text
    assert [line.split("(")[0] for line in text.splitlines()] == [
        'INSERT INTO "public"."users" ',
        'INSERT INTO "public"."products" ',
    ]
    for line in text.splitlines():
        database.connection.execute(line.encode())
    assert database.one("SELECT name FROM products") == ("Ana's",)


def test_a_parent_that_is_given_is_not_made(strategies: Strategies, database: Transaction) -> None:
    """Its key is enough, and need not be known to anybody but the caller."""
    user = strategies.worlds.minimal("users", email="ana@example.com").insert(database, row=User)
    world = strategies.worlds.minimal("products", user_id=user.id)
    assert world.parents == ()
    first, second = world.insert(database, row=Product), world.insert(database, row=Product)
    assert first.id != second.id
    assert {product.id for product in Products(database).listing(user.id)} == {first.id, second.id}
    created = Products(database).create(strategies.rows.minimal("products", user_id=user.id, sku="x"))  # type: ignore[arg-type]
    assert (created.user_id, created.sku) == (user.id, "x")


def test_a_parent_of_whose_key_a_part_is_given_is_made_with_it(strategies: Strategies, database: Transaction) -> None:
    """What is said of a row is said of its parents, and of theirs: a token's user owns its account."""
    user = strategies.worlds.minimal("users", id=UUID(int=1), email="ana@example.com").insert(database, row=User)
    world = strategies.worlds.minimal("oauth_tokens", user_id=user.id, platform="whatsapp")
    ((table, account),) = world.parents
    assert (table, account["user_id"], account["platform"]) == ("client_accounts", user.id, "whatsapp")
    stored = world.insert(database)
    assert (stored["user_id"], stored["client_account_id"]) == (user.id, account["id"])
    link = strategies.worlds.minimal("product_links", user_id=user.id, client_account_id=account["id"])
    assert [name for name, _ in link.parents] == ["products"]
    assert link.insert(database)["user_id"] == user.id


def test_rows_around_it_are_as_they_are_given(strategies: Strategies, database: Transaction) -> None:
    """By table and column, or by the whole table; values and strategies alike."""
    overrides = {
        "users.email": "ana@example.com",
        "client_accounts": st.fixed_dictionaries({"username": st.just("ana"), "follower_count": st.integers(7, 9)}),
    }
    world = strategies.worlds.minimal("messages", overrides)
    parents = dict(world.parents)
    assert parents["users"]["email"] == "ana@example.com"
    assert (parents["client_accounts"]["username"], parents["client_accounts"]["follower_count"]) == ("ana", 7)
    with world.inserted(database):
        assert database.one("SELECT email, username, follower_count FROM users, client_accounts") == (
            "ana@example.com",
            "ana",
            7,
        )


@pytest.mark.thorough
def test_overrides_of_a_project_hold_for_all_and_a_tests_own_come_first(pgcontract_server: Server) -> None:
    """As a conftest.py gives them."""
    overrides = {"users": {"name": "Ana", "language": "en"}, "products.price": st.decimals(1, 2, places=2)}
    with opened(pgcontract_server, SYSTEMS["social_selling"], overrides=overrides) as (strategies, _):
        assert strategies.rows.minimal("users")["name"] == "Ana"
        assert strategies.rows.minimal("users", name="Bia")["name"] == "Bia"
        assert dict(strategies.worlds.minimal("products").parents)["users"]["language"] == "en"
        assert drawn(strategies.rows("products"), 10, lambda row: check(1 <= row["price"] <= 2)) > 1
    with pytest.raises(UsageError, match="no such column"):
        opened(pgcontract_server, SYSTEMS["social_selling"], overrides={"users.nmae": 1}).__enter__()


def check(holds: bool) -> None:
    """An assertion as an expression."""
    assert holds


@pytest.mark.thorough
def test_what_is_drawn_varies_and_is_cut_down_to_what_matters(strategies: Strategies) -> None:
    """A failing row shows the columns that it fails by, and the plainest values for them."""
    found = smallest(strategies.rows("products"), lambda row: (row.get("stock_quantity") or 0) >= 10)
    assert found == {**strategies.rows.minimal("products"), "stock_quantity": 10}
    found = smallest(
        strategies.rows("messages"), lambda row: row["sender_type"] == "customer" and bool(row.get("content"))
    )
    assert found["sender_type"] == "customer"
    assert len(found["content"]) == 1
    assert set(found) == {*strategies.rows.minimal("messages"), "content"}
    seen: set[str] = set()
    drawn(strategies.rows("products"), 50, seen.update)
    assert seen >= {"name", "description", "price", "tags", "stock_quantity", "metadata", "is_available"}


def test_a_server_that_is_not_there_is_told() -> None:
    """Without the password."""
    secret = "correct"
    with pytest.raises(ServerError) as raised:
        Strategies(f"postgresql://ana:{secret}@127.0.0.1:1/shop")
    assert secret not in "".join(traceback.format_exception(raised.value))


@pytest.mark.thorough
def test_several_rows_are_a_list(strategies: Strategies, database: Transaction) -> None:
    """Unlike each other where Hypothesis is told so."""
    some = st.lists(strategies.rows("users", name="Ana"), min_size=3, max_size=3, unique_by=lambda row: row["email"])

    def differ(users: list[dict[str, Any]]) -> None:
        assert len({user["email"] for user in users}) == 3

    assert drawn(some, 5, differ) > 1
    del database


@pytest.mark.parametrize(
    ("table", "overrides", "message"),
    [
        ("product", {}, "There is no such table"),
        ("products", {"nmae": "x"}, "The table has no such column"),
        ("products", {"nobody.name": "x"}, "There is no such table"),
        ("products", {"users.nmae": "x"}, "The table has no such column"),
        ("products", {"users.id": USER}, "Other rows refer to this column"),
        ("products", {"messages.content": "x"}, "Such a row is not around this one"),
        ("products", {"users": "x"}, "no dictionary of columns"),
        ("products", {"price": "much"}, "A value does not fit its column"),
        ("products", {"price": Decimal(-1)}, "no row with these values passes the CHECKs"),
        ("products", {"name": None}, "The database refuses this row"),
    ],
)
def test_a_mistake_is_told(strategies: Strategies, table: str, overrides: dict[str, object], message: str) -> None:
    """What and where, by an error of this hierarchy; a name that is nearly right is suggested. No value is shown."""
    with pytest.raises(PgContractError, match=message) as raised:
        strategies.worlds.minimal(table, overrides)
    assert "much" not in str(raised.value)
    if table == "product":
        assert "products" in (raised.value.remedy or "")


def test_names_and_types_that_are_not_plain(awkward: tuple[Strategies, Database]) -> None:
    """Quoted names, enums, domains, booleans, documents, bytes and ranges, as psycopg gives them; nothing generated."""
    strategies, database = awkward
    world = strategies.worlds.minimal(
        "leaves", {"other place.Ström; --.100%": "50%"}, is_on=False, data=["x"], raw=b"\0%", closed=None
    )
    assert dict(world.parents)["other place.Ström; --"]["100%"] == "50%"
    row = dict(world.row)
    assert (row["is_on"], row["data"], row["raw"]) == (False, ["x"], b"\0%")
    assert "area" not in row
    with world.inserted(database) as stored:
        assert {name: stored[name] for name in row} == row
        assert stored["area"] == row["length"] ** 2
    full = strategies.rows.minimal("leaves", closed=datetime(2024, 1, 1, tzinfo=UTC))
    assert full["opened"] < full["closed"]
    with pytest.raises(UsageError, match="generated column"):
        strategies.rows.minimal("leaves", area=4)
    every = st.one_of([strategies.worlds(name) for name in ("other place.Ström; --", "leaves", "nothing")])
    assert drawn(every, 40, partial(inserted_as_written, database)) > 10


def inserted_as_written(database: Queries, world: World) -> None:
    """It can be inserted, and what is stored is what it says."""
    with world.inserted(database) as stored:
        assert {name: stored[name] for name in world.row} == dict(world.row)


def test_rows_that_need_each_other_come_together(awkward: tuple[Strategies, Database]) -> None:
    """By one statement; a composite key is given whole."""
    strategies, database = awkward
    for table in ("eggs", "hens", "of_pairs"):
        assert drawn(strategies.worlds(table), 5, partial(inserted_as_written, database)) >= 1
    assert dict(strategies.worlds.minimal("of_pairs", a=5).parents)["pairs"] == {"a": 5, "b": 1}
    assert strategies.worlds.minimal("of_pairs", a=5, b=6).parents == ()
    assert strategies.rows.minimal("of_pairs", a=5, b=6) == {"a": 5, "b": 6}
    with pytest.raises(UsageError, match="need each other"):
        strategies.worlds.minimal("eggs", {"hens.note": "x"})


@pytest.mark.thorough
def test_what_a_trigger_refuses_is_not_drawn(awkward: tuple[Strategies, Database]) -> None:
    """And is an error where it is given."""
    strategies, _ = awkward
    numbers: list[int] = []
    drawn(strategies.rows("guarded"), 100, lambda row: numbers.append(row["number"]))
    assert 13 not in numbers
    assert len(set(numbers)) > 10
    with pytest.raises(UsageError, match="P0001"):
        strategies.rows.minimal("guarded", number=13)
