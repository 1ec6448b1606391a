"""The data and models of sections 6.1 and 6.2, for `distributional_inversion.py`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from inversion_cases import Case, Data, Parameters

import pearlite as pl
from pearlite.microstructures import NeumannField

MOSAICS = {"alpha": np.array([2.0, 3.0, 4.0]), "a": np.array([1.0, 4.0, 10.0])}
SITES = 500


def mosaics(quick: bool, method: str, finer: float = 1.0) -> pl.inversion.StochasticMosaics:
    """Return the model of sections 6.1 and 6.2, with the paper's network for its method."""
    pixels = round(finer * (32 if quick else 128))
    network = method == "adam"
    return pl.inversion.StochasticMosaics(
        3,
        50 if quick else SITES,
        (pixels, pixels),
        surrogate="network" if network else "moments",
        evaluations=(30, 10, 10) if quick and not network else None,
    )


def stochastic_data(quick: bool, truth: Parameters, count: int, seed: int) -> Data:
    """Measure independent mosaics, one cell each."""
    return Data(mosaics(quick, "moments", 1.5).measure(truth, count, seed=7000 + seed))


def stochastic_cases(quick: bool, _materials: int) -> list[Case]:
    """Describe the experiment of figures 13 and 14, other fractions, and more data."""
    plan = ((9.0, 200),) if quick else ((9.0, 1000), (3.0, 1000), (9.0, 10_000))
    cases = []
    for total, count in plan:
        truth = {"alpha": MOSAICS["alpha"] * total / 9, "a": MOSAICS["a"]}
        cases.append(
            Case(
                f"6.1 stochastic, α₀ = {total:g}, N = {count}",
                truth,
                partial(stochastic_data, quick, truth, count),
                partial(mosaics, quick),
                paper="2.98 on one block",
                options={"restarts": 1} if quick else {},
            )
        )
    return cases


def specimens(quick: bool, length: float, count: int) -> pl.inversion.StationarySpecimens:
    """Return sites of locally stationary specimens."""
    field = NeumannField(tau=1 / length, modes=max(40, round(2 / length)))
    model = mosaics(quick, "moments", 1.5)
    return pl.inversion.StationarySpecimens(model, field, 8 if quick else 32, specimens=count)


def locally_stochastic_data(quick: bool, length: float, count: int, seed: int) -> Data:
    """Measure at the sites, with noise."""
    world = specimens(quick, length, count)
    values = world.measure(MOSAICS, seed=7000 + seed)
    return Data(values, world.effective_sites(), world.noise * values.std(axis=0))


def locally_stochastic_cases(quick: bool, _materials: int) -> list[Case]:
    """Describe the experiment of figures 15 and 16."""
    plan: Sequence[tuple[float, int]] = ((0.05, 1),) if quick else ((0.05, 1), (0.01, 1), (0.01, 4))
    return [
        Case(
            f"6.2 locally stationary, ℓ = {length:g}, {count} specimen{'s' * (count > 1)}",
            MOSAICS,
            partial(locally_stochastic_data, quick, length, count),
            partial(mosaics, quick),
            paper=".46 on one block",
            options={"restarts": 1} if quick else {},
        )
        for length, count in plan
    ]


EXPERIMENTS = {
    "2d-stochastic": stochastic_cases,
    "2d-locally-stochastic": locally_stochastic_cases,
}
