"""Direct inversion: Fourier phases marched from rows of an exact bispectrum, without iterations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse
from scipy.sparse import csgraph

from pearlite.reconstruction._bispectrum import Search, has_all_counts, rounded, target_of
from pearlite.reconstruction._correlations import Correlations
from pearlite.reconstruction._methods import Options, refuse_unknown
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Watch


def solve(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """March the phases; see `pearlite.reconstruction.match`."""
    refuse_unknown("phases", options)
    goal = target_of(target, "phases")
    if shape is not None and shape != goal.shape:
        raise ValueError(f"shape is {shape}; expected {goal.shape}, since all vectors count")
    field = marched(goal)
    image = rounded(field, goal)
    if has_all_counts(image, goal, options.threads):
        watch.record(0, 0.0, 0.0)
        why = "Ended since all integer two- and three-point counts agree, without iterations."
        return watch.result(image, "phases", why, seed, exact=True)
    # Some phases were lost where the spectrum is almost zero: a few steps downhill mend them.
    search = Search(goal, seed, options, watch, "phases")
    search.run(start=np.clip(field, 0, 1).astype(np.float32))
    return search.result("The marched phases missed some counts, and were mended by descent. ")


def marched(target: Correlations) -> NDArray[np.float64]:
    """Return the field with the spectrum's magnitude of S2 and the phases of B(e, ·).

    With U(k) = |U| exp(iφ), the phase of B(e, k) is φ(e) + φ(k) − φ(k + e): for the unit vectors e
    it tells how φ goes on from k to its neighbours. The φ(e) themselves are a translation, up to
    whole pixels, once n φ(e) = Σ_j arg B(e, j e) holds around the cell. Phases are passed on along
    the edges where |B| is largest, a maximum spanning tree.
    """
    shape = target.shape
    pixels = int(np.prod(shape))
    magnitude = np.sqrt(np.maximum(fft.fftn(target.two_point[0]).real * pixels, 0))
    steps = [_step(target, axis) for axis in range(len(shape))]
    if not all(weight.max() > 1e-12 * pixels for weight, _ in steps):
        raise ValueError(
            "target has no power at the smallest wave vectors, along which phases are marched (a "
            "periodic pattern?); expected other correlations, or method='bispectrum'"
        )
    phases = _passed_on(steps, shape)
    field: NDArray[np.float64] = fft.ifftn(magnitude * np.exp(1j * phases)).real
    return field


def _step(target: Correlations, axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights |B(e, k)| and the phase steps φ(k + e) − φ(k) along an axis."""
    assert target.bispectrum is not None
    shape = target.shape
    unit = tuple(int(i == axis) for i in range(len(shape)))
    middle = int(np.ravel_multi_index(unit[1:-1], shape[1:-1])) if len(shape) > 2 else 0
    parts = target.bispectrum[unit[0], middle, unit[-1]].astype(np.float64)
    row = (parts[0] + 1j * parts[1]).reshape(shape)
    angle = np.angle(row)
    line = angle[tuple(slice(None) if i == axis else 0 for i in range(len(shape)))]
    own = line.sum() / shape[axis]  # φ(e)
    return np.abs(row), own - angle


def _passed_on(
    steps: list[tuple[NDArray[np.float64], NDArray[np.float64]]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return phases, from φ(0) = 0 on."""
    size = int(np.prod(shape))
    index = np.arange(size).reshape(shape)
    starts, ends, costs = [], [], []
    for axis, (weight, _) in enumerate(steps):
        starts.append(index.ravel())
        ends.append(np.roll(index, -1, axis).ravel())
        costs.append(1 - np.log(np.maximum(weight / weight.max(), 1e-300)).ravel())
    edges = (np.concatenate(costs), (np.concatenate(starts), np.concatenate(ends)))
    tree = csgraph.minimum_spanning_tree(sparse.csr_array(edges, shape=(size, size)))
    order, parent = csgraph.breadth_first_order(tree, 0, directed=False)
    phases = np.zeros(size)
    place = np.unravel_index(np.arange(size), shape)
    for node in order[1:]:
        before = parent[node]
        for axis, (_, step) in enumerate(steps):
            ahead = (place[axis][node] - place[axis][before]) % shape[axis]
            if ahead == 1:
                phases[node] = phases[before] + step.flat[before]
                break
            if ahead == shape[axis] - 1:
                phases[node] = phases[before] - step.flat[node]
                break
    return phases.reshape(shape)
