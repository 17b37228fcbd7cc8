"""Points, lines and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values.space import Refused, Space

BAD_LITERAL: Final = "22P02"

_NUMBER: Final = st.integers(-1000, 1000)
_POINT: Final = st.tuples(_NUMBER, _NUMBER).map(lambda p: f"({p[0]},{p[1]})")
_TWO: Final = st.tuples(_POINT, _POINT)
_SOME: Final = st.lists(_POINT, min_size=1, max_size=5)


def _space(
    name: str,
    boundaries: tuple[str, ...],
    strategy: SearchStrategy[str],
    fresh: Callable[[int], str],
    refused: tuple[Refused, ...] = (),
) -> Space:
    wrong = Refused("a", BAD_LITERAL, "a letter is no figure")
    return Space(name, boundaries[0], boundaries, strategy, fresh, (wrong, *refused))


def figure(name: str) -> Space:
    """``point``, ``line``, ``lseg``, ``box``, ``path``, ``polygon``, ``circle``."""
    make: dict[str, Callable[[str], Space]] = {
        "point": _point,
        "line": _line,
        "lseg": _segment,
        "box": _box,
        "path": _path,
        "polygon": _polygon,
        "circle": _circle,
    }
    return make[name](name)


def _point(name: str) -> Space:
    boundaries = ("(0,0)", "(1,-1)", "(1e300,-1e300)", "(Infinity,NaN)", "0.1,0.2")
    return _space(name, boundaries, _POINT, lambda n: f"({n},0)", (Refused("(1,2", BAD_LITERAL, "not closed"),))


def _line(name: str) -> Space:
    strategy = st.tuples(_NUMBER, _NUMBER).map(lambda t: f"{{{t[0]},-1,{t[1]}}}")
    return _space(
        name,
        ("{1,-1,0}", "{0,-1,0}", "{1,0,0}"),
        strategy,
        lambda n: f"{{1,-1,{n}}}",
        (Refused("{0,0,1}", BAD_LITERAL, "neither slope nor place"),),
    )


def _segment(name: str) -> Space:
    strategy = _TWO.map(lambda t: f"[{t[0]},{t[1]}]")
    return _space(name, ("[(0,0),(1,1)]", "[(0,0),(0,0)]"), strategy, lambda n: f"[(0,0),({n + 1},1)]")


def _box(name: str) -> Space:
    strategy = _TWO.map(lambda t: f"{t[0]},{t[1]}")
    return _space(name, ("(1,1),(0,0)", "(0,0),(0,0)", "(0,0),(1,1)"), strategy, lambda n: f"({n + 1},1),(0,0)")


def _path(name: str) -> Space:
    strategy = _SOME.map(lambda ps: "[" + ",".join(ps) + "]")
    return _space(name, ("[(0,0),(1,1)]", "((0,0),(1,1))", "[(0,0)]"), strategy, lambda n: f"[(0,0),({n + 1},1)]")


def _polygon(name: str) -> Space:
    strategy = _SOME.map(lambda ps: "(" + ",".join(ps) + ")")
    return _space(
        name, ("((0,0),(1,1),(1,0))", "((0,0))", "((0,0),(1,1))"), strategy, lambda n: f"((0,0),({n + 1},1),(1,0))"
    )


def _circle(name: str) -> Space:
    strategy = st.tuples(_POINT, st.integers(0, 1000)).map(lambda t: f"<{t[0]},{t[1]}>")
    negative = Refused("<(0,0),-1>", BAD_LITERAL, "a negative radius")
    return _space(name, ("<(0,0),1>", "<(0,0),0>"), strategy, lambda n: f"<(0,0),{n + 1}>", (negative,))
