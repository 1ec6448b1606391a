"""What is done of a long run, on disk: one file for each chunk, whole or not there."""

from __future__ import annotations

import io as streams
import json
import os
import secrets
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.io.errors import FileError, shown

Columns = dict[str, npt.NDArray[Any]]

_MAGIC = b"pearlite"
_JOB = "job.json"


@dataclass(frozen=True)
class Parts:
    """The folder of the finished chunks of one run.

    A part is written under a temporary name, forced onto the disk and renamed, so that one that is
    there was finished; its checksum tells one that was damaged since.
    """

    folder: Path

    def begin(self, job: Mapping[str, Any], resume: bool) -> None:
        """Make the folder, or check that it belongs to the same job."""
        record = self.folder / _JOB
        text = json.dumps(job, indent=1, sort_keys=True)
        if self.folder.exists():
            if not resume:
                raise FileError(
                    f"{shown(str(self.folder))}: an unfinished run is there; resume it, "
                    "or remove this folder to begin anew"
                )
            if record.exists():
                self._check_same(json.loads(record.read_text(encoding="utf-8")), json.loads(text))
                return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(record, text.encode())
        except OSError as error:
            raise FileError(f"{shown(str(self.folder))}: {error.strerror or error}") from error

    def chunk(self) -> int | None:
        """Return the number of images in a chunk of the unfinished run, if there is one."""
        with suppress(OSError, ValueError):
            told = json.loads((self.folder / _JOB).read_text(encoding="utf-8"))
            return int(told["chunk"]) if told.get("chunk") else None
        return None

    def _check_same(self, there: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        """Raise unless the unfinished run does the same to the same images."""
        for key in sorted({*there, *job}):
            if there.get(key) != job.get(key):
                raise FileError(
                    f"{shown(str(self.folder))}: the unfinished run has another {key}; "
                    "remove this folder to begin anew"
                )

    def save(self, start: int, stop: int, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the results of images start … stop − 1."""
        stream = streams.BytesIO()
        np.savez(stream, **columns)  # type: ignore[arg-type]
        payload = stream.getvalue()
        head = _MAGIC + zlib.crc32(payload).to_bytes(4, "little")
        try:
            _write(self._path(start, stop), head + payload)
        except OSError as error:
            raise FileError(f"{shown(str(self.folder))}: {error.strerror or error}") from error

    def load(self, start: int, stop: int) -> Columns | None:
        """Return the results of images start … stop − 1, or None if there are none or damaged."""
        try:
            data = self._path(start, stop).read_bytes()
        except FileNotFoundError:
            return None
        payload = data[len(_MAGIC) + 4 :]
        if data[: len(_MAGIC) + 4] != _MAGIC + zlib.crc32(payload).to_bytes(4, "little"):
            return None
        with np.load(streams.BytesIO(payload), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def sound(self, start: int, stop: int) -> bool:
        """Tell whether the results of images start … stop − 1 are there and undamaged."""
        return self.load(start, stop) is not None

    def remove(self) -> None:
        """Delete the folder with all parts; what else someone put there stays."""
        for path in self.folder.glob("*"):
            if path.name == _JOB or path.suffix in (".part", ".tmp"):
                path.unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def _path(self, start: int, stop: int) -> Path:
        return self.folder / f"{start:012d}-{stop:012d}.part"


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole once it is there, and survives a power cut."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
