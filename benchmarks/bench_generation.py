"""Generated microstructures: seconds a sample, beside the paper's sampler and the first layer.

    make bench ARGS="-k generation"

256² pixels with the fast method at its default of 40 evaluations, on one thread and on all; two
phases with the paper's network of 105,121 parameters, three with that of 1,215,403. Weights do not
change the time, so that a network that has not been trained will do where none is there:
PEARLITE_MODELS names a folder of others, two.safetensors and three.safetensors. The fractions are
asserted to be exact before anything is timed. results.csv has milliseconds a sample.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads
from pearlite.generation import Model

FOLDER = Path(os.environ.get("PEARLITE_MODELS", "nowhere"))
SIZE = 256
SECONDS = 10  # of a case
THREADS = sorted({1, _threads.available()})


def model(phases):
    """The paper's network: trained, where there is one."""
    file = FOLDER / ("two.safetensors" if phases == 2 else "three.safetensors")
    if file.exists():
        return Model.load(file)
    channels, levels = (40, 1) if phases == 2 else (100, 3)
    return Model.random(phases=phases, channels=channels, levels=levels)


def reference(phases):
    draw = pl.microstructures.voronoi
    return draw(1, (SIZE, SIZE), sites=400, phases=phases, seed=3)[0]


def seconds(network, image, threads, count, **options):
    """-> seconds a sample, the least of a few calls."""
    least, begun = np.inf, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        pl.generation.generate(network, count, seed=1, statistics=image, threads=threads, **options)
        least = min(least, time.perf_counter() - start)
    return least / count


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("phases", [2, 3])
def test_generation(benchmark, phases, threads):
    network, image = model(phases), reference(phases)
    made = pl.generation.generate(
        network, 2, seed=1, statistics=image, threads=threads, evaluations=2
    )
    for found in made.images:
        assert np.array_equal(np.bincount(found.ravel()), np.bincount(image.ravel()))
    evaluations = 40 if benchmark.enabled else 2
    count = threads
    benchmark.pedantic(
        lambda: pl.generation.generate(
            network, count, seed=1, statistics=image, threads=threads, evaluations=evaluations
        ),
        rounds=1,
    )
    if not benchmark.enabled:
        return
    took = seconds(network, image, threads, count)
    shape = f"{SIZE}x{SIZE}"
    record(
        group="generation", solver="pearlite", version=pl.__version__, input="fast, 40",
        shape=shape, phases=phases, threads=threads, cells=count, ms_per_cell=1000 * took,
    )  # fmt: skip
    begun = time.perf_counter()
    field = pl.microstructures.GaussianField.from_images(image)
    field.labels(20, seed=1, threads=threads)
    record(
        group="generation", solver="pearlite", version=pl.__version__, input="Gaussian field",
        shape=shape, phases=phases, threads=threads, cells=20,
        ms_per_cell=1000 * (time.perf_counter() - begun) / 20,
    )  # fmt: skip
    print(f"\n{phases} phases, {shape}, {threads} threads: {took:.2f} s a sample")
