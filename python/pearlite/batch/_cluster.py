"""Work through chunks with processes of dask.distributed, here or on other machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.batch._parts import Parts
from pearlite.batch._sources import InMemory, Source
from pearlite.batch._stream import Advance, Range, one
from pearlite.batch._work import Work
from pearlite.io.errors import FileError, one_line, optional

_WINDOW = 4  # chunks in flight for each thread of the cluster: none idles, none floods


@dataclass(frozen=True)
class Cluster:
    """Where chunks are worked on."""

    workers: int | None = None  # processes of this machine
    address: str | None = None  # of a scheduler

    @classmethod
    def of(cls, workers: int | None, address: str | None) -> Cluster | None:
        """Check what the caller gave; None stands for this process."""
        if workers is not None and address is not None:
            raise ValueError("workers and cluster are both given; expected one of them")
        if workers is not None:
            return cls(workers=check_integer("workers", workers, 1, 4096))
        if address is None:
            return None
        if not isinstance(address, str) or not address:
            raise TypeError(f"cluster is {brief(address)}; expected the address of a scheduler")
        return cls(address=address)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Connect, and close what was opened."""
        distributed = optional("distributed", "batch", "working with several processes")
        if self.address is not None:
            try:
                client = distributed.Client(self.address, timeout=10)
            except (OSError, TimeoutError, ValueError) as error:
                raise FileError(f"cluster {self.address}: {one_line(error)}") from error
            with client:
                yield client
            return
        options = {"n_workers": self.workers, "threads_per_worker": 1, "dashboard_address": None}
        with (
            distributed.LocalCluster(**options) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def distribute(
    cluster: Cluster,
    source: Source,
    work: Work,
    parts: Parts,
    pending: Sequence[Range],
    advance: Advance,
) -> None:
    """Give chunks to the workers, which read the source and keep the results themselves.

    Source and target must be where all of them can reach them under the same name. A chunk whose
    worker dies is given to another one.
    """
    if isinstance(source, InMemory):
        raise TypeError("source is an array of this process; expected a file for workers to read")
    with cluster.client() as client:
        distributed = optional("distributed", "batch", "working with several processes")
        threads = max(1, sum(client.nthreads().values()))
        waiting = iter(pending)
        # Many at a time, on both ways: a message for each would cost the client milliseconds.
        running = distributed.as_completed(with_results=True)
        task = partial(one, source, work, parts)
        try:
            _submit(client, running, task, islice(waiting, _WINDOW * threads))
            for batch in running.batches():
                for _, cells in batch:
                    if not isinstance(cells, int):  # what a lost scheduler leaves
                        raise _failed(cells)
                    advance(cells)
                _submit(client, running, task, islice(waiting, len(batch)))
        except FileError:
            raise
        except Exception as error:
            known = type(error).__module__.partition(".")[0] in ("distributed", "asyncio", "dask")
            if known or isinstance(error, OSError):
                raise _failed(error) from error
            raise


def _failed(error: BaseException) -> FileError:
    return FileError(
        f"the cluster failed ({type(error).__name__}: {one_line(error)}); "
        "what was finished is kept, resume to go on"
    )


def _submit(client: Any, running: Any, task: Any, spans: Iterable[Range]) -> None:
    chosen = list(spans)
    if chosen:
        running.update(client.map(task, chosen, pure=False))
