"""New structures from references: errors of statistics beside natural scatter, and times.

    .venv/bin/python benchmarks/bench_sample.py [--seeds 5] [--large]    # a table
    make bench ARGS="-k sample"                                          # asserts, records

PEARLITE_DATA names a folder of micrographs (.npy, labels); without it only structures that pearlite
makes itself are there. What judges is `pearlite.statistics`, the halves of the reference give the
natural scatter, and one column holds what the sampler does not look at: conductivity (contrast 100)
relative to the reference's own.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads

FOLDER = Path(os.environ.get("PEARLITE_DATA", "nowhere"))
MICROGRAPHS = {
    "sandstone": "sandstone_resized.npy",
    "copolymer": "pymks_ms_256x256_1.npy",
    "alloy": "alloy_resized.npy",
    "carbonate": "carbonate_resized.npy",
    "composite": "composite_resized.npy",
}


def cases():
    """-> {name: labels (256, 256)}"""
    draw = pl.microstructures.thresholded_noise
    found = {"level set": draw(1, (256, 256), length=4, seed=7)[0]}
    for name, file in MICROGRAPHS.items():
        if (FOLDER / file).exists():
            found[name] = np.load(FOLDER / file)
    return found


CASES = cases()


def judged(image, reference):
    """-> S2 and chord errors, those of halves of the reference, and (overlap, chance)."""
    apart = pl.statistics.compare(image, reference, periodic=(True, False))
    halves = pl.statistics.natural_scatter(reference, radius=apart.radius)
    errors = np.sqrt(np.mean(apart.covariance**2)), apart.chords
    natural = np.sqrt(np.mean(halves.covariance**2)), halves.chords
    found = pl.reconstruction.overlap(image, reference)
    return errors, natural, (found.best, found.chance)


def conductivity(labels):
    phases = np.geomspace(1, 100, int(labels.max()) + 1)
    return np.trace(pl.homogenize(labels, phases=phases)) / 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_sample(name, seed):
    reference = CASES[name]
    start = time.perf_counter()
    image = pl.reconstruction.sample(reference, seed=seed).image
    seconds = time.perf_counter() - start
    assert np.array_equal(np.bincount(image.ravel()), np.bincount(reference.ravel()))
    errors, natural, (best, chance) = judged(image, reference)
    assert errors[0] <= natural[0]
    assert np.all(errors[1] <= natural[1])
    assert abs(best - chance) <= 0.01
    record(
        group="sample", solver="pearlite", version=pl.__version__, input=name,
        shape="x".join(map(str, image.shape)), phases=int(image.max()) + 1,
        threads=_threads.available(), cells=1, tolerance=float(natural[0]), error=float(errors[0]),
        ms_per_cell=1000 * seconds,
    )  # fmt: skip


def test_solid():
    reference = CASES.get("copolymer", CASES["level set"])
    start = time.perf_counter()
    made = pl.reconstruction.sample(reference, shape=(128, 128, 128), seed=0)
    seconds = time.perf_counter() - start
    found = made.details["comparison"]
    assert found.within
    record(
        group="sample", solver="pearlite", version=pl.__version__, input="from one section",
        shape="128x128x128", phases=2, threads=_threads.available(), cells=1,
        tolerance=found.s2_natural, error=found.s2_error, ms_per_cell=1000 * seconds,
    )  # fmt: skip


def row(name, reference, seed, shape=None):
    start, used = time.perf_counter(), time.process_time()
    image = pl.reconstruction.sample(reference, shape=shape, seed=seed).image
    seconds, used = time.perf_counter() - start, time.process_time() - used
    errors, natural, (best, chance) = judged(image, reference)
    apart = conductivity(image) / conductivity(reference) - 1
    chords = " ".join(f"{e:.3f} ({n:.3f})" for e, n in zip(errors[1], natural[1], strict=True))
    size = "x".join(map(str, image.shape))
    print(
        f"{name:10s} {size:8s} {seed}  {errors[0]:.4f} ({natural[0]:.4f})  {chords:42s}"
        f"  {best:.4f} ({chance:.4f})  {100 * apart:+5.1f} %  {seconds:5.2f} {used:5.2f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also 512² from 256²")
    parser.add_argument("--only", default="", help="names, separated by commas")
    options = parser.parse_args()
    print(
        "reference  size     seed S2 rms (natural)  chords by phase (natural)"
        "                   overlap (chance)  A*       s   cpu s"
    )
    for name, reference in CASES.items():
        if options.only and name not in options.only.split(","):
            continue
        for seed in range(options.seeds):
            row(name, reference, seed)
        if options.large:
            row(name, reference, 0, (512, 512))


if __name__ == "__main__":
    main()
