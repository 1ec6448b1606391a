"""Faster two-point statistics under a program that uses PyMKS, which stays as it is.

The program learns the conductivity of microstructures from their two-point statistics, by PyMKS's
transformers and a pipeline of scikit-learn. One function of PyMKS, `two_point_stats`, is replaced
by a call of pearlite. Both compute the same sums by Fourier transforms: only rounding differs.

    pip install pymks scikit-learn "setuptools<81"
    python examples/embed_pymks.py
"""

import argparse
import time
import warnings
from contextlib import contextmanager, nullcontext

import dask
import dask.array
import numpy as np

import pearlite as pl

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what PyMKS imports
    import pymks
    from pymks.fmks import correlations
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline


def statistics(images, cutoff, chunk):
    """Code of a user of PyMKS: -> the statistics (n, shifts, shifts, 2) of images (n, n0, n1)."""
    lazy = dask.array.from_array(images, chunks=(chunk, *images.shape[1:]))
    phases = pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0).transform(lazy)
    pairs = [(0, 0), (0, 1)]
    maps = pymks.TwoPointCorrelation(correlations=pairs, cutoff=cutoff).transform(phases)
    return maps.compute(scheduler="synchronous")


def program(images, property_, cutoff=15, chunk=64):
    """Code of a user of PyMKS: learn on one half, -> predictions of the other, statistics."""
    found = statistics(images, cutoff, chunk)
    features = found.reshape(len(found), -1)
    half = len(images) // 2
    model = make_pipeline(PCA(6, svd_solver="full"), LinearRegression())
    model.fit(features[:half], property_[:half])
    return model.predict(features[half:]), found


def two_point_stats(arr1, arr2, periodic_boundary=True, cutoff=None, mask=None):
    """Do what PyMKS's function of this name does, for the lazy arrays that its transformers give.

    arr1, arr2: (n, n0, n1[, n2]) dask arrays; a block is of whole images
    """
    if mask is not None:
        raise NotImplementedError("only what the program needs")
    largest = (min(arr1.shape[1:]) - 1) // 2
    cut = largest if cutoff is None else min(cutoff, largest)
    dim = arr1.ndim - 1

    def correlate(first, second):
        maps = pl.correlation.two_point(
            np.ascontiguousarray(first, np.float64), np.ascontiguousarray(second, np.float64),
            dim=dim, periodic=periodic_boundary, threads=1,
        )  # fmt: skip
        middle = [n // 2 for n in maps.shape[1:]]
        if periodic_boundary:
            maps = np.fft.fftshift(maps, axes=tuple(range(1, dim + 1)))
        return maps[(slice(None), *(slice(m - cut, m + cut + 1) for m in middle))]

    sizes = tuple((2 * cut + 1,) for _ in range(dim))
    return dask.array.map_blocks(
        correlate, arr1, arr2, dtype=np.float64, chunks=(arr1.chunks[0], *sizes)
    )


@contextmanager
def faster():
    """Put ours in the place of PyMKS's function."""
    original = correlations.two_point_stats
    correlations.two_point_stats = two_point_stats
    try:
        yield
    finally:
        correlations.two_point_stats = original


def drawn(count, size, seed=0):
    """-> images (count, size, size) of several lengths and fractions, and their conductivities."""
    rng = np.random.default_rng(seed)
    images = np.concatenate(
        [
            pl.microstructures.thresholded_noise(
                1, (size, size), length=rng.uniform(1, 6), fractions=(f, 1 - f), seed=int(k)
            )
            for k, f in enumerate(rng.uniform(0.3, 0.7, count))
        ]
    )
    return images, pl.homogenize(images, phases=[1.0, 10.0])[:, 0, 0]


def study(count, size):
    """-> largest differences of statistics and predictions, R² of both, processor seconds of both.

    Seconds are those of the statistics alone: the rest of the program is the same.
    """
    images, conductivity = drawn(count, size)
    told = []
    for context in (nullcontext, faster):
        with context():
            predicted, found = program(images, conductivity)
            began = time.process_time()
            statistics(images, 15, 64)
            seconds = time.process_time() - began
        rest = conductivity[count // 2 :]
        score = 1 - np.mean((predicted - rest) ** 2) / np.var(rest)
        told.append((found, predicted, float(score), seconds))
    (found, predicted, before, slow), (ours, again, after, fast) = told
    apart = float(np.abs(found - ours).max()), float(np.abs(predicted - again).max())
    return *apart, before, after, slow, fast


def main():
    """Show both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128)
    order = parser.parse_args()
    apart, predictions, before, after, slow, fast = study(order.count, order.size)
    print(f"{order.count} images of {order.size}² pixels, two correlations each")
    print(f"statistics differ by {apart:.1e}, predictions by {predictions:.1e}")
    print(f"R² of the unseen half: PyMKS {before:.6f}, pearlite {after:.6f}")
    print(
        f"processor time: PyMKS {slow:.2f} s, pearlite {fast:.2f} s: {slow / fast:.1f} times less"
    )


if __name__ == "__main__":
    main()
