"""Products: the catalogue of each user, listed by pages and searched by words.

Nobody sees a product that was deleted softly, and nobody changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NotRequired, TypedDict
from uuid import UUID

from psycopg import sql

from pgcontract.database import Queries
from pgcontract.database.repository import Repository
from pgcontract.errors import UsageError
from schema.social_selling.rows import Product

PAGE: Final = 50
_LIVING: Final = f"SELECT {Product.COLUMNS} FROM {Product.TABLE} WHERE deleted_at IS NULL"
_BY_ID: Final = f"{_LIVING} AND id = %s"
_AVAILABLE: Final = f"{_LIVING} AND user_id = %s AND is_available"
_LATEST_FIRST: Final = " ORDER BY created_at DESC, id DESC LIMIT %s"
_FIRST_PAGE: Final = f"{_AVAILABLE}{_LATEST_FIRST}"
_NEXT_PAGE: Final = f"{_AVAILABLE} AND (created_at, id) < (%s, %s){_LATEST_FIRST}"
_IN_CATEGORY: Final = f"{_LIVING} AND user_id = %s AND category = %s"
_FIRST_PAGE_IN_CATEGORY: Final = f"{_IN_CATEGORY}{_LATEST_FIRST}"
_NEXT_PAGE_IN_CATEGORY: Final = f"{_IN_CATEGORY} AND (created_at, id) < (%s, %s){_LATEST_FIRST}"
_TAGGED: Final = f"{_LIVING} AND user_id = %s AND tags @> ARRAY[%s::TEXT]{_LATEST_FIRST}"
# what stands in the name counts more than what stands in the description
_SEARCH: Final = f"""
    SELECT {Product.COLUMNS}
    FROM {Product.TABLE}
    CROSS JOIN websearch_to_tsquery('portuguese', %s) AS wanted
    WHERE deleted_at IS NULL
      AND user_id = %s
      AND (to_tsvector('portuguese', name) @@ wanted OR to_tsvector('portuguese', description) @@ wanted)
    ORDER BY
      ts_rank(
        setweight(to_tsvector('portuguese', name), 'A')
          || setweight(to_tsvector('portuguese', COALESCE(description, '')), 'C'),
        wanted
      ) DESC,
      created_at DESC,
      id DESC
    LIMIT %s
"""
_RETURNING: Final = sql.SQL(f" RETURNING {Product.COLUMNS}")
_CHANGED: Final = sql.SQL(f" WHERE id = %s AND deleted_at IS NULL RETURNING {Product.COLUMNS}")
_DELETE: Final = "UPDATE public.products SET deleted_at = now() WHERE id = %s AND deleted_at IS NULL"
_SELL: Final = f"""
    UPDATE public.products SET stock_quantity = stock_quantity - %s
    WHERE id = %s AND deleted_at IS NULL AND is_available AND stock_quantity >= %s
    RETURNING {Product.COLUMNS}
"""


class NewProduct(TypedDict):
    """What a product begins with; what is left out takes the table's defaults."""

    user_id: UUID
    name: str
    description: NotRequired[str]
    price: NotRequired[Decimal]
    currency: NotRequired[str]
    category: NotRequired[str]
    tags: NotRequired[list[str]]
    images: NotRequired[Sequence[Any]]
    stock_quantity: NotRequired[int]
    sku: NotRequired[str]
    is_available: NotRequired[bool]
    metadata: NotRequired[Mapping[str, Any]]


class ProductChanges(TypedDict, total=False):
    """What may be changed of a product."""

    name: str
    description: str | None
    price: Decimal | None
    currency: str
    category: str | None
    tags: list[str] | None
    images: Sequence[Any]
    stock_quantity: int | None
    sku: str | None
    is_available: bool
    metadata: Mapping[str, Any]


class Products(Repository[Product]):
    """Products in PostgreSQL, on a pool or in a transaction."""

    def __init__(self, queries: Queries) -> None:
        super().__init__(
            queries,
            Product,
            insertable=NewProduct.__annotations__,
            updatable=ProductChanges.__annotations__,
            documents=("images", "metadata"),
        )

    def create(self, new: NewProduct) -> Product:
        """Add a product."""
        statement, values = self._inserting(new)
        return self._queries.one(statement + _RETURNING, values, row=Product, name="products.create")

    def find_by_id(self, product: UUID) -> Product | None:
        """The product of that id."""
        return self._queries.one_or_none(_BY_ID, (product,), row=Product, name="products.find_by_id")

    def listing(self, user: UUID, *, after: Product | None = None, limit: int = PAGE) -> Sequence[Product]:
        """A page of a user's available products, the newest first: those that come ``after`` the page before.

        What is added meanwhile moves no page.
        """
        name = "products.listing"
        if after is None:
            return self._queries.query(_FIRST_PAGE, (user, limit), row=Product, name=name)
        place = (user, after.created_at, after.id, limit)
        return self._queries.query(_NEXT_PAGE, place, row=Product, name=name)

    def in_category(
        self, user: UUID, category: str, *, after: Product | None = None, limit: int = PAGE
    ) -> Sequence[Product]:
        """A page of a user's products in a category, the unavailable ones too, the newest first."""
        name = "products.in_category"
        if after is None:
            return self._queries.query(_FIRST_PAGE_IN_CATEGORY, (user, category, limit), row=Product, name=name)
        place = (user, category, after.created_at, after.id, limit)
        return self._queries.query(_NEXT_PAGE_IN_CATEGORY, place, row=Product, name=name)

    def tagged(self, user: UUID, tag: str, *, limit: int = PAGE) -> Sequence[Product]:
        """A user's products that bear a tag, the newest first."""
        return self._queries.query(_TAGGED, (user, tag, limit), row=Product, name="products.tagged")

    def search(self, user: UUID, words: str, *, limit: int = PAGE) -> Sequence[Product]:
        """A user's products by words of their names and descriptions, as people write them; the best first.

        Portuguese words are found in their other forms. ``"…"`` looks for words in a row, ``-`` leaves products out.
        """
        return self._queries.query(_SEARCH, (words, user, limit), row=Product, name="products.search")

    def update(self, product: UUID, changes: ProductChanges) -> Product | None:
        """Change a product; None where there is none. Raises UsageError for other columns."""
        if not changes:
            return self.find_by_id(product)
        statement, values = self._updating(changes)
        name = "products.update"
        return self._queries.one_or_none(statement + _CHANGED, [*values, product], row=Product, name=name)

    def sell(self, product: UUID, quantity: int = 1) -> Product | None:
        """Take so many from the stock; None, and none is taken, where so many are not there, or nobody counts them.

        Raises UsageError for less than one.
        """
        if quantity < 1:
            raise UsageError("Less than one cannot be sold", where="products.sell", seen=str(quantity), remedy="give 1")
        values = (quantity, product, quantity)
        return self._queries.one_or_none(_SELL, values, row=Product, name="products.sell")

    def soft_delete(self, product: UUID) -> bool:
        """Delete a product softly; whether there was one."""
        return self._queries.none(_DELETE, (product,), name="products.soft_delete") == 1
