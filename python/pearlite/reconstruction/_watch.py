"""The history of a run, its progress, and its checkpoints."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite.io.errors import FileError, file_name, one_line, shown
from pearlite.io.writing import replacing
from pearlite.reconstruction._result import History, Result

_CHECKPOINT_SECONDS = 10.0
_FIELDS = ("evaluation", "loss", "rounded_loss", "wrong", "seconds")


@dataclass(frozen=True)
class Record:
    """One line of progress; see `History` for what is in it."""

    evaluation: int
    loss: float
    rounded_loss: float
    wrong: int
    seconds: float


Progress: TypeAlias = Callable[[Record], None]


class Watch:
    """Records a run.

    Parameters
    ----------
    progress : callable, optional
        Called with each `Record`.
    checkpoint : path, optional
        Where to save the state, every ten seconds and at the end.
    resume : path, optional
        A checkpoint to go on from.
    identity : str
        What run this is, see `fingerprint`: a checkpoint of another one is refused.
    """

    def __init__(
        self,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
        identity: str = "",
    ) -> None:
        self._progress = progress
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self._identity = identity
        self._records: list[Record] = []
        self._began = time.perf_counter()
        self._saved = self._began
        self._resumed = {} if resume is None else self._load(resume)

    def record(
        self, evaluation: int, loss: float, rounded_loss: float = np.nan, wrong: int = -1
    ) -> None:
        """Keep one line of history."""
        entry = Record(int(evaluation), float(loss), float(rounded_loss), int(wrong), self.seconds)
        self._records.append(entry)
        if self._progress is not None:
            self._progress(entry)

    @property
    def seconds(self) -> float:
        """Seconds since the start, those before a checkpoint included."""
        return time.perf_counter() - self._began

    @property
    def due(self) -> bool:
        """Whether it is time to save; `save` need not be called before."""
        return (
            self._checkpoint is not None
            and time.perf_counter() - self._saved >= _CHECKPOINT_SECONDS
        )

    def save(self, **state: Any) -> None:
        """Save the state of a run, numbers and arrays by name, if a checkpoint was asked for."""
        if self._checkpoint is None:
            return
        history = {f"history_{name}": getattr(self.history(), name) for name in _FIELDS}
        with replacing(self._checkpoint) as temporary, open(temporary, "wb") as file:
            np.savez(file, identity=np.array(self._identity), **history, **state)
        self._saved = time.perf_counter()

    def resumed(self) -> dict[str, NDArray[Any]]:
        """Return the state that was saved, empty for a run from the start."""
        return dict(self._resumed)

    def _load(self, path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
        name = file_name(path)
        try:
            with np.load(name, allow_pickle=False) as file:
                state = dict(file)
            identity = str(state.pop("identity"))
            history = [state.pop(f"history_{name}").tolist() for name in _FIELDS]
            self._records = [Record(*entry) for entry in zip(*history, strict=True)]
        except FileNotFoundError:
            raise FileError(f"{shown(name)}: no such file") from None
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FileError(f"{shown(name)}: not a checkpoint ({one_line(error)})") from error
        if identity != self._identity:
            raise ValueError(
                f"resume is {shown(name)}, a checkpoint of another run; "
                "expected one of the same target, method, shape and seed"
            )
        if self._records:
            self._began -= self._records[-1].seconds
        return state

    def history(self) -> History:
        """Return the history so far."""
        entries = self._records
        return History(
            np.array([entry.evaluation for entry in entries], np.int64),
            np.array([entry.loss for entry in entries], np.float64),
            np.array([entry.rounded_loss for entry in entries], np.float64),
            np.array([entry.wrong for entry in entries], np.int64),
            np.array([entry.seconds for entry in entries], np.float64),
        )

    def result(self, image: NDArray[Any], method: str, why: str, seed: int, **more: Any) -> Result:
        """Return the result; losses are the latest ones unless given."""
        last = self._records[-1] if self._records else Record(0, np.nan, np.nan, -1, 0.0)
        values = {"loss": last.loss, "rounded_loss": last.rounded_loss, **more}
        return Result(image=image, history=self.history(), method=method, why=why, seed=seed,
                      **values)  # fmt: skip


def fingerprint(method: str, parts: Mapping[str, Any]) -> str:
    """Return a digest of a method and of the arguments that decide its run, by name."""
    digest = hashlib.sha256(method.encode())
    for name, value in parts.items():
        digest.update(name.encode())
        if isinstance(value, np.ndarray):
            digest.update(f"{value.shape}{value.dtype}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()
