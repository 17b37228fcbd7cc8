"""Where tables stand in the picture of a schema."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pgcontract.report.html.picture import Box, Picture, picture


def places(found: Picture) -> dict[str, Box]:
    """Boxes by name."""
    return {box.name: box for box in found.boxes}


def apart(found: Picture) -> bool:
    """Whether no two boxes touch."""
    wide, high = found.box_width, found.box_height
    return all(
        abs(one.x - other.x) >= wide or abs(one.y - other.y) >= high for one, other in combinations(found.boxes, 2)
    )


def test_a_table_stands_right_of_what_it_refers_to() -> None:
    """Layers are the longest ways: what refers to two layers stands right of both."""
    found = picture(["users", "chats", "messages"], [("messages", "chats"), ("messages", "users"), ("chats", "users")])
    at = places(found)
    assert at["users"].x < at["chats"].x < at["messages"].x


def test_lines_begin_and_end_at_their_boxes() -> None:
    """From the left side of the table to the right side of what it refers to; a line that passes a layer has places."""
    found = picture(["a", "b", "c"], [("b", "a"), ("c", "b"), ("c", "a")])
    at = places(found)
    for link in found.links:
        first, last = link.points[0], link.points[-1]
        assert first == (at[link.table].x, at[link.table].y + found.box_height // 2)
        assert last == (at[link.references].x + found.box_width, at[link.references].y + found.box_height // 2)
    long = next(link for link in found.links if (link.table, link.references) == ("c", "a"))
    assert len(long.points) == 4
    middle = at["b"]
    assert not middle.y <= long.points[1][1] <= middle.y + found.box_height, "it passes beside the box between"


def test_neighbours_are_ordered_so_that_lines_do_not_cross() -> None:
    """Three pairs that could be drawn crosswise are not."""
    found = picture(["a", "b", "c", "x", "y", "z"], [("x", "c"), ("y", "a"), ("z", "b")])
    at = places(found)
    assert sorted("abc", key=lambda n: at[n].y) == [
        {"x": "c", "y": "a", "z": "b"}[n] for n in sorted("xyz", key=lambda n: at[n].y)
    ]


def test_cycles_and_self_references_are_drawn() -> None:
    """Tables that refer to each other, and to themselves: each has one place, each line is there."""
    found = picture(["chats", "messages"], [("messages", "chats"), ("chats", "messages"), ("messages", "messages")])
    assert {(link.table, link.references) for link in found.links} == {
        ("messages", "chats"),
        ("chats", "messages"),
        ("messages", "messages"),
    }
    assert apart(found)
    assert all(x <= found.width and y <= found.height for link in found.links for x, y in link.points)


def test_nothing_is_a_picture_too() -> None:
    """A schema without tables."""
    assert picture([], []).boxes == ()


@given(st.integers(1, 24).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_any_schema_has_a_picture(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    """Whatever refers to whatever: every table once, none touches another, all within the picture, always the same."""
    number, pairs = drawn
    tables = [f"t{n}" for n in range(number)]
    references = [(f"t{a}", f"t{b}") for a, b in pairs]
    found = picture(tables, references)
    assert sorted(box.name for box in found.boxes) == sorted(tables)
    assert apart(found)
    assert all(box.x + found.box_width <= found.width and box.y >= 0 for box in found.boxes)
    assert all(box.y + found.box_height <= found.height for box in found.boxes)
    assert {(link.table, link.references) for link in found.links} == set(references)
    assert picture(tables, references) == found
