"""The demonstration: two families of random microstructures, homogenized, and exact cases."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import microstructures
from pearlite.corrector import homogenize

SIZE = 64
UNIT = "W m⁻¹ K⁻¹"
_CHUNK = 250  # cells between two steps of the progress bar


@dataclass(frozen=True)
class Family:
    """A population of microstructures and its effective conductivities.

    Attributes
    ----------
    name : str
        What it is.
    phases : (P,) float64
        Conductivity of each label.
    example : (64, 64) uint8
        The first image.
    effective : (N, 2, 2) float64
        Their effective conductivities.
    seconds : float
        Time of the homogenization alone.
    """

    name: str
    phases: npt.NDArray[np.float64]
    example: npt.NDArray[np.uint8]
    effective: npt.NDArray[np.floating[Any]]
    seconds: float


@dataclass(frozen=True)
class ExactCase:
    """One component of a cell with a closed-form solution.

    Attributes
    ----------
    name : str
        The cell and the component.
    computed, exact : float
        Both values.
    remark : str
        What makes up the difference.
    """

    name: str
    computed: float
    exact: float
    remark: str

    @property
    def difference(self) -> float:
        """Relative difference of the two values."""
        return self.computed / self.exact - 1


def homogenize_families(
    count: int, seed: int, advance: Callable[[int], None] = lambda cells: None
) -> list[Family]:
    """Make `count` microstructures, half of them of each family, and homogenize them.

    Examples
    --------
    >>> [family.effective.shape for family in homogenize_families(5, seed=0)]
    [(3, 2, 2), (2, 2, 2)]
    """
    shape = (SIZE, SIZE)
    models: list[tuple[str, list[float], Callable[..., npt.NDArray[np.uint8]]]] = [
        (
            "two phases, noise",
            [1, 10],
            partial(microstructures.thresholded_noise, shape=shape, length=2.5, seed=seed),
        ),
        (
            "five phases, Voronoi",
            [1, 2, 4, 7, 10],
            partial(microstructures.voronoi, shape=shape, sites=40, phases=5, seed=seed),
        ),
    ]
    numbers = [count - count // 2, count // 2]
    return [
        _homogenize_family(name, phases, draw, number, advance)
        for (name, phases, draw), number in zip(models, numbers, strict=True)
    ]


def _homogenize_family(
    name: str,
    phases: list[float],
    draw: Callable[..., npt.NDArray[np.uint8]],
    count: int,
    advance: Callable[[int], None],
) -> Family:
    effective = np.empty((count, 2, 2))
    seconds = 0.0
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        labels = draw(part.stop - start, sample=start)
        began = time.perf_counter()
        effective[part] = homogenize(labels, phases=phases)
        seconds += time.perf_counter() - began
        advance(part.stop - start)
    return Family(name, np.array(phases, np.float64), draw(1)[0], effective, seconds)


def exact_cases(contrast: float = 10.0) -> list[ExactCase]:
    """Homogenize cells whose effective conductivity is known in closed form.

    Layers of conductivity 1 and σ are exact on any grid. Obnosov's square inclusion of a quarter of
    the area, √((1+3σ)/(3+σ)), has singular corners: what is left is the error of the pixel grid.

    References
    ----------
    Yu. V. Obnosov, SIAM J. Appl. Math. 59 (1999) 1267-1287.
    """
    phases = [1.0, contrast]
    layers = homogenize(microstructures.laminate((SIZE, SIZE)), phases=phases).tolist()
    cases = [
        ExactCase("layers, across", layers[0][0], 2 / (1 + 1 / contrast), "solver, rtol 1e-6"),
        ExactCase("layers, along", layers[1][1], (1 + contrast) / 2, "solver, rtol 1e-6"),
    ]
    exact = float(np.sqrt((1 + 3 * contrast) / (3 + contrast)))
    for n in (SIZE, 4 * SIZE):
        square = np.zeros((n, n), np.uint8)
        square[n // 4 : 3 * n // 4, n // 4 : 3 * n // 4] = 1
        computed = homogenize(square, phases=phases)[0, 0].item()
        cases.append(ExactCase(f"square of 25 %, {n}²", computed, exact, "pixel grid"))
    return cases
