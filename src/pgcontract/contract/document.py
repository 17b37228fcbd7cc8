"""The contract, and its file. The only module of this room that touches a disk."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pgcontract.contract import reading, writing
from pgcontract.errors import ContractError
from pgcontract.model import Catalog

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Contract:
    """All promises of one schema system, frozen."""

    system: str
    catalog: Catalog
    format: int = FORMAT


def dumps(contract: Contract) -> str:
    """The text of contract.toml: deterministic, one promise a line.

    Raises ContractError where two things of one kind have the same name.
    """
    return writing.dumps(contract.catalog, system=contract.system, version=contract.format)


def loads(text: str, *, where: str) -> Contract:
    """Read the text of a contract.toml; ``where`` names it in errors.

    Raises ContractError: not TOML, cut off, of a newer format, a key that is missing or unknown, a wrong type.
    """
    system, version, catalog = reading.loads(text, where=where, newest=FORMAT)
    return Contract(system, catalog, version)


def read(path: Path) -> Contract:
    """Read a contract.toml. Raises ContractError."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ContractError(
            "The contract is not UTF-8.",
            where=f"{path}, byte {error.start}",
            seen=f"0x{error.object[error.start]:02x}",
            remedy="Save it as UTF-8, or write it anew with `pgcontract freeze`.",
        ) from error
    except OSError as error:
        raise ContractError(
            "The contract cannot be read.",
            where=str(path),
            seen=error.strerror,
            remedy="Write it with `pgcontract freeze`.",
        ) from error
    return loads(text.removeprefix("\ufeff"), where=str(path))


def write(path: Path, contract: Contract) -> None:
    """Write a contract.toml aside, then put it in place: whoever reads meanwhile sees the old or the new one.

    Raises ContractError.
    """
    data = dumps(contract).encode()
    # Through a symbolic link, the file it leads to is replaced, not the link.
    target = path.resolve()
    aside: str | None = None
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
        descriptor, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(mode)
        Path(aside).replace(target)
    except OSError as error:
        if aside is not None:
            with suppress(OSError):
                Path(aside).unlink()
        raise ContractError(
            "The contract cannot be written.",
            where=str(path),
            seen=error.strerror,
            remedy="See that the folder is there and that you may write in it.",
        ) from error


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
