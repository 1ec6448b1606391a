"""The error of a file that cannot be used, and the import of packages that only some files need."""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any


class FileError(ValueError):
    """A file that cannot be read, written or used; the message is one line and names the file."""


class MissingPackageError(FileError):
    """A file needs a package of an optional extra; the message says what to install."""


class EndingError(FileError):
    """The ending of a file name is none that can be written."""


def known_ending(
    path: str | os.PathLike[str], endings: Collection[str], argument: str = "path"
) -> str:
    """Return the ending of a file name in lower case, or raise unless it is one of these."""
    name = file_name(path, argument)
    ending = Path(name).suffix.lower()
    if ending not in endings:
        many = "one of " if len(endings) > 1 else ""
        raise EndingError(
            f"{shown(name)}: unknown ending {ending!r}; expected {many}{', '.join(endings)}"
        )
    return ending


def one_line(error: BaseException) -> str:
    """Say what another library's error says, in one line."""
    text = " ".join(str(error).split())
    return text or type(error).__name__


def file_name(path: str | os.PathLike[str], argument: str = "path") -> str:
    """Return a path as text, or an error that names the argument."""
    text: object = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        kind = type(path).__name__
        raise TypeError(f"{argument} is a {kind}; expected a str or a path of text")
    return text


def shown(name: str) -> str:
    """Show a path as it is, or with escapes where it would not stay on its line."""
    return name if name.isprintable() else repr(name)


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import a package of an optional extra, or say what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        raise MissingPackageError(
            f"{purpose} needs {top}: pip install 'pearlite[{extra}]' ({one_line(error)})"
        ) from error
