"""Long runs on up to a thousand processes, simulated event by event from measured times.

    python benchmarks/simulate_cluster.py                   # a table
    python benchmarks/simulate_cluster.py --plot FILE.png

The client sends a chunk, the scheduler hands it to a worker, which reads, solves and keeps it, and
the scheduler and the client hear of it. Client and scheduler do one thing at a time, and take the
processor time that they were measured to take for a task that does nothing; `WINDOW` chunks for
each worker are under way, as in `pearlite.batch`. Workers share a store that delivers some bytes a
second. A chunk's time scatters by `SCATTER`, and in a run of 1,000 workers some die: their chunk
begins anew elsewhere.
"""

import argparse
import heapq
import math
import random
from dataclasses import dataclass

from pearlite.batch._cluster import _WINDOW as WINDOW
from pearlite.batch._work import chunks

PIXELS = 64**2
CLIENT, SCHEDULER, WORKER = 1.7e-3, 3.0e-3, 3.1e-3  # seconds a task; see docs/scaling.md
CELL = 0.136e-3  # seconds of one core
SCATTER = 0.1  # standard deviation of a chunk's time, relatively
STORE = 50e9  # bytes a second, of all workers together: a parallel file system


@dataclass(frozen=True)
class Cluster:
    """What is simulated."""

    workers: int
    cells: int
    chunk: int | None = None  # None: what `pearlite.batch` takes
    deaths: float = 0.0  # of workers, a second and worker
    client: float = CLIENT
    scheduler: float = SCHEDULER
    cell: float = CELL
    store: float = STORE


class Server:
    """Somebody who does one thing after the other."""

    def __init__(self):
        self.free = 0.0

    def serve(self, now, seconds):
        """-> when it is done with what comes `now`."""
        self.free = max(self.free, now) + seconds
        return self.free


def simulate(cluster, seed=0):
    """-> seconds until all chunks are done, and the number of chunks.

    Events are (time, number, what, worker): a worker is free, or the client hears of a chunk.
    """
    draw = random.Random(seed)
    sizes = [b - a for a, b in chunks(cluster.cells, 1, PIXELS, cluster.chunk, True)]
    client, scheduler, store = Server(), Server(), Server()
    waiting, idle, events, count = [], list(range(cluster.workers)), [], 0
    sent, done, end = 0, 0, 0.0

    def push(time, what, worker=-1, size=0):
        nonlocal count
        count += 1
        heapq.heappush(events, (time, count, what, worker, size))

    def send(now):
        nonlocal sent
        if sent < len(sizes):
            push(client.serve(now, cluster.client / 2), "sent", size=sizes[sent])
            sent += 1

    def begin(now):
        while waiting and idle:
            size, worker = waiting.pop(), idle.pop()
            read = store.serve(now, size * PIXELS / cluster.store)
            seconds = size * cluster.cell * max(0.2, draw.gauss(1, SCATTER)) + WORKER
            death = draw.expovariate(cluster.deaths) if cluster.deaths else math.inf
            if death < seconds:  # the scheduler notices, and a new worker takes its place
                push(read + death, "lost", worker, size)
            else:
                push(read + seconds, "solved", worker, size)

    for _ in range(WINDOW * cluster.workers):
        send(0.0)
    while events:
        now, _, what, worker, size = heapq.heappop(events)
        if what == "sent":
            push(scheduler.serve(now, cluster.scheduler / 2), "ready", size=size)
        elif what in ("ready", "lost"):
            waiting.append(size)
            idle.extend([worker] if what == "lost" else [])
            begin(now)
        elif what == "solved":
            idle.append(worker)
            begin(now)
            push(scheduler.serve(now, cluster.scheduler / 2), "known")
        else:
            end = client.serve(now, cluster.client / 2)
            done += 1
            send(end)
    assert done == len(sizes)
    return end, done


def efficiency(cluster):
    """-> the share of the workers' time that goes into solving."""
    seconds, _ = simulate(cluster)
    return cluster.cells * cluster.cell / (seconds * cluster.workers)


WORKERS = (1, 2, 10, 30, 100, 300, 1000)
CASES = {
    "10⁸ cells, chunks by default (8,192)": lambda n: Cluster(n, 10**8),
    "the same, each worker dies every 10 min": lambda n: Cluster(n, 10**8, deaths=1 / 600),
    "the same, of a store of 5 GB/s": lambda n: Cluster(n, 10**8, store=5e9),
    "10⁹ cells, chunks of 32,768": lambda n: Cluster(n, 10**9, 32768),
    "10⁷ cells, chunks by default (2,441)": lambda n: Cluster(n, 10**7),
    "10⁷ cells, chunks of 1,024": lambda n: Cluster(n, 10**7, 1024),
    "10⁶ cells, chunks by default (1,024)": lambda n: Cluster(n, 10**6),
}


def table():
    """-> {case: [efficiency of each number of workers]}."""
    return {name: [efficiency(case(n)) for n in WORKERS] for name, case in CASES.items()}


def plot(path, found):
    """Draw efficiencies against workers."""
    import matplotlib.pyplot as plt

    from pearlite.plot import COLOURS

    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for k, (name, values) in enumerate(found.items()):
        style = {"marker": "os^Pvxd"[k], "markersize": 11 - k, "color": COLOURS[k]}
        axes.plot(WORKERS, values, label=name, **style)  # those below look out
    axes.set(xscale="log", xlabel="workers of one thread", ylabel="share of time spent solving")
    axes.set(ylim=(0, 1.05), xticks=[1, 10, 100, 1000], xticklabels=["1", "10", "100", "1,000"])
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main():
    """Print the table, and draw it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plot", help="write a picture, .png")
    order = parser.parse_args()
    found = table()
    print("| workers | " + " | ".join(map(str, WORKERS)) + " |")
    print("| --- |" + " --- |" * len(WORKERS))
    for name, values in found.items():
        print(f"| {name} | " + " | ".join(f"{100 * value:.0f}" for value in values) + " |")
    seconds, number = simulate(Cluster(1000, 10**8))
    print(f"10⁸ cells on 1,000 workers: {number} chunks in {seconds:.0f} s")
    if order.plot:
        plot(order.plot, found)


if __name__ == "__main__":
    main()
