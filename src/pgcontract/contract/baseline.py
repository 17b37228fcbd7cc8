"""``baseline.toml``: promises that are known to be broken or unproven, each with its reason.

With it a legacy schema begins green: what is listed does not fail a run, what is not listed does. A listed promise that
is proven again is told, so that the list only shrinks; nothing but a person makes it longer.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pgcontract.contract import toml
from pgcontract.errors import UsageError
from pgcontract.model import Verdict

BROKEN: Final = "broken"
UNPROVEN: Final = "unproven"
# a promise that is listed as broken may be unproven; one that is listed as unproven must not be broken
_COVERS: Final = MappingProxyType({BROKEN: (BROKEN, UNPROVEN), UNPROVEN: (UNPROVEN,)})
_HEAD: Final = """\
# Promises that are known to be broken or unproven, each with the reason. `pgcontract verify` fails on what is not
# listed here, and tells what is proven again: `pgcontract verify --shrink-baseline` takes such lines out.
"""
_DIRECTION: Final = re.compile(r"(?:^|; )(?:accepts|rejects): ")
_NO_REASON: Final = "not looked into yet"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Reasons by the ids of promises."""

    broken: Mapping[str, str] = field(default_factory=dict)
    unproven: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.broken or self.unproven)

    def __len__(self) -> int:
        return len(self.broken) + len(self.unproven)

    def reason(self, id_: str, verdict: str) -> str | None:
        """Why this verdict of a promise is known; None where it is not, or where it is worse than what is listed."""
        found = (self._listed(kind).get(id_) for kind, covered in _COVERS.items() if verdict in covered)
        return next((reason for reason in found if reason is not None), None)

    def mended(self, verdicts: Iterable[Verdict]) -> tuple[str, ...]:
        """The listed promises that these verdicts say are proven."""
        return tuple(v.id for v in verdicts if v.verdict == "proven" and (v.id in self.broken or v.id in self.unproven))

    def gone(self, promised: Iterable[str]) -> tuple[str, ...]:
        """The listed ids that no promise of the contract has."""
        known = set(promised)
        return tuple(id_ for id_ in (*self.broken, *self.unproven) if id_ not in known)

    def shrunk(self, verdicts: Iterable[Verdict]) -> Baseline:
        """What is left of it: the listed promises that are still not proven, each as what it is now, nothing added."""
        left = [(v, reason) for v in verdicts if (reason := self.reason(v.id, v.verdict)) is not None]
        return Baseline(
            {v.id: reason for v, reason in left if v.verdict == BROKEN},
            {v.id: reason for v, reason in left if v.verdict == UNPROVEN},
        )

    def _listed(self, kind: str) -> Mapping[str, str]:
        return self.broken if kind == BROKEN else self.unproven

    @staticmethod
    def of(verdicts: Iterable[Verdict]) -> Baseline:
        """Everything that is not proven now, with what was found as the reason."""
        listed: dict[str, dict[str, str]] = {BROKEN: {}, UNPROVEN: {}}
        for verdict in verdicts:
            if verdict.verdict in listed:
                listed[verdict.verdict][verdict.id] = " ".join(said_once(verdict.reason or _NO_REASON).split())
        return Baseline(listed[BROKEN], listed[UNPROVEN])


def said_once(reason: str | None) -> str:
    """A verdict's reason, without its directions where both have the same."""
    parts = dict.fromkeys(part for part in _DIRECTION.split(reason or "") if part)
    return next(iter(parts)) if len(parts) == 1 else reason or ""


def dumps(baseline: Baseline) -> str:
    """The text of the file: one promise a line, sorted by id, so that it merges and reviews well."""
    parts = [_HEAD]
    for kind, listed in ((BROKEN, baseline.broken), (UNPROVEN, baseline.unproven)):
        if listed:
            parts += [
                f"\n[{kind}]\n",
                *(f"{toml.string(id_)} = {toml.string(listed[id_])}\n" for id_ in sorted(listed)),
            ]
    return "".join(parts)


def read_baseline(path: Path) -> Baseline:
    """The list at the path; an empty one where there is no such file.

    Raises UsageError: unreadable, no TOML, another section, an id without a reason.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Baseline()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            "The baseline cannot be read.",
            where=str(path),
            seen=str(error),
            remedy='Write it as TOML: [broken] and [unproven], each with lines like "orders.chk_total" = "the reason".',
        ) from error
    unknown = sorted(set(found) - {BROKEN, UNPROVEN})
    sections = {kind: found.get(kind, {}) for kind in (BROKEN, UNPROVEN)}
    if unknown or not all(isinstance(section, dict) for section in sections.values()):
        raise UsageError(
            "The baseline has something else in it than its two sections.",
            where=str(path),
            seen=", ".join(unknown) or None,
            remedy="Write ids under [broken] or [unproven], in quotes.",
        )
    for kind, section in sections.items():
        for id_, reason in section.items():
            if not isinstance(reason, str) or not reason.strip():
                raise UsageError(
                    "A promise of the baseline has no reason.",
                    where=f"{path}, [{kind}]",
                    seen=id_,
                    remedy='Write "id" = "why it is known", with the id in quotes.',
                )
    return Baseline(sections[BROKEN], sections[UNPROVEN])


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the list; the file goes when nothing is left of it. Raises UsageError."""
    try:
        if baseline:
            path.write_text(dumps(baseline), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            "The baseline cannot be written.",
            where=str(path),
            seen=error.strerror,
            remedy="See that the folder is there and that you may write in it.",
        ) from error
