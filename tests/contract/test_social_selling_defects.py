"""The known defects of the specification's triggers, each found from the invariants alone.

They are planted one by one into row triggers that are sound, so that it is the defect that is found; and once as the
specification has them, all together. The fifth defect is the runner's: tests/integration/test_migrate.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pgcontract.invariants.exploring import counterexample
from tests.contract.fix_exploring import Laboratory

EXAMPLES = 200
FEWEST = 10
"""Statements of the longest history that a defect needs: its parents' rows, a message or two, a change, the query."""

INSERTED = """
    UPDATE conversations
    SET unread_count = unread_count + (NEW.sender_type = 'customer' AND NOT NEW.is_read)::INTEGER,
        last_message_at = GREATEST(last_message_at, NEW.sent_at)
    WHERE id = NEW.conversation_id;
"""
UPDATED = """
    UPDATE conversations
    SET unread_count = unread_count - (OLD.sender_type = 'customer' AND NOT OLD.is_read)::INTEGER,
        last_message_at = (SELECT MAX(sent_at) FROM messages WHERE conversation_id = OLD.conversation_id)
    WHERE id = OLD.conversation_id;
    UPDATE conversations
    SET unread_count = unread_count + (NEW.sender_type = 'customer' AND NOT NEW.is_read)::INTEGER,
        last_message_at = (SELECT MAX(sent_at) FROM messages WHERE conversation_id = NEW.conversation_id)
    WHERE id = NEW.conversation_id;
"""
DELETED = """
    UPDATE conversations
    SET unread_count = unread_count - (OLD.sender_type = 'customer' AND NOT OLD.is_read)::INTEGER,
        last_message_at = (SELECT MAX(sent_at) FROM messages WHERE conversation_id = OLD.conversation_id)
    WHERE id = OLD.conversation_id;
"""
# word for word, but for the indentation
SPECIFIED_INSERTED = """
    IF NEW.sender_type = 'customer' AND NEW.is_read = FALSE THEN
      UPDATE conversations
      SET unread_count = unread_count + 1,
          last_message_at = NEW.sent_at
      WHERE id = NEW.conversation_id;
    END IF;
"""
SPECIFIED_UPDATED = """
    IF OLD.is_read = FALSE AND NEW.is_read = TRUE THEN
      UPDATE conversations
      SET unread_count = GREATEST(unread_count - 1, 0)
      WHERE id = NEW.conversation_id;
    END IF;
"""
NOTHING = "NULL;"


def triggers(inserted: str = INSERTED, updated: str = UPDATED, deleted: str = DELETED) -> str:
    """Row triggers on messages with these bodies, in place of those that there are."""

    def trigger(event: str, body: str) -> str:
        return (
            f"CREATE OR REPLACE FUNCTION specified_{event}() RETURNS TRIGGER LANGUAGE plpgsql AS"
            f" $$ BEGIN {body} RETURN NULL; END $$;"
            f" CREATE TRIGGER specified_{event} AFTER {event} ON messages"
            f" FOR EACH ROW EXECUTE FUNCTION specified_{event}();"
        )

    dropped = ("message_increment_unread", "message_decrement_unread", "message_subtract_deleted")
    return "\n".join(
        [
            *(f"DROP TRIGGER {name} ON messages;" for name in dropped),
            *(trigger(*one) for one in (("INSERT", inserted), ("UPDATE", updated), ("DELETE", deleted))),
        ]
    )


@dataclass(frozen=True)
class Defect:
    """A variant of the triggers, and the invariant that it breaks."""

    ddl: str
    breaks: str


def replaced(body: str, old: str, new: str) -> str:
    """The body with one thing changed, which is there."""
    assert old in body
    return body.replace(old, new)


DEFECTS = {
    # 1. reading one's own message lowers the customer's count
    "the decrement is for any sender": Defect(
        triggers(
            updated=replaced(
                UPDATED,
                "- (OLD.sender_type = 'customer' AND NOT OLD.is_read)::INTEGER",
                "- (NOT OLD.is_read AND (NEW.is_read OR OLD.sender_type = 'customer'))::INTEGER",
            )
        ),
        "unread_count",
    ),
    # 2. what deleting, moving and turning unread do to the count
    "deleting an unread message is not counted": Defect(
        triggers(deleted=replaced(DELETED, "- (OLD.sender_type = 'customer' AND NOT OLD.is_read)::INTEGER", "")),
        "unread_count",
    ),
    "moving an unread message is not counted": Defect(
        triggers(
            updated=replaced(
                replaced(UPDATED, "- (OLD", "- (NEW.conversation_id = OLD.conversation_id AND OLD"),
                *("+ (NEW", "+ (NEW.conversation_id = OLD.conversation_id AND NEW"),
            )
        ),
        "unread_count",
    ),
    "turning a read message unread is not counted": Defect(
        triggers(updated=replaced(UPDATED, "+ (NEW", "+ (NEW.is_read >= OLD.is_read AND NEW")),
        "unread_count",
    ),
    # 3. the time goes back when messages arrive out of order
    "last_message_at is that of the newest row": Defect(
        triggers(inserted=replaced(INSERTED, "GREATEST(last_message_at, NEW.sent_at)", "NEW.sent_at")),
        "last_message_at",
    ),
    # 5. the user's own messages never move the time
    "a user's message does not move last_message_at": Defect(
        triggers(inserted=f"IF NEW.sender_type = 'customer' THEN {INSERTED} END IF;"), "last_message_at"
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_the_specification_is_found(name: str, laboratory: Laboratory) -> None:
    """By its invariant, with a short history that is sound without the defect."""
    defect = DEFECTS[name]
    with laboratory.changed(defect.ddl):
        explored = laboratory.exploration.histories(range(EXAMPLES), 0, until_broken=True)
        assert set(explored.broken) == {f"invariants.{defect.breaks}"}
        assert not explored.failing
    (broken,) = explored.broken.values()
    invariant = next(i for i in laboratory.exploration.invariants if i.path.stem == defect.breaks)
    told = counterexample(invariant, broken, "no row")
    print(told)  # noqa: T201 - the history that was found, for whoever runs this with -s
    assert broken.repeatable
    assert len(broken.statements) <= FEWEST, told
    assert "messages" in told
    assert laboratory.replayed(broken.statements) == []


@pytest.mark.thorough
def test_the_specifications_triggers_break_both_invariants(laboratory: Laboratory) -> None:
    """As they stand there: all four defects at once."""
    with laboratory.changed(triggers(SPECIFIED_INSERTED, SPECIFIED_UPDATED, NOTHING)):
        explored = laboratory.exploration.histories(range(EXAMPLES // 4), 0)
    assert set(explored.broken) == {"invariants.unread_count", "invariants.last_message_at"}


@pytest.mark.thorough
def test_the_row_triggers_without_a_defect_are_sound(laboratory: Laboratory) -> None:
    """What is found above is the defect, and not that triggers are row triggers."""
    with laboratory.changed(triggers()):
        explored = laboratory.exploration.histories(range(40), 0)
    assert not explored.broken
    assert not explored.failing
    assert min(explored.held.values()) > 500


def test_changing_the_schema_back_leaves_it_sound(laboratory: Laboratory) -> None:
    """The laboratory itself: no defect stays behind for the next test."""
    explored = laboratory.exploration.histories(range(20), 1, until_broken=True, cut_down=False)
    assert not explored.broken
