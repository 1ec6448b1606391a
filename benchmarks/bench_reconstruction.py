"""Matching images through the kernel identity: ten seeds each, all of which must be exact.

    make bench ARGS="-k reconstruction"

PEARLITE_DATA names a folder of micrographs (.npy, labels); without it they are left out.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads
from pearlite import microstructures as models

THREADS = _threads.available()
SEEDS = 10
CASES = {}


def noise(shape, length=2.0, fractions=(0.6, 0.4)):
    return models.thresholded_noise(1, shape, length=length, fractions=fractions, seed=1)[0]


for n in (64, 256, 512, 1024):
    CASES[f"checkerboard {n}"] = lambda n=n: models.checkerboard((n, n), tiles=8)
    CASES[f"noise {n}"] = lambda n=n: noise((n, n))
    CASES[f"smooth noise {n}"] = lambda n=n: noise((n, n), 8.0)
    CASES[f"cells {n}"] = lambda n=n: models.voronoi(1, (n, n), sites=n, phases=2, seed=1)[0]
for n in (64, 128):
    CASES[f"noise {n}^3"] = lambda n=n: noise((n, n, n))
CASES["three phases 256"] = lambda: noise((256, 256), 3.0, (0.3, 0.3, 0.4))
for path in sorted(Path(os.environ.get("PEARLITE_DATA", "nowhere")).glob("*.npy")):
    CASES[path.stem] = lambda path=path: np.ascontiguousarray(np.load(path))


@pytest.mark.parametrize("name", CASES)
def test_reconstruction_by_the_identity(benchmark, name):
    image = CASES[name]()
    phases = int(image.max()) + 1
    for seed in range(SEEDS):
        result = pl.reconstruction.match(image, seed=seed, threads=THREADS)
        assert result.exact
        assert pl.reconstruction.overlap(result.image, image).best == 1
    seeds = iter(range(10**6))

    def run():
        return pl.reconstruction.match(image, seed=next(seeds) % SEEDS, threads=THREADS)

    benchmark.pedantic(run, rounds=SEEDS)
    if benchmark.stats:
        record(ms_per_cell=1e3 * benchmark.stats.stats.median, cells=1, group="match identity",
               solver="pearlite", version=pl.__version__, input=name, phases=phases,
               shape="x".join(map(str, image.shape)), threads=THREADS, error=0.0)  # fmt: skip
