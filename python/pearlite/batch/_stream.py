"""Read, work and keep results at the same time, in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from pearlite.batch._parts import Columns, Parts
from pearlite.batch._sources import Source
from pearlite.batch._work import Prepared, Work

Range = tuple[int, int]
Advance = Callable[[int], None]

_AHEAD = 2  # chunks that are read before they are needed, and that may wait to be written


def stream(
    source: Source, work: Work, parts: Parts, pending: Iterable[Range], advance: Advance
) -> None:
    """Work through chunks; each is kept on disk as soon as it is done.

    One thread reads and prepares, this one works (its kernels run without Python's lock), and one
    writes. What the others raise is raised here. After Ctrl-C what was done is written, or not
    there at all.
    """
    waiting = iter(pending)
    reader, writer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    read: deque[tuple[Range, Future[Prepared]]] = deque()
    written: deque[tuple[Range, Future[None]]] = deque()

    def order() -> None:
        following = next(waiting, None)
        if following is not None:
            read.append((following, reader.submit(_prepared, source, work, following)))

    def settle(most: int) -> None:
        while len(written) > most:
            (start, stop), future = written.popleft()
            future.result()
            advance(stop - start)

    try:
        for _ in range(_AHEAD):
            order()
        while read:
            span, future = read.popleft()
            prepared = future.result()
            order()
            results = work.run(prepared)
            written.append((span, writer.submit(parts.save, *span, results)))
            settle(_AHEAD)
        settle(0)
    finally:
        reader.shutdown(wait=True, cancel_futures=True)
        writer.shutdown(wait=True)  # what was worked out is kept


def _prepared(source: Source, work: Work, span: Range) -> Prepared:
    return work.prepare(source.read(*span))


def one(source: Source, work: Work, parts: Parts, span: Range) -> int:
    """Do one chunk from reading to keeping, as the workers of a cluster do."""
    results: Columns = work.run(_prepared(source, work, span))
    parts.save(*span, results)
    return span[1] - span[0]
