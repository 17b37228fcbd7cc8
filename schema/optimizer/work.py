"""The queue and the credits, for workers: what the schema's functions do, typed.

The pool needs the schema's types: ``Database(dsn, configure=rows.register)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from pgcontract.database import Queries
from schema.optimizer.rows import JobItem

_CLAIM: Final = f"SELECT {JobItem.COLUMNS} FROM public.claim_items(%s) ORDER BY created_at ASC"
# the job first, as everybody does who locks both; a canceled one stays as it is
_LOCK_JOB: Final = """
    SELECT id FROM public.jobs
    WHERE id = (SELECT job_id FROM public.job_items WHERE id = %s) AND status <> 'CANCELED'
    FOR NO KEY UPDATE
"""
_RETRY: Final = "UPDATE public.job_items SET status = 'PENDING' WHERE id = %s AND status = 'FAILED'"
_LEFT: Final = "SELECT credits_total - credits_used_month FROM public.app_instances WHERE instance_id = %s"


class Queue:
    """Items to be worked on. An item that was claimed carries its claim: the stamp in ``updated_at``."""

    def __init__(self, queries: Queries) -> None:
        self._queries: Final = queries

    def claim(self, most: int = 1) -> list[JobItem]:
        """Take up to so many items, the oldest first, all of one job; none where there is nothing to do."""
        return self._queries.query(_CLAIM, (most,), row=JobItem, name="queue.claim")

    def finish(self, item: JobItem, result: str) -> bool:
        """Write the item's result; False where the claim is lost, and then nothing is written."""
        return self._told("SELECT public.finish_item(%s, %s, %s)", item, result, name="queue.finish")

    def fail(self, item: JobItem, reason: str) -> bool:
        """Let the item have failed; False where the claim is lost, and then nothing is written."""
        return self._told("SELECT public.fail_item(%s, %s, %s)", item, reason, name="queue.fail")

    def extend(self, item: JobItem) -> JobItem | None:
        """The item with a claim that is new; None where it is lost."""
        values = (item.id, item.updated_at)
        (stamp,) = self._queries.one("SELECT public.extend_claim(%s, %s)", values, name="queue.extend")
        return None if stamp is None else replace(item, updated_at=stamp)

    def retry(self, item_id: UUID) -> bool:
        """Have a failed item done again; False where it has not failed, or its job was canceled."""
        with self._queries.tx() as tx:
            if tx.one_or_none(_LOCK_JOB, (item_id,), name="queue.retry") is None:
                return False
            return tx.none(_RETRY, (item_id,), name="queue.retry") == 1

    def requeue(self, silent: timedelta) -> int:
        """Put back what workers hold of whom nothing was heard for so long; how many items."""
        (number,) = self._queries.one("SELECT public.requeue_items(%s)", (silent,), name="queue.requeue")
        assert isinstance(number, int)
        return number

    def work(self, do: Callable[[JobItem], str]) -> JobItem | None:
        """Claim an item, do it outside of any transaction, and write what became of it; None where nothing is to do.

        What ``do`` raises lets the item have failed, by the error's type: its words may hold what nobody is to read.
        """
        for item in self.claim():
            try:
                result = do(item)
            except Exception as error:  # noqa: BLE001 - whatever it was, the item is not done
                self.fail(item, type(error).__name__)
            else:
                self.finish(item, result)
            return item
        return None

    def _told(self, query: str, item: JobItem, text: str, *, name: str) -> bool:
        return self._queries.one(query, (item.id, item.updated_at, text), name=name) == (True,)


class Credits:
    """What installations may have done in a month."""

    def __init__(self, queries: Queries) -> None:
        self._queries: Final = queries

    def spend(self, instance: str, amount: int) -> bool:
        """Spend so many credits at once; False, and none is spent, where there are not so many left."""
        query = "SELECT public.spend_credits(%s, %s)"
        return self._queries.one(query, (instance, amount), name="credits.spend") == (True,)

    def left(self, instance: str) -> int | None:
        """How many are left; None where there is no such installation."""
        found = self._queries.one_or_none(_LEFT, (instance,), name="credits.left")
        if found is None:
            return None
        (number,) = found
        assert isinstance(number, int)
        return number

    def reset(self) -> int:
        """Give a new month's credits to all whose month is over; how many those are."""
        (number,) = self._queries.one("SELECT public.reset_credits()", name="credits.reset")
        assert isinstance(number, int)
        return number
