"""Commits of the git repository that a path is in: what a name stands for, and the path as it was then."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pgcontract.errors import UsageError

_PATIENCE: Final = 60
_NAMES: Final = "Name a commit, branch or tag of the repository that holds the system, as main or HEAD~1"


@contextmanager
def committed(path: Path, ref: str, *, beside: Iterable[Path] = ()) -> Iterator[Path | None]:
    """The path as it was in a commit, in a folder of its own; None where the commit has nothing there.

    ``beside`` are further paths of the repository, which stand around it as they did, if they did.
    Raises UsageError: no repository, no such commit.
    """
    top, relative = _place(path)
    commit = _commit(top, ref)
    others = [at.relative_to(top) for one in beside if (at := one.resolve()).is_relative_to(top)]
    there = [str(one) for one in dict.fromkeys((relative, *others)) if _has(top, commit, one)]
    if str(relative) not in there:
        yield None
        return
    archive = _git(
        top,
        *("archive", "--format=tar", commit, "--", *there),
        failing="The schema system cannot be taken out of this commit.",
        seen=f"{relative} in {ref}",
    )
    with tempfile.TemporaryDirectory(prefix="pgcontract-commit-") as folder:
        # a system may be called by its folder's name, and be the repository's own folder
        whole = Path(folder) / top.name
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(whole, filter="data")
        yield whole / relative


def _has(top: Path, commit: str, relative: Path) -> bool:
    if relative == Path():
        return True
    return bool(_git(top, "ls-tree", commit, "--", str(relative), failing="The commit cannot be read.", seen=commit))


def branched_off(path: Path, ref: str) -> str:
    """The commit in which the branch that is checked out left ``ref``: what ``git diff REF...`` compares with.

    Raises UsageError: no repository, no such commit, no history in common.
    """
    top, _ = _place(path)
    commit = _commit(top, ref)
    found = _git(
        top,
        *("merge-base", commit, "HEAD"),
        failing="This branch and the commit have no history in common.",
        seen=ref,
        remedy="In CI, fetch the whole history: actions/checkout with fetch-depth: 0.",
    )
    return found.decode().strip()


def _place(path: Path) -> tuple[Path, Path]:
    """The repository's folder, and the path within."""
    if not path.exists():
        raise UsageError(
            "There is nothing at this path.", where=str(path), remedy="Name the system's folder as it is called now."
        )
    at = path.resolve()
    inside = at if at.is_dir() else at.parent
    found = _git(inside, "rev-parse", "--show-toplevel", failing="The system is in no git repository.", seen=str(path))
    top = Path(found.decode().strip()).resolve()
    return top, at.relative_to(top)


def _commit(top: Path, ref: str) -> str:
    found = _git(
        top,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
        failing="There is no such commit.",
        seen=ref,
        remedy=f"{_NAMES}; in CI, fetch the whole history: actions/checkout with fetch-depth: 0.",
    )
    return found.decode().strip()


def _git(folder: Path, *arguments: str, failing: str, seen: str, remedy: str = f"{_NAMES}.") -> bytes:
    program = shutil.which("git")
    if program is None:
        raise UsageError("git is not installed.", seen=seen, remedy="Install it, or compare two folders.")
    done = subprocess.run([program, "-C", str(folder), *arguments], capture_output=True, check=False, timeout=_PATIENCE)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(failing, where=str(folder), seen=f"{seen}: {said[-1]}" if said else seen, remedy=remedy)
    return done.stdout
