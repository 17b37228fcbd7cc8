"""Products by their typed layer: pages, searches as people write them, and a stock that nobody oversells."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcontract.database import Database
from pgcontract.errors import QueryError, UsageError
from schema.social_selling import products as module
from schema.social_selling.products import NewProduct, ProductChanges, Products
from schema.social_selling.rows import Product
from tests.contract.fix_social_selling import ANA, BIA


@pytest.fixture
def products(two_users: Database) -> Products:
    """The repository."""
    return Products(two_users)


def new(name: str = "Caneca azul", *, user: UUID = ANA, **more: Any) -> NewProduct:
    """A product."""
    made: NewProduct = {"user_id": user, "name": name, **more}  # type: ignore[typeddict-item]
    return made


def names(found: Sequence[Product]) -> list[str]:
    """What products are called."""
    return [product.name for product in found]


def test_a_product_comes_back_as_it_was_put_in(products: Products) -> None:
    """Money as Decimal, lists, documents; what is left out are the table's defaults."""
    images = [{"url": "https://example.com/1.jpg", "main": True}]
    given_ = new(price=Decimal("49.90"), tags=["casa", "presente"], images=images, metadata={"cor": "azul"})
    product = products.create(given_)
    assert (product.price, product.tags) == (Decimal("49.90"), ["casa", "presente"])
    assert (product.images, product.metadata) == (images, {"cor": "azul"})
    assert (product.currency, product.is_available, product.deleted_at) == ("BRL", True, None)
    assert products.find_by_id(product.id) == product
    changed = products.update(product.id, {"price": None, "images": []})
    assert changed is not None
    assert (changed.price, changed.images, changed.name) == (None, [], product.name)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from(["casa", "arte"])), max_size=12),
    limit=st.integers(1, 5),
)
def test_pages_have_every_product_once_and_in_order(
    two_users: Database, moments: list[tuple[int, bool, str]], limit: int
) -> None:
    """The newest first, also those of one moment; none of another user, none that is not to be had."""
    two_users.none("DELETE FROM products")
    rows = [(user, *row) for user in (ANA, BIA) for row in moments]
    for user, minute, available, category in rows:
        two_users.none(
            "INSERT INTO products (user_id, name, created_at, is_available, category)"
            " VALUES (%s, 'p', TIMESTAMPTZ '2025-06-01 12:00Z' + %s * INTERVAL '1 minute', %s, %s)",
            (user, minute, available, category),
        )
    products = Products(two_users)
    every = two_users.query(f"SELECT {Product.COLUMNS} FROM {Product.TABLE} WHERE user_id = %s", (ANA,), row=Product)
    ordered = sorted(every, key=lambda product: (product.created_at, product.id), reverse=True)
    assert paged(lambda last: products.listing(ANA, after=last, limit=limit)) == [p for p in ordered if p.is_available]
    for category in ("casa", "arte"):
        found = paged(lambda last, c=category: products.in_category(ANA, c, after=last, limit=limit))
        assert found == [product for product in ordered if product.category == category]


def paged(page: Any) -> list[Product]:
    """All products of all pages."""
    found: list[Product] = []
    while part := page(found[-1] if found else None):
        found += part
    return found


def test_a_search_finds_words_in_their_other_forms(products: Products) -> None:
    """In names before descriptions; of this user only; as people write what they look for."""
    products.create(new("Caneca azul", description="Para o café"))
    products.create(new("Prato", description="Combina com canecas"))
    products.create(new("Vaso", description="Cerâmica"))
    products.create(new("Caneca de outra loja", user=BIA))
    assert names(products.search(ANA, "canecas")) == ["Caneca azul", "Prato"]
    assert names(products.search(ANA, "caneca -azul")) == ["Prato"]
    assert set(names(products.search(ANA, "vaso or prato"))) == {"Vaso", "Prato"}
    assert names(products.search(ANA, '"caneca azul"')) == ["Caneca azul"]
    assert names(products.search(ANA, "canecas", limit=1)) == ["Caneca azul"]
    for nothing in ("", "de", "'; --", "inexistente", '"'):
        assert names(products.search(ANA, nothing)) == []


def test_a_tag_is_a_whole_one(products: Products) -> None:
    """And of this user."""
    products.create(new("Caneca", tags=["casa", "presente"]))
    products.create(new("Prato", tags=["casa"]))
    products.create(new("Outra", user=BIA, tags=["casa"]))
    assert names(products.tagged(ANA, "casa")) == ["Prato", "Caneca"]
    assert names(products.tagged(ANA, "presente")) == ["Caneca"]
    assert names(products.tagged(ANA, "cas")) == []


def test_the_stock_is_never_oversold(products: Products) -> None:
    """Forty buyers of three out of a hundred: thirty-three get theirs, and one is left."""
    product = products.create(new(stock_quantity=100))
    with ThreadPoolExecutor(16) as buyers:
        sold = [found for found in buyers.map(lambda _: products.sell(product.id, 3), range(40)) if found]
    assert len(sold) == 33
    assert sorted(one.stock_quantity or 0 for one in sold) == list(range(1, 100, 3))
    assert products.sell(product.id) is not None
    assert products.sell(product.id) is None
    for wrong in (0, -1):
        with pytest.raises(UsageError):
            products.sell(product.id, wrong)
    uncounted = products.create(new())
    assert products.sell(uncounted.id) is None


def test_nobody_sees_what_was_deleted(products: Products) -> None:
    """Neither by its id, nor in a list, nor in a search; it is neither changed nor sold."""
    product = products.create(new(tags=["casa"], category="casa", stock_quantity=1))
    assert products.soft_delete(product.id)
    assert not products.soft_delete(product.id)
    assert products.find_by_id(product.id) is None
    assert products.update(product.id, {"name": "Outra"}) is None
    assert products.update(product.id, {}) is None
    assert products.sell(product.id) is None
    found = (
        products.listing(ANA),
        products.in_category(ANA, "casa"),
        products.tagged(ANA, "casa"),
        products.search(ANA, "caneca"),
    )
    assert found == ([], [], [], [])


def test_what_the_schema_refuses_is_told_by_its_name(products: Products) -> None:
    """And columns that nobody may write are refused before."""
    with pytest.raises(QueryError) as raised:
        products.create(new(price=Decimal(-1)))
    assert raised.value.constraint == "chk_products_price"
    product = products.create(new())
    for column in ("user_id", "deleted_at", "id"):
        with pytest.raises(UsageError):
            products.update(product.id, {column: None})  # type: ignore[misc]
    columns = {field.name for field in fields(Product)}
    assert {*NewProduct.__annotations__, *ProductChanges.__annotations__} < columns


def test_pages_and_searches_take_the_indexes_that_are_there_for_them(two_users: Database) -> None:
    """Of many products, a page reads its own, and a search those that have the word."""
    two_users.query(
        "INSERT INTO products (user_id, name, description, category, tags, created_at)"
        " SELECT id, 'produto ' || n, 'descrição ' || n, 'casa ' || n % 50, ARRAY['marca ' || n],"
        " TIMESTAMPTZ '2025-01-01 00:00Z' + n * INTERVAL '1 minute'"
        " FROM users CROSS JOIN generate_series(1, 5000) AS n"
    )
    two_users.query("ANALYZE products")
    place = (datetime(2025, 1, 2, tzinfo=UTC), ANA, 50)
    with two_users.tx() as tx:
        for query, values, *indexes in (
            (module._FIRST_PAGE, (ANA, 50), "idx_products_user_available"),
            (module._NEXT_PAGE, (ANA, *place), "idx_products_user_available"),
            (module._FIRST_PAGE_IN_CATEGORY, (ANA, "casa 7", 50), "idx_products_category"),
            (module._NEXT_PAGE_IN_CATEGORY, (ANA, "casa 7", *place), "idx_products_category"),
            (module._TAGGED, (ANA, "marca 7", 50), "idx_products_tags"),
            (module._SEARCH, ("77", ANA, 50), "idx_products_name_search", "idx_products_description_search"),
        ):
            plan = "\n".join(line for (line,) in tx.query(f"EXPLAIN {query}", values))
            assert all(index in plan for index in indexes), plan
            assert "Seq Scan" not in plan
