"""The data and models of the experiments in `distributional_inversion.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pearlite as pl
from pearlite.microstructures import LaguerreCells, LocallyPeriodic, NeumannField

Floats = NDArray[np.float64]
Parameters = dict[str, Floats]
LAYERS = {"a": np.array([1.0, 4.0, 10.0]), "alpha": np.array([0.2, 0.3, 0.5])}
CELLS = {"a": np.array([1.0, 4.0, 10.0]), "w": np.array([0.0, 0.1, 0.05])}
NOISE = 0.01  # of the standard deviation of a component


@dataclass(frozen=True)
class Data:
    """Measurements, how many independent ones they are worth, and their errors' deviation."""

    values: Floats
    effective: float | None = None
    sigma: Floats | None = None  # of each component


@dataclass(frozen=True)
class Case:
    """One experiment with one set of true parameters."""

    title: str
    truth: Parameters
    measure: Callable[[int], Data]  # of a seed
    model: Callable[[str], pl.inversion.Model]  # of a method
    paper: str = "–"  # the paper's error
    options: dict[str, Any] = field(default_factory=dict)  # of the fit
    same_law: tuple[Parameters, ...] = ()  # other parameters that no data tell from the true ones


# One dimension ----------------------------------------------------------------------------------


def harmonic(fractions: Floats, a: Floats) -> Floats:
    """Return the conductivity across layers (count, 1)."""
    return 1 / (fractions @ (1 / a))[:, None]


def dirichlet_data(truth: Parameters, count: int, seed: int) -> Data:
    """Measure A* of layers with Dirichlet-distributed fractions."""
    rng = np.random.default_rng([seed, 0xDA7A])
    return Data(harmonic(rng.dirichlet(truth["alpha"], count), truth["a"]))


def uniform_data(truth: Parameters, count: int, seed: int) -> Data:
    """Measure A* of layers of which all fractions but the last are uniform."""
    rng = np.random.default_rng([seed, 0xDA7A])
    fractions = rng.random((count, len(truth["delta"]))) * truth["delta"]
    whole = np.column_stack([fractions, 1 - fractions.sum(axis=1)])
    return Data(harmonic(whole, np.concatenate([truth["a"], truth["a_last"]])))


def uniform_cases(quick: bool, _materials: int) -> list[Case]:
    """Find δ of known materials: with one solution, and with two (see `UniformLayers`)."""
    cases = []
    for name, a, last, delta, other in (
        ("told apart", [1.0, 10.0], 4.0, [0.3, 0.4], None),
        # Widths are .9 · .3 = .27 and .5 · .2 = .1; exchanged they come from these.
        ("up to an exchange", [1.0, 5 / 3], 10.0, [0.3, 0.2], [0.1 / 0.9, 0.27 / 0.5]),
    ):
        truth = {"a": np.array(a), "a_last": np.array([last]), "delta": np.array(delta)}
        known = {"a": truth["a"], "a_last": truth["a_last"]}
        cases.append(
            Case(
                f"4.1 uniform, {name}",
                truth,
                partial(uniform_data, truth, 500 if quick else 10_000),
                lambda method: pl.inversion.UniformLayers(3),
                options={"known": known},
                same_law=() if other is None else (truth | {"delta": np.array(other)},),
            )
        )
    return cases


def dirichlet_case(alpha: Floats, count: int, title: str, **options: Any) -> Case:
    """Describe layers with given α."""
    truth = {"a": LAYERS["a"], "alpha": alpha}
    return Case(
        title,
        truth,
        partial(dirichlet_data, truth, count),
        lambda method: pl.inversion.DirichletLayers(3),
        options=options,
    )


def dirichlet_cases(quick: bool, _materials: int) -> list[Case]:
    """Describe the experiment of figure 3: by least distance as there, and refined."""
    count = 500 if quick else 10_000
    return [
        dirichlet_case(LAYERS["alpha"], count, "4.3 Dirichlet, least distance", refine=None),
        dirichlet_case(LAYERS["alpha"], count, "4.3 Dirichlet, likelihood"),
    ]


def sweep_cases(quick: bool, _materials: int) -> list[Case]:
    """Describe the experiment of figure 4: α of any size."""
    count = 500 if quick else 10_000
    sizes = (0.3, 1.0) if quick else (0.1, 0.3, 1.0, 3.0, 10.0)
    mean = LAYERS["alpha"] / LAYERS["alpha"].sum()
    return [dirichlet_case(size * mean, count, f"4.3 Dirichlet, α₀ = {size:g}") for size in sizes]


# Periodic cells ---------------------------------------------------------------------------------


def periodic_data(truth: Parameters, count: int, pixels: int, seed: int) -> Data:
    """Measure cells with independent seeds."""
    rng = np.random.default_rng([seed, 0xDA7A])
    model = pl.inversion.PeriodicLaguerre(len(truth["a"]), (pixels, pixels))
    return Data(model.simulate(truth, rng.random((count, len(truth["a"]), 2)))[0])


def periodic_cases(quick: bool, materials: int) -> list[Case]:
    """Describe the experiment of figures 6 and 7."""
    truth = CELLS
    if materials != 3:
        lags = 0.05 * (2 * np.arange(materials) % 3)
        truth = {"a": np.geomspace(1, 10, materials), "w": lags}
    pixels = 16 if quick else 64
    return [
        Case(
            f"5.1 periodic, K = {materials}",
            truth,
            partial(periodic_data, truth, 200 if quick else 1000, 24 if quick else 128),
            lambda method: pl.inversion.PeriodicLaguerre(materials, (pixels, pixels)),
            paper="lost",
            options={"restarts": 1} if quick else {},
        )
    ]


def grid_of_sites(side: int) -> Floats:
    """Return the centres (side², 2) of side × side of 100 × 100 cells of the unit square."""
    along = ((np.arange(side) + 0.5) * 100 / side).astype(int) + 0.5
    return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2) / 100


def locally_periodic_world(length: float, pixels: int) -> LocallyPeriodic:
    """Return specimens of 100 × 100 cells with seeds that are alike up to a distance."""
    field = NeumannField(tau=1 / length, modes=max(40, round(2 / length)))
    return LocallyPeriodic(LaguerreCells((pixels, pixels), 3), (100, 100), field)


@cache
def independent_sites(length: float, specimens: int, side: int) -> float:
    """Count the independent sites that the sites are worth; farther ones may be worth more."""
    model, world = pl.inversion.PeriodicLaguerre(3, (32, 32)), locally_periodic_world(length, 32)
    points = grid_of_sites(side)
    worth = pl.inversion.effective_count(model, CELLS, world, points, specimens=specimens)
    return float(np.clip(worth, 1, specimens * len(points)))


def locally_periodic_data(
    truth: Parameters, length: float, specimens: int, side: int, pixels: int, seed: int
) -> Data:
    """Measure side × side distant cells of each specimen, with noise."""
    world = locally_periodic_world(length, pixels)
    model = pl.inversion.PeriodicLaguerre(3, (pixels, pixels))
    parts = [
        model.simulate(truth, world.sites(normals, grid_of_sites(side)))[0]
        for normals in world.draw(specimens, seed=seed)
    ]
    values = np.concatenate(parts)
    sigma = NOISE * values.std(axis=0)
    rng = np.random.default_rng([seed, 0x0155])
    values = values + sigma * rng.standard_normal(values.shape)
    return Data(values, independent_sites(length, specimens, side), sigma)


def locally_periodic_cases(quick: bool, _materials: int) -> list[Case]:
    """Describe the experiment of figures 10 and 11, for several numbers of independent sites."""
    plan = ((0.05, 1, 32), (0.05, 1, 12), (0.02, 1, 32), (0.02, 4, 32))
    if quick:
        plan = ((0.05, 1, 8),)
    pixels = 16 if quick else 64
    return [
        Case(
            f"5.2 locally periodic, ℓ = {length:g}, {count} specimen{'s' * (count > 1)}",
            CELLS,
            partial(locally_periodic_data, CELLS, length, count, side, 24 if quick else 128),
            lambda method: pl.inversion.PeriodicLaguerre(3, (pixels, pixels)),
            paper="1.76, .38, .97",
            options={"restarts": 1} if quick else {},
        )
        for length, count, side in plan
    ]


EXPERIMENTS: dict[str, Callable[[bool, int], list[Case]]] = {
    "1d-uniform": uniform_cases,
    "1d-dirichlet": dirichlet_cases,
    "1d-sweep": sweep_cases,
    "2d-periodic": periodic_cases,
    "2d-locally-periodic": locally_periodic_cases,
}
