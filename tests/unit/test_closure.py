"""The model of referential actions, which databases must equal."""

from __future__ import annotations

import pytest

from pgcontract.model import Action, ForeignKey, Name
from pgcontract.promises.closure import Closure, Columns, Event, Holder, Present, rivals

PARENT, CHILD, GRANDCHILD = (Name("public", n) for n in ("parent", "child", "grandchild"))


def key(on_delete: Action = "NO ACTION", on_update: Action = "NO ACTION", to: Name = PARENT) -> ForeignKey:
    return ForeignKey("fk", ("parent_id",), to, ("id",), on_delete, on_update)


def family() -> list[Present]:
    """Two parents, each with a child."""
    return [
        Present(PARENT, {"id": "1"}),
        Present(PARENT, {"id": "2"}),
        Present(CHILD, {"id": "11", "parent_id": "1"}),
        Present(CHILD, {"id": "12", "parent_id": "2"}),
    ]


def after(
    fk: ForeignKey, event: Event, new: dict[str, str] | None = None, default: str = "2"
) -> list[tuple[str, ...]] | ForeignKey:
    rows = family()
    left = Closure({CHILD: [fk]}, rows, Columns(lambda _table, _column: default)).after(rows[0], event, new or {})
    if isinstance(left, Holder):
        return left.foreign_key
    return [(r.table.name, *(str(v) for v in r.values.values())) for r in left]


def test_cascade_takes_the_children_of_the_deleted_parent_and_no_other() -> None:
    """Deleting 1 leaves 2 and its child."""
    assert after(key("CASCADE"), "delete") == [("parent", "2"), ("child", "12", "2")]


@pytest.mark.parametrize(("action", "value"), [("SET NULL", "None"), ("SET DEFAULT", "2")])
def test_set_actions_keep_the_child(action: Action, value: str) -> None:
    """The child stays; only its key changes."""
    assert after(key(action), "delete") == [("parent", "2"), ("child", "11", value), ("child", "12", "2")]


def test_a_default_without_a_parent_refuses() -> None:
    """SET DEFAULT puts a key there, and a key needs its parent."""
    assert after(key("SET DEFAULT"), "delete", default="7") == key("SET DEFAULT")


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
def test_a_key_with_a_child_refuses(action: Action) -> None:
    """The model names the foreign key that refuses."""
    assert after(key(action), "delete") == key(action)


def test_an_update_is_followed_by_cascade() -> None:
    """The child refers to the new key."""
    found = after(key(on_update="CASCADE"), "update", {"id": "9"})
    assert found == [("parent", "9"), ("parent", "2"), ("child", "11", "9"), ("child", "12", "2")]


def test_an_update_of_another_column_touches_nobody() -> None:
    """NO ACTION only speaks of the key."""
    assert not isinstance(after(key(), "update", {"name": "x"}), ForeignKey)


def test_a_cascade_goes_on_through_the_children() -> None:
    """Grandchildren go with their parents, those that are nulled do not."""
    rows = [*family(), Present(GRANDCHILD, {"id": "21", "parent_id": "11"})]
    keys = {CHILD: [key("CASCADE")], GRANDCHILD: [key("SET NULL", to=CHILD)]}
    left = Closure(keys, rows, Columns(lambda _table, _column: None)).after(rows[0], "delete", {})
    assert not isinstance(left, Holder)
    assert [r.values.get("parent_id") for r in left if r.table == GRANDCHILD] == [None]
    assert [r.values["id"] for r in left if r.table == CHILD] == ["12"]


def test_null_that_is_not_allowed_refuses() -> None:
    """SET NULL on a column that is NOT NULL changes nothing."""
    rows, fk = family(), key("SET NULL")
    columns = Columns(lambda _table, _column: None, lambda _table, column: column == "parent_id")
    assert Closure({CHILD: [fk]}, rows, columns).after(rows[0], "delete", {}) == Holder(CHILD, fk)


SECOND = ForeignKey("second", ("other_id",), PARENT, ("id",), "CASCADE")
RESTRICTING = ForeignKey("restricting", ("other_id",), PARENT, ("id",), "RESTRICT")


@pytest.mark.parametrize(
    ("own", "rival"),
    [(key(), SECOND), (key("CASCADE"), RESTRICTING), (key(), RESTRICTING), (key("RESTRICT"), SECOND)],
    ids=["takes the child away", "refuses", "refuses at once", "takes it away before"],
)
def test_what_decides_first_is_a_rival(own: ForeignKey, rival: ForeignKey) -> None:
    """Another key of the child to the same parent; a grandchild's, that nobody is asked of, is none."""
    rows = [
        Present(PARENT, {"id": "1"}),
        Present(CHILD, {"id": "11", "parent_id": "1", "other_id": "1"}),
        Present(GRANDCHILD, {"id": "21", "parent_id": "7"}),
    ]
    keys = {CHILD: [own, rival], GRANDCHILD: [key(to=CHILD)]}
    columns = Columns(lambda _table, _column: None)
    found = rivals(Holder(CHILD, own), keys, rows, columns, [(rows[0], "delete", {})])
    assert found == [Holder(CHILD, rival)]
