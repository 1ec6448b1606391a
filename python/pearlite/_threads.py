"""How many threads a call may use."""

import operator
import os

from pearlite._errors import brief


def count(threads: int | None) -> int:
    """Return `threads` checked, or for None all the cores that this process may use."""
    if threads is None:
        return available()
    if isinstance(threads, bool):
        raise TypeError("threads is a bool; expected an integer >= 1 or None")
    try:
        number = operator.index(threads)
    except TypeError:
        kind = type(threads).__name__
        raise TypeError(f"threads is a {kind}; expected an integer >= 1 or None") from None
    if number < 1:
        raise ValueError(f"threads is {brief(number)}; expected an integer >= 1 or None")
    return min(number, 1024)


def available() -> int:
    """Return the number of cores that affinity and OMP_NUM_THREADS leave to this process."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    # OpenMP allows one number for each nesting level, as in "4,2"; the first one counts here.
    wished = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wished.isascii() and wished.isdigit() and int(wished) > 0:
        return min(cores, int(wished))
    return cores
