"""Hypothesis strategies for the rows of a database's tables, for tests of people's own.

```python
with Strategies(dsn) as strategies:
    strategies.rows("products")                      # rows as a person would write them, as dictionaries
    strategies.rows.minimal("products", name="Mug")  # the plainest of them
    strategies.worlds("messages")                    # a row with all the rows that it refers to
```

With pytest, the fixtures ``rows`` and ``worlds`` are these. Every row passes its table's CHECKs, since the database has
decided so, and shrinks to the plainest one.
"""

from __future__ import annotations

from pgcontract.strategies.drawn import Configure, Overrides, Rows, Strategies, Worlds
from pgcontract.strategies.world import World

__all__ = ["Configure", "Overrides", "Rows", "Strategies", "World", "Worlds"]
