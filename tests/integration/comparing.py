"""A small schema system for comparisons, of which queries can be given more to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SYSTEM = """
name = "notes"

[bench]
notes = 1

[populate]
"notes.kind" = "n % 20"
"notes.title" = "'the title of note ' || n"
"""
SCHEMA = """
CREATE TABLE notes (
  id INTEGER GENERATED ALWAYS AS IDENTITY CONSTRAINT notes_pkey PRIMARY KEY,
  kind INTEGER NOT NULL,
  title TEXT NOT NULL
);
CREATE INDEX idx_notes_kind ON notes (kind, id);
-- ROLLBACK
DROP TABLE notes;
"""
WRITES = "-- writes\n-- pages: at most 100000\n-- wal: at most 10000000 bytes"
QUERIES = {
    "note": """-- One note.
-- uses: notes_pkey
-- $1 integer: the note; from notes.id
SELECT id, kind, title FROM notes WHERE id = $1;
""",
    "page": """-- A page of a kind, the newest first.
-- uses: idx_notes_kind
-- $1 integer: the kind; from notes.kind
SELECT id, title FROM notes WHERE kind = $1 ORDER BY id DESC LIMIT 50;
""",
}
WORK = {
    "lengths": """-- Many notes, one after the other.
-- uses: notes_pkey
SELECT sum(length((SELECT title FROM notes WHERE id = n)))
FROM generate_series(1, 5) AS outside
CROSS JOIN generate_series(1, {100}) AS n;
""",
    "sums": """-- Nothing but work.
-- uses: notes_pkey
SELECT sum(hashint4(n + (SELECT min(id) FROM notes)))
FROM generate_series(1, 100) AS outside
CROSS JOIN generate_series(1, {100}) AS n;
""",
    "add": f"""-- Many notes are written down.
-- uses: notes_pkey
{WRITES}
WITH added AS (
  INSERT INTO notes (kind, title) SELECT n, 'new' FROM generate_series(1, {{300}}) AS n RETURNING id
)
SELECT count(id) FROM added;
""",
}
"""What can be made to take longer: the number in braces is how much is to be done.

In proportion, and by a plan that does not hang on it: a series of hundreds asks the system for memory, in steps.
"""


def notes(folder: Path, *, work: float | Mapping[str, float] = 1) -> Path:
    """Write the system into a folder; ``work`` is how many times as much some of its queries have to do, by name."""
    (folder / "migrations").mkdir(parents=True)
    (folder / "queries").mkdir()
    (folder / "system.toml").write_text(SYSTEM)
    (folder / "migrations" / "001-notes.sql").write_text(SCHEMA)
    for name, text in QUERIES.items():
        (folder / "queries" / f"{name}.sql").write_text(text)
    for name, text in WORK.items():
        before, _, rest = text.partition("{")
        amount, _, after = rest.partition("}")
        factor = work if isinstance(work, int | float) else work[name]
        (folder / "queries" / f"{name}.sql").write_text(f"{before}{round(int(amount) * factor)}{after}")
    return folder
