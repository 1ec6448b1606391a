"""The objects of random models answer any argument with a result, or an error that names it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

from pearlite import microstructures as ms

CELLS = ms.LaguerreCells((4, 5), 3)
MOSAIC = ms.DirichletMosaic((4, 5), 5, 3)
FIELD = ms.NeumannField(modes=3)
FRACTIONS = ms.DirichletField(FIELD, 3)
PERIODIC = ms.LocallyPeriodic(CELLS, (3, 2), FIELD)
STATIONARY = ms.LocallyStationary(MOSAIC, (3, 2), FIELD)

BATCH = {"count": 1, "seed": 1, "sample": 0}
NORMALS = FIELD.draw(1, seed=1)
SEEDS = PERIODIC.draw(1, seed=1)[0]
SHARES = FRACTIONS.draw(1, seed=1)
DRAWS, SPECIMEN = MOSAIC.draw(2, seed=1), STATIONARY.draw(seed=1)
POINTS, ALPHA, WEIGHTS = [[0.5, 0.25]], [1.0, 2.0, 3.0], [0.0, 0.1, 0.0]
WINDOW = ((0.0, 0.5), (0.0, 1.0))

CALLS = {
    "LaguerreCells": (ms.LaguerreCells, {"shape": (4, 4), "materials": 3, "metric": "power"}),
    "LaguerreCells.draw": (CELLS.draw, BATCH),
    "LaguerreCells.sample": (CELLS.sample, {"weights": WEIGHTS, **BATCH}),
    "DirichletMosaic": (ms.DirichletMosaic, {"shape": (4, 4), "sites": 5, "materials": 3}),
    "DirichletMosaic.draw": (MOSAIC.draw, BATCH),
    "DirichletMosaic.fractions": (MOSAIC.fractions, {"draws": DRAWS, "alpha": ALPHA}),
    "DirichletMosaic.labels": (MOSAIC.labels, {"draws": DRAWS, "fractions": [0.2, 0.3, 0.5]}),
    "NeumannField": (ms.NeumannField, {"tau": 1.0, "beta": 2.0, "modes": 3, "extension": 0.1}),
    "NeumannField.at": (FIELD.at, {"points": POINTS, "normals": NORMALS}),
    "NeumannField.on_grid": (
        FIELD.on_grid,
        {"shape": (3, 3), "normals": NORMALS, "window": WINDOW},
    ),
    "NeumannField.covariance": (FIELD.covariance, {"first": POINTS, "second": POINTS}),
    "NeumannField.sample": (FIELD.sample, {"points": POINTS, **BATCH}),
    "DirichletField": (ms.DirichletField, {"field": FIELD, "materials": 3}),
    "DirichletField.at": (
        FRACTIONS.at,
        {"points": POINTS, "normals": SHARES, "alpha": ALPHA},
    ),
    "LocallyPeriodic": (ms.LocallyPeriodic, {"cell": CELLS, "cells": (3, 3), "field": FIELD}),
    "LocallyPeriodic.sites": (PERIODIC.sites, {"normals": SEEDS, "points": POINTS}),
    "LocallyPeriodic.window": (
        PERIODIC.window,
        {"normals": SEEDS, "weights": WEIGHTS, "first": (0, 0), "cells": (1, 1)},
    ),
    "LocallyStationary": (ms.LocallyStationary, {"cell": MOSAIC, "cells": (3, 3), "field": FIELD}),
    "LocallyStationary.draw": (STATIONARY.draw, {"seed": 1, "sample": 0, "cells": [(0, 1)]}),
    "LocallyStationary.labels": (STATIONARY.labels, {"draws": SPECIMEN, "alpha": ALPHA}),
    "dirichlet": (ms.dirichlet, {"alpha": ALPHA, "uniform": [0.1, 0.2, 0.9]}),
    "log_gamma_quantile": (ms.log_gamma_quantile, {"alpha": ALPHA, "uniform": 0.5}),
    "log_gamma_of_normal": (ms.log_gamma_of_normal, {"alpha": ALPHA, "normal": 0.5}),
    "categorical": (ms.categorical, {"fractions": [0.5, 0.5], "uniform": [0.1]}),
}


@pytest.mark.parametrize("name", CALLS)
@settings(quick, max_examples=40)
@given(st.data())
def test_any_argument(name, data):
    function, arguments = CALLS[name]
    arguments = dict(arguments)
    replace(data.draw, arguments)
    called(function, list(arguments), [], **arguments)
