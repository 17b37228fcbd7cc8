"""Is the database there? Answered over HTTP, for load balancers and people: `GET /health` and `GET /health/db`.

An ASGI application, which stands alone (`pgcontract health serve`) or is mounted in another. It tells that something is
wrong, never what: that is in the log. Needs the extra `health`.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from typing import Any, Final, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pgcontract.database import ConnectionStatus, Database
from pgcontract.errors import PgContractError
from pgcontract.migrations import runner_of
from pgcontract.system import System

logger = logging.getLogger("pgcontract.health")

OK: Final = 200
UNAVAILABLE: Final = 503
PATIENCE: Final = 3.0
FRESH: Final = 1.0
MIGRATIONS_FRESH: Final = 10.0
_HEADERS: Final = {"Cache-Control": "no-store"}

MigrationsState = Literal["current", "pending", "unsound", "unknown"]


@dataclass(frozen=True, slots=True)
class Migrations:
    """How far the database is. ``unsound``: an applied file was edited or is missing; ``unknown``: nobody could say."""

    state: MigrationsState
    applied: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """What was found: whether the database answered, after how many milliseconds, and its major version."""

    up: bool
    latency_ms: float | None = None
    postgresql: str | None = None
    migrations: Migrations | None = None


class Monitor:
    """Asks the database, however many ask us: once a second at most, and nobody waits for longer than ``patience``.

    With a ``system``, its migrations are looked for, too, every ten seconds. ``version`` is the application's.
    """

    def __init__(
        self,
        database: Database,
        *,
        dsn: str | None = None,
        system: System | None = None,
        version: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.version = version if version is not None else installed_version("pgcontract")
        self._database = database
        self._runner = None if system is None or dsn is None else runner_of(dsn, system)
        self._patience = patience
        self._lock = threading.Lock()
        self._look: Future[Health] | None = None
        self._began = 0.0
        self._last: Health | None = None
        self._migrations: tuple[float, Migrations] | None = None

    def health(self) -> Health:
        """What is known now, or will be within the patience. Never raises."""
        with self._lock:
            now = time.monotonic()
            # one that hangs is left alone, and another connection is tried
            due = now - self._began > (self._patience if self._is_looking() else FRESH)
            if self._look is None or due:
                self._look, self._began = Future(), now
                threading.Thread(target=self._find, args=(self._look,), daemon=True, name="pgcontract health").start()
            look, left = self._look, self._began + self._patience - now
        try:
            found = look.result(max(left, 0.0))
        except TimeoutError:
            found = Health(up=False)
        self._tell(found)
        return found

    def pool(self) -> ConnectionStatus:
        """The pool's figures."""
        return self._database.connection_status()

    def _is_looking(self) -> bool:
        return self._look is not None and not self._look.done()

    def _find(self, look: Future[Health]) -> None:
        try:
            look.set_result(self._ask())
        except PgContractError as error:
            logger.warning("the database does not answer: %s", error)
            look.set_result(Health(up=False))
        except BaseException as error:
            # whoever waits is to be answered
            logger.exception("the database cannot be asked")
            look.set_result(Health(up=False))
            if not isinstance(error, Exception):
                raise

    def _ask(self) -> Health:
        began = time.perf_counter()
        (number,) = self._database.one("SELECT current_setting('server_version_num')::INTEGER", name="health")
        latency = (time.perf_counter() - began) * 1000
        return Health(
            up=True,
            latency_ms=round(latency, 2),
            postgresql=str(number // 10000),
            migrations=self._migrated(),
        )

    def _migrated(self) -> Migrations | None:
        if self._runner is None:
            return None
        now = time.monotonic()
        if self._migrations is not None and now - self._migrations[0] < MIGRATIONS_FRESH:
            return self._migrations[1]
        try:
            status = self._runner.status()
        except PgContractError as error:
            logger.warning("the migrations cannot be looked for: %s", error)
            return Migrations("unknown")
        state: MigrationsState = "unsound" if not status.sound else "pending" if status.pending else "current"
        found = Migrations(state, status.executed, status.pending)
        self._migrations = now, found
        return found

    def _tell(self, found: Health) -> None:
        with self._lock:
            before, self._last = self._last, replace(found, latency_ms=None, migrations=None)
        if before is not None and before.up != found.up:
            logger.warning("the database is %s", "up again" if found.up else "down")


def application(monitor: Monitor) -> Starlette:
    """The ASGI application; 200 where the database answers, 503 where not."""

    def overall(_request: Request) -> JSONResponse:
        found = monitor.health()
        return _response(monitor, found, {})

    def database(_request: Request) -> JSONResponse:
        found = monitor.health()
        return _response(monitor, found, _details(found, monitor.pool()))

    return Starlette(routes=[Route("/health", overall), Route("/health/db", database)])


def _response(monitor: Monitor, found: Health, details: dict[str, Any]) -> JSONResponse:
    # the shape of NestJS's terminus, which health checkers know
    database = {"status": "up" if found.up else "down", **details}
    body = {
        "status": "ok" if found.up else "error",
        "version": monitor.version,
        "info": {"database": database} if found.up else {},
        "error": {} if found.up else {"database": database},
        "details": {"database": database},
    }
    return JSONResponse(body, OK if found.up else UNAVAILABLE, headers=_HEADERS)


def _details(found: Health, pool: ConnectionStatus) -> dict[str, Any]:
    migrations = found.migrations
    return {
        "latency_ms": found.latency_ms,
        "postgresql": found.postgresql,
        "migrations": None
        if migrations is None
        else {"state": migrations.state, "applied": migrations.applied, "pending": migrations.pending},
        "pool": {
            "size": pool.size,
            "idle": pool.idle,
            "in_use": pool.in_use,
            "waiting": pool.waiting,
            "max": pool.max_size,
        },
    }
