"""How many independent data the cells of specimens are worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import special

from pearlite._arrays import check_integer
from pearlite.inversion._laguerre import PeriodicLaguerre
from pearlite.inversion._parameters import Floats
from pearlite.inversion._score import project_score
from pearlite.microstructures import LocallyPeriodic
from pearlite.microstructures._draw import check_array

_LEVELS = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0])  # correlations of the fields
_PAIRS = 1024  # of cells at each level


def effective_count(
    model: PeriodicLaguerre,
    parameters: Mapping[str, npt.ArrayLike],
    specimen: LocallyPeriodic,
    points: npt.ArrayLike,
    *,
    specimens: int = 1,
    seed: int = 0,
) -> float:
    r"""Count the independent data that cells at some points of locally periodic specimens replace.

    Errors of a nearly efficient estimate are means of scores s over the data, so that N dependent
    ones are worth

    .. math:: N_\mathrm{eff} = \frac{N^2}{\sum_{ij} ρ(c_{ij})},

    with the correlation c_ij of the fields behind the seeds at two points and that of the scores,
    ρ(c), which is found from pairs of cells.

    Parameters
    ----------
    model : PeriodicLaguerre
        The model of one cell.
    parameters : mapping of str to array
        Its parameters.
    specimen : LocallyPeriodic
        The specimens; only the field matters.
    points : (n, 2) array
        Where a specimen is measured, in the unit square.
    specimens : int
        Number of specimens, independent of each other; N is this times n.
    seed : int
        Seed of the pairs.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> model = pl.inversion.PeriodicLaguerre(2, (16, 16))
    >>> truth = {"a": [1.0, 5.0], "w": [0.0, 0.1]}
    >>> cell = pl.microstructures.LaguerreCells((16, 16), 2)
    >>> specimen = pl.microstructures.LocallyPeriodic(cell)
    >>> grid = (np.indices((10, 10)).reshape(2, -1).T + 0.5) / 10
    >>> 10 < pl.inversion.effective_count(model, truth, specimen, grid) < 100
    True
    """
    if not isinstance(model, PeriodicLaguerre):
        raise TypeError(f"model is a {type(model).__name__}; expected a PeriodicLaguerre")
    if not isinstance(specimen, LocallyPeriodic):
        raise TypeError(f"specimen is a {type(specimen).__name__}; expected a LocallyPeriodic")
    where = check_array("points", points, (None, 2))
    if where.ndim != 2 or len(where) == 0:
        raise ValueError(f"points has shape {where.shape}; expected (n, 2)")
    specimens = check_integer("specimens", specimens, 1, 2**40)
    values = model.layout.check(parameters)
    levels = _score_correlations(model, values, check_integer("seed", seed, 0, 2**63 - 1))
    field = specimen.field
    scatter = np.sqrt(field.variance(where))
    total = 0.0
    for point, own in zip(where, scatter, strict=True):
        fields = field.covariance(where, point) / (scatter * own)
        total += float(np.interp(np.abs(fields), _LEVELS, levels).sum())
    return specimens * len(where) ** 2 / total


def _score_correlations(model: PeriodicLaguerre, values: dict[str, Floats], seed: int) -> Floats:
    """Correlations of scores at the levels, means over whitened components."""
    place = model.layout.coordinates(values)
    projection = project_score(*model.samples_and_jacobian(place, model.draw(4096, seed)), seed)
    rng = np.random.default_rng([seed, 0xC0])
    first, other = rng.standard_normal((2, _PAIRS, model.materials, 2))

    def scores(level: float) -> Floats:
        fields = level * first + np.sqrt(1 - level**2) * other
        return projection.scores(model.simulate(values, special.ndtr(fields))[0])

    one = scores(1.0)
    one = one - one.mean(axis=0)
    inverse = np.linalg.inv(one.T @ one / len(one))
    found = [1.0]
    for level in _LEVELS[-2:0:-1]:
        two = scores(float(level))
        cross = one.T @ (two - two.mean(axis=0)) / len(one)
        found.append(float(np.trace(inverse @ cross)) / len(inverse))
    return np.asarray(np.maximum(np.array([*found, 0.0])[::-1], 0.0))
