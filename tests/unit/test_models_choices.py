"""Columns that may hold a few texts only, and what classes are called where somebody wants it otherwise."""

from __future__ import annotations

import pytest

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Check, Column, Composite, Enum, Name, Table
from pgcontract.models import source
from pgcontract.models.choices import choices
from tests.integration.fix_models import executed

OPEN = "(status = ANY (ARRAY['open'::text, 'half closed'::text]))"


def table(expression: str, type_: str, **more: bool) -> Table:
    """A table of one column with one CHECK."""
    return Table(
        Name("public", "shops"),
        (Column("status", type_), Column("b", "text")),
        checks=(Check("c", expression, **more),),
    )


@pytest.mark.parametrize(
    ("expression", "type_", "expected"),
    [
        (OPEN, "text", ("open", "half closed")),
        ("(status = 'open'::text)", "text", ("open",)),
        (
            "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            "character varying(9)",
            ("a", "b"),
        ),
        # a NULL among them lets everything pass
        ("(status = ANY (ARRAY['open'::text, NULL::text]))", "text", ()),
        ("(status <> ALL (ARRAY['open'::text]))", "text", ()),
        ("(lower(status) = ANY (ARRAY['open'::text]))", "text", ()),
        ("((status = 'open'::text) OR (b = 'x'::text))", "text", ()),
        ("(b = ANY (ARRAY['open'::text]))", "text", ()),
        ("(status = ANY (ARRAY['a'::bpchar, 'b'::bpchar]))", "character(3)", ()),
        ("('open'::text = ANY (status))", "text[]", ()),
    ],
)
def test_a_list_of_texts_is_understood_and_nothing_else(expression: str, type_: str, expected: tuple[str, ...]) -> None:
    """Only where the CHECK says nothing more, and the column holds what it compares."""
    made = table(expression, type_)
    assert choices(made, made.columns[0]) == expected


@pytest.mark.parametrize("more", [{"validated": False}, {"enforced": False}])
def test_a_check_that_old_rows_need_not_pass_says_nothing(more: dict[str, bool]) -> None:
    """Rows that were there before may hold anything."""
    made = table(OPEN, "text", **more)
    assert choices(made, made.columns[0]) == ()


def test_the_module_names_the_choice() -> None:
    """After the class and the column; the field may be None where the column may be NULL."""
    text = source("shop", Catalog(tables=(table(OPEN, "text"),)))
    assert 'ShopStatus: TypeAlias = Literal[\n    "open",\n    "half closed",\n]\n' in text
    assert "    status: ShopStatus | None\n" in text


def test_a_class_is_called_as_it_is_wanted() -> None:
    """Tables, enums, and those in other schemas; what would be called so keeps out of the way."""
    things = Catalog(
        tables=(
            Table(Name("public", "media"), ()),
            Table(Name("public", "mediums"), ()),
            Table(Name("old", "data"), ()),
        ),
        enums=(Enum(Name("public", "mood"), ("fine",)),),
    )
    text = source("shop", things, {"media": "Medium", "old.data": "Datum", "mood": "Temper"})
    for line in ("class Medium:", "class Mediums:", "class Datum:", "class Temper(StrEnum):"):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize(
    ("called", "message"),
    [
        ({"medias": "Medium"}, "There is no such table or type"),
        ({"media": "int"}, "No class can be called so"),
        ({"media": "class"}, "No class can be called so"),
        ({"media": "UUID"}, "No class can be called so"),
        ({"media": "Same", "news": "Same"}, "Two classes cannot be called alike"),
    ],
)
def test_a_name_that_cannot_be_is_told(called: dict[str, str], message: str) -> None:
    """And for what it was wanted."""
    things = Catalog(tables=(Table(Name("public", "media"), ()), Table(Name("public", "news"), ())))
    with pytest.raises(UsageError, match=message) as raised:
        source("shop", things, called)
    assert next(reversed(called.values())) in (raised.value.seen or "")


def secrets_of(*columns: str, secrets: tuple[str, ...], namespace: str = "public") -> str:
    """The module of one table with text columns."""
    made = Table(Name(namespace, "users"), tuple(Column(name, "text") for name in columns))
    return source("shop", Catalog(tables=(made,)), None, secrets)


@pytest.mark.parametrize(
    ("namespace", "secret"),
    [("public", "users.hash"), ("public", "public.users.hash"), ("vault", "vault.users.hash")],
)
def test_a_secret_is_in_no_repr(namespace: str, secret: str) -> None:
    """It is a field as any other, but nothing shows it; with a column called like what hides it, too."""
    text = secrets_of("name", "hash", "field", "_dataclasses", secrets=(secret,), namespace=namespace)
    made = executed(text)
    row = made.User("ana", "s3cret", "maths", "none")
    assert "s3cret" not in repr(row)
    assert "ana" in repr(row)
    assert row.hash == "s3cret"
    assert row != made.User("ana", "another", "maths", "none")


def test_a_secret_in_a_value_is_in_no_repr() -> None:
    """An attribute of a composite type, named by the type."""
    card = Composite(Name("public", "card"), (Column("number", "text"),))
    holder = Table(Name("public", "people"), (Column("pays_by", "card"),))
    text = source("shop", Catalog(tables=(holder,), composites=(card,)), None, ("card.number",))
    assert "    number: str | None = field(repr=False)\n" in text


@pytest.mark.parametrize("secret", ["users.hasch", "hash", "users", "other.users.hash"])
def test_a_secret_that_is_no_column_is_told(secret: str) -> None:
    """A column that was renamed is not to be shown from then on without a word."""
    with pytest.raises(UsageError, match="There is no such column") as raised:
        secrets_of("hash", secrets=(secret,))
    assert raised.value.seen == secret
