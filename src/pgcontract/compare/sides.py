"""What is compared: two majors, two commits or two folders, each as a schema system and the major to run it on."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import UsageError
from pgcontract.system import System

COMMIT: Final = "git:"
_MAJOR: Final = re.compile(r"(?:pg)?(\d+)", re.IGNORECASE)
_PATIENCE: Final = 60


@dataclass(frozen=True, slots=True)
class Side:
    """A schema system, what the user calls it, and the major version that it is to run on; None for the default."""

    label: str
    system: System
    major: int | None


def needs_path(a: str, b: str) -> bool:
    """Whether neither says which system is meant, so that its folder is to be given."""
    return all(_major(one) is not None or one.startswith(COMMIT) for one in (a, b))


@contextmanager
def sides(a: str, b: str, *, path: Path | None, major: int | None) -> Iterator[tuple[Side, Side]]:
    """The two sides that words such as ``15``, ``pg18``, ``git:main`` and ``schema/shop`` name.

    ``path`` is the system of majors and of commits; a commit beside a folder is of that folder. Commits are written out
    into temporary folders, which are gone afterwards. Raises UsageError.
    """
    majors = _major(a), _major(b)
    if (majors[0] is None) != (majors[1] is None):
        raise UsageError(
            "A major version is compared with another one only.",
            seen=f"{a} and {b}",
            remedy="Give two majors, or two commits or folders with --pg.",
        )
    if majors != (None, None) and major is not None:
        raise UsageError("--pg says what the two majors say already.", seen=f"{a} and {b}", remedy="Leave it out.")
    folders = [Path(one) for one in (a, b) if _major(one) is None and not one.startswith(COMMIT)]
    where = path if path is not None else next(iter(folders), None)
    with ExitStack() as stack:

        def side(word: str, own: int | None) -> Side:
            if own is None and not word.startswith(COMMIT):
                return Side(word, System.load(Path(word)), major)
            if where is None:
                raise UsageError("Which schema?", seen=word, remedy="Give --path.")
            if own is not None:
                return Side(f"PostgreSQL {own}", System.load(where), own)
            return Side(word, System.load(stack.enter_context(_committed(where, word.removeprefix(COMMIT)))), major)

        yield side(a, majors[0]), side(b, majors[1])


def _major(word: str) -> int | None:
    found = _MAJOR.fullmatch(word)
    return None if found is None else int(found[1])


@contextmanager
def _committed(path: Path, ref: str) -> Iterator[Path]:
    """The path as it was in a commit, in a folder of its own."""
    if not path.exists():
        raise UsageError(
            "There is nothing at this path.", where=str(path), remedy="Name the system's folder as it is called now."
        )
    at = path.resolve()
    inside = at if at.is_dir() else at.parent
    top = _git(inside, "rev-parse", "--show-toplevel", failing="The system is in no git repository.", seen=str(path))
    commit = _git(
        inside,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
        failing="There is no such commit.",
        seen=ref,
    )
    relative = at.relative_to(Path(top.decode().strip()).resolve())
    archive = _git(
        Path(top.decode().strip()),
        *("archive", "--format=tar", commit.decode().strip(), "--", str(relative)),
        failing="The schema system is not in this commit.",
        seen=f"{relative} in {ref}",
    )
    with tempfile.TemporaryDirectory(prefix="pgcontract-commit-") as folder:
        # a system may be called by its folder's name, and be the repository's own folder
        whole = Path(folder) / Path(top.decode().strip()).name
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(whole, filter="data")
        yield whole / relative


def _git(folder: Path, *arguments: str, failing: str, seen: str) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise UsageError("git is not installed.", seen=seen, remedy="Install it, or compare two folders.")
    done = subprocess.run([program, "-C", str(folder), *arguments], capture_output=True, check=False, timeout=_PATIENCE)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(
            failing,
            where=str(folder),
            seen=f"{seen}: {said[-1]}" if said else seen,
            remedy="Name a commit, branch or tag of the repository that holds the system (git:main, git:HEAD~1).",
        )
    return done.stdout
