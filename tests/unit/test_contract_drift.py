"""Drift: no difference stays unseen, each is told in words, and ids are unique and stable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcontract.contract import collisions, drift, headlines, promises_of
from pgcontract.model import (
    Catalog,
    Check,
    Column,
    Domain,
    Enum,
    ForeignKey,
    Function,
    Grant,
    Index,
    IndexKey,
    Key,
    Name,
    Table,
    Trigger,
    View,
)
from tests.unit.catalogs import catalogs

slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


@pytest.mark.thorough
@given(st.data())
@slow
def test_catalogs_that_differ_have_drift_and_equal_ones_none(data: st.DataObject) -> None:
    """Drift is empty exactly where the catalogs are equal, also if they differ in one part only."""
    one, other = data.draw(catalogs()), data.draw(catalogs())
    part = data.draw(st.sampled_from([name for name in Catalog.__dataclass_fields__ if not name.startswith("_")]))
    near = replace(one, **{part: getattr(other, part)})
    assert drift(one, one) == ()
    for live in (near, other):
        assert bool(drift(one, live)) == (one != live)


@given(catalogs())
@slow
def test_ids_are_unique_and_clauses_stand_on_one_line(catalog: Catalog) -> None:
    """Whatever things are called."""
    promises = list(promises_of(catalog))
    assert len({id_ for id_, _, _ in promises}) == len(promises)
    assert all("\n" not in clause for _, _, clause in promises)


MESSAGES = Name("public", "messages")
TABLE = Table(
    MESSAGES,
    columns=(
        Column("id", "uuid", not_null=True, default="gen_random_uuid()"),
        Column("content", "character varying(50)"),
        Column("sender", "text", not_null=True),
        Column("document", "tsvector"),
    ),
    keys=(Key("messages_pkey", ("id",), primary=True),),
    checks=(Check("chk_sender", "(sender = ANY (ARRAY['user'::text]))"),),
    foreign_keys=(ForeignKey("fk_id", ("id",), MESSAGES, ("id",), on_delete="CASCADE"),),
    indexes=(
        Index("idx_content", "btree", (IndexKey("content", "content"),)),
        Index("idx_document", "gin", (IndexKey("document", "document"),)),
        Index("idx_once", "btree", (IndexKey("sender", "sender"),), unique=True),
    ),
    triggers=(Trigger("trg", "BEFORE", ("UPDATE",), "ROW", Name("public", "touch")),),
)
FROZEN = Catalog(
    namespaces=("public",),
    enums=(Enum(Name("public", "status"), ("A", "B")),),
    domains=(Domain(Name("public", "email"), "text", checks=(Check("shape", "(VALUE <> ''::text)"),)),),
    functions=(Function(Name("public", "touch"), returns="trigger", body="\nBEGIN\n  RETURN NEW;\nEND\n"),),
    tables=(TABLE,),
    views=(View(Name("public", "latest"), " SELECT 1"),),
    grants=(Grant("TABLE", "messages", "app", ("INSERT", "SELECT")),),
)


def test_every_promise_has_its_id_and_its_kind() -> None:
    """The ids and the kinds that the other rooms, the tests and people use."""
    assert [(id_, kind) for id_, kind, _ in promises_of(FROZEN)] == [
        ("schema public", "schema"),
        ("status", "enum"),
        ("email", "domain"),
        ("email.shape", "check"),
        ("touch()", "function"),
        ("messages", "table"),
        ("messages.id.type", "column type"),
        ("messages.id.not_null", "not null"),
        ("messages.id.default", "default"),
        ("messages.content.type", "column type"),
        ("messages.content.null", "null allowed"),
        ("messages.sender.type", "column type"),
        ("messages.sender.not_null", "not null"),
        ("messages.document.type", "column type"),
        ("messages.document.null", "null allowed"),
        ("messages.messages_pkey", "primary key"),
        ("messages.chk_sender", "check"),
        ("messages.fk_id", "foreign key"),
        ("messages.fk_id.on_delete", "referential action"),
        ("messages.fk_id.on_update", "referential action"),
        ("messages.idx_content", "index"),
        ("messages.idx_document", "full text"),
        ("messages.idx_once", "unique index"),
        ("messages.trg", "trigger"),
        ("latest", "view"),
        ("grant app on messages", "privilege"),
    ]


def with_table(**parts: object) -> Catalog:
    """FROZEN with parts of its table replaced."""
    return replace(FROZEN, tables=(replace(TABLE, **parts),))  # type: ignore[arg-type] # fields by name


def with_column(number: int, **parts: object) -> Catalog:
    """FROZEN with one column changed."""
    columns = list(TABLE.columns)
    columns[number] = replace(columns[number], **parts)  # type: ignore[arg-type] # fields by name
    return with_table(columns=tuple(columns))


@pytest.mark.parametrize(
    ("live", "words", "breaks"),
    [
        (
            with_table(checks=()),
            "messages.chk_sender: the check was dropped: CHECK (sender = ANY (ARRAY['user'::text]))",
            ("readers",),
        ),
        (
            with_table(checks=(*TABLE.checks, Check("new", "(id IS NOT NULL)"))),
            "messages.new: a check was added: CHECK (id IS NOT NULL)",
            ("writers",),
        ),
        (
            with_column(2, not_null=False),
            "messages.sender.not_null: NOT NULL was dropped: sender NOT NULL became sender NULL",
            ("readers",),
        ),
        (
            with_column(1, not_null=True),
            "messages.content.null: NOT NULL was added: content NULL became content NOT NULL",
            ("writers",),
        ),
        (
            with_column(1, type="character varying(51)"),
            (
                "messages.content.type: the column type changed from content character varying(50) "
                "to content character varying(51)"
            ),
            ("readers", "writers"),
        ),
        (
            with_column(0, default=None),
            "messages.id.default: the default was dropped: id DEFAULT gen_random_uuid()",
            ("writers",),
        ),
        (
            with_column(0, default="now()"),
            "messages.id.default: the default changed from id DEFAULT gen_random_uuid() to id DEFAULT now()",
            ("writers",),
        ),
        (
            with_table(foreign_keys=(replace(TABLE.foreign_keys[0], on_delete="SET NULL"),)),
            "messages.fk_id.on_delete: the referential action changed from ON DELETE CASCADE to ON DELETE SET NULL",
            ("writers",),
        ),
        (
            with_table(indexes=TABLE.indexes[1:]),
            "messages.idx_content: the index was dropped: INDEX USING btree (content)",
            (),
        ),
        (
            with_table(columns=(*TABLE.columns[::-1],)),
            "messages: the table changed from (id, content, sender, document) to (document, sender, content, id)",
            ("readers", "writers"),
        ),
        (
            replace(FROZEN, tables=()),
            "messages: the table was dropped: TABLE messages",
            ("readers", "writers"),
        ),
        (
            with_table(columns=(*TABLE.columns, Column("extra", "integer"))),
            "messages.extra.type: a column was added: extra integer",
            (),
        ),
        (
            with_table(columns=(*TABLE.columns, Column("extra", "integer", not_null=True))),
            "messages.extra.type: a column was added: extra integer",
            ("writers",),
        ),
        (
            replace(FROZEN, enums=(Enum(Name("public", "status"), ("A", "B", "C")),)),
            "status: the enum changed from ENUM ('A', 'B') to ENUM ('A', 'B', 'C')",
            ("readers",),
        ),
        (
            replace(FROZEN, functions=(replace(FROZEN.functions[0], body="\nBEGIN\n  RETURN OLD;\nEND\n"),)),
            "touch(): the function changed from body line 3, `RETURN NEW;` to body line 3, `RETURN OLD;`",
            ("readers", "writers"),
        ),
        (
            replace(FROZEN, grants=(Grant("TABLE", "messages", "app", ("INSERT",)),)),
            (
                "grant app on messages: the privilege changed from GRANT INSERT, SELECT ON messages TO app "
                "to GRANT INSERT ON messages TO app"
            ),
            ("readers",),
        ),
        (
            replace(FROZEN, grants=()),
            "grant app on messages: the privilege was dropped: GRANT INSERT, SELECT ON messages TO app",
            ("readers", "writers"),
        ),
    ],
)
def test_a_difference_is_told_in_words(live: Catalog, words: str, breaks: tuple[str, ...]) -> None:
    """One change is one headline that names the promise, what it was and what it is, and whom it may break."""
    (difference,) = headlines(drift(FROZEN, live))
    assert str(difference) == words
    assert difference.breaks == breaks


def test_every_promise_of_a_dropped_table_is_gone_but_told_once() -> None:
    """All ids are in the drift, so that each is known to be broken; people read one line."""
    differences = drift(FROZEN, replace(FROZEN, tables=()))
    assert {d.promise_id for d in differences} == {
        id_ for id_, _, _ in promises_of(FROZEN) if id_.startswith("messages")
    }
    assert {d.part_of for d in differences} == {None, "messages"}


CLASHING = Catalog(
    tables=(
        Table(Name("a", "b")),
        Table(
            Name("public", "a"),
            checks=(Check("b", "true"), Check("same", "true")),
            triggers=(Trigger("same", "AFTER", ("INSERT",), "ROW", Name("public", "f")),),
        ),
    )
)


def test_ids_that_would_be_the_same_are_told_apart() -> None:
    """By their schema where that is enough, else by their kind; the plain ones are listed with what they became."""
    assert [id_ for id_, _, _ in promises_of(CLASHING)] == [
        "a.b",
        "a",
        "public.a.b",
        "public.a.same (check)",
        "public.a.same (trigger)",
    ]
    assert collisions(CLASHING) == {
        ("a.b", "check"): "public.a.b",
        ("a.same", "check"): "public.a.same (check)",
        ("a.same", "trigger"): "public.a.same (trigger)",
    }


def test_a_promise_keeps_its_frozen_id_when_something_comes_that_looks_like_it() -> None:
    """A trigger of the name of a frozen check is one addition, and the check is not touched."""
    table = CLASHING.tables[1]
    frozen = replace(CLASHING, tables=(CLASHING.tables[0], replace(table, triggers=())))
    (difference,) = drift(frozen, CLASHING)
    assert (difference.kind, difference.change) == ("trigger", "added")
