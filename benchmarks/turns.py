"""Times of calls that take turns, so that what else the machine does strikes them alike."""

import time

import numpy as np


def seconds(calls, rounds=15, least=0.02):
    """-> {name: median seconds of a call}, each repeated in its turn for `least` seconds.

    calls: {name: function of no arguments}
    """
    repeats = {}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        repeats[name] = max(1, int(least / max(time.perf_counter() - start, 1e-7)))
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: float(np.median(taken)) for name, taken in times.items()}
