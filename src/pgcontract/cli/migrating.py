"""What `pgcontract migrate up`, `down` and `status` do, apart from reading options: they must start fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pgcontract.cli import given
from pgcontract.cli.given import database, writable, write_result
from pgcontract.errors import UsageError
from pgcontract.signs import State, signed

if TYPE_CHECKING:
    from pgcontract.migrations import Event, Override, Result, Runner, Status
    from pgcontract.migrations.results import Entry
    from pgcontract.system import System

EXIT_PENDING: Final = 1
EXIT_UNSOUND: Final = 3
WAIT_SECONDS: Final = 60.0
_STATES: Final[dict[str, State]] = {"applied": "good", "baseline": "good", "pending": "open"}


def up(  # noqa: PLR0913 - a command's options
    path: Path | None = None,
    *,
    dsn: str | None = None,
    to: int | None = None,
    dry_run: bool = False,
    init: bool = True,
    wait: float = WAIT_SECONDS,
    lock_timeout: float | None = None,
    statement_timeout: float | None = None,
    allow_edited: bool = False,
    allow_missing: bool = False,
    allow_out_of_order: bool = False,
) -> int:
    """Apply what is pending, or say what that is. Gives the exit code."""
    allow = _allowed(edited=allow_edited, missing=allow_missing, out_of_order=allow_out_of_order)
    runner = _runner(
        path, dsn, initialise=init, lock_seconds=wait, lock_timeout=lock_timeout, statement_timeout=statement_timeout
    )
    if dry_run:
        planned = runner.plan(to, allow=allow)
        for migration in planned:
            alone = "" if migration.transactional else " (no transaction)"
            _say(signed("open", f"would apply {migration.name}{alone}"))
        if not planned:
            _say("Nothing to apply.")
        return 0
    return _finish(runner.up(to, allow=allow), "Nothing to apply.")


def down(  # noqa: PLR0913 - a command's options
    path: Path | None = None,
    steps: int | None = None,
    *,
    dsn: str | None = None,
    to: int | None = None,
    wait: float = WAIT_SECONDS,
    lock_timeout: float | None = None,
    statement_timeout: float | None = None,
    allow_edited: bool = False,
) -> int:
    """Undo migrations. Gives the exit code."""
    if path is not None and steps is None and str(path).isdecimal() and not path.exists():
        # `down 2`, where the path is the configured one
        path, steps = None, int(str(path))
    if steps is not None and to is not None:
        raise UsageError("How far down?", seen=f"{steps} and --to {to}", remedy="give a number of steps, or --to")
    runner = _runner(path, dsn, lock_seconds=wait, lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    return _finish(runner.down(steps, to=to, allow=_allowed(edited=allow_edited)), "Nothing to undo.")


def status(
    path: Path | None = None, *, dsn: str | None = None, json_file: Path | None = None, exit_code: bool = False
) -> int:
    """Show all migrations. Gives the exit code."""
    with given.alone(writable(json_file)):
        return _show(one_system(path), database(dsn), json_file, exit_code=exit_code)


def _show(system: System, dsn: str, json_file: Path | None, *, exit_code: bool) -> int:
    from pgcontract.migrations.state import status_of  # noqa: PLC0415 - it brings the driver

    found = status_of(dsn, migrations_of(system), system.tracking_table, {})
    for name, told in found.gaps:
        _warn_of_gap(system, name, told)
    width = max((len(entry.name) for entry in found.entries), default=0)
    for entry in found.entries:
        _say(signed(_STATES.get(entry.state, "bad"), f"{entry.state:<9}", f" {_line(entry, width)}".rstrip()))
    _say(_totals(found))
    if json_file is not None:
        write_result(json_file, _written(found))
    if not exit_code:
        return 0
    return EXIT_UNSOUND if not found.sound else EXIT_PENDING if found.pending else 0


def one_system(path: Path | None) -> System:
    """The system at the path, or the one that is configured. Raises UsageError where there are several."""
    return given.one_system(path) if path is None else loaded(path)


def loaded(path: Path) -> System:
    """The system at the path; an empty folder is one of migrations, of which the first is still to be written."""
    from pgcontract.system import System  # noqa: PLC0415 - not every command needs one

    if path.is_dir() and not any(path.glob("[!.]*")):
        return System(path.resolve().name, path, path, path / "contract.toml")
    return System.load(path)


def migrations_of(system: System) -> Path:
    """The system's folder of migrations. Raises UsageError for one that is a single file."""
    if system.migrations is None:
        raise system.not_ours()
    return system.migrations


def _allowed(*, edited: bool, missing: bool = False, out_of_order: bool = False) -> list[Override]:
    given: list[tuple[bool, Override]] = [(edited, "edited"), (missing, "missing"), (out_of_order, "out-of-order")]
    return [name for wanted, name in given if wanted]


def _runner(path: Path | None, dsn: str | None, **settings: Any) -> Runner:
    from pgcontract.migrations import runner_of  # noqa: PLC0415 - it brings the driver

    system = one_system(path)
    return runner_of(database(dsn), system, on_event=lambda event: _tell(event, system), **settings)


def _say(line: str) -> None:
    # at once: a program that reads it sees what is done when it is done
    print(line, flush=True)  # noqa: T201 - this is a command


def _finish(result: Result, nothing: str) -> int:
    if not result.done:
        _say(nothing)
    _say(_totals(result))
    return 0


def _totals(counted: Result | Status) -> str:
    return f"Total: {counted.total} | Executed: {counted.executed} | Pending: {counted.pending}"


def _tell(event: Event, system: System) -> None:
    if event.kind in {"initialised", "applied", "undone"}:
        _say(signed("good", f"{event.kind:<11}", f" {event.name} ({event.seconds * 1000:.0f} ms)"))
    elif event.kind == "waiting":
        print(f"{event.kind:<11} {event.name} for a lock held by {event.detail}", file=sys.stderr)  # noqa: T201
    elif event.kind == "gap":
        _warn_of_gap(system, event.name, event.detail)


def _warn_of_gap(system: System, name: str, told: str) -> None:
    # `validate` is where a person says that a gap is right
    if not any(isinstance(system.validate.get(rule), str) for rule in ("gap", f"gap:{name}")):
        print(f"{'gap':<11} before {name}: {told}", file=sys.stderr)  # noqa: T201


def _line(entry: Entry, width: int) -> str:
    line = f"{entry.name:<{width}}"
    if entry.applied_at is not None:
        line += f"  {entry.applied_at:%Y-%m-%d %H:%M:%S%z} by {entry.applied_by}"
    if entry.duration is not None:
        line += f" ({entry.duration.total_seconds() * 1000:.0f} ms)"
    if entry.unchanged is False and entry.state != "edited":
        line += " [edited]"
    if entry.recorded_as is not None:
        number = entry.recorded_as.partition("-")[0].lstrip("0") or "0"
        line += f" [applied as {entry.recorded_as}: give that name back, or repair --accept {number}]"
    return line


def _written(status: Status) -> str:
    import json  # noqa: PLC0415 - only where it is asked for

    shown: dict[str, Any] = {
        "format": 1,
        "total": status.total,
        "executed": status.executed,
        "pending": status.pending,
        "sound": status.sound,
        "gaps": [told for _, told in status.gaps],
        "migrations": [
            {
                "name": entry.name,
                "state": entry.state,
                "recorded_as": entry.recorded_as,
                "checksum": None if entry.unchanged is None else "same" if entry.unchanged else "changed",
                "applied_at": entry.applied_at.isoformat() if entry.applied_at else None,
                "applied_by": entry.applied_by,
                "seconds": entry.duration.total_seconds() if entry.duration is not None else None,
            }
            for entry in status.entries
        ],
    }
    return json.dumps(shown, indent=2)
