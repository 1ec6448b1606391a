"""Measurements at many sites of specimens whose fractions vary slowly, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.inversion._stochastic import StochasticMosaics
from pearlite.inversion._stochastic_bound import simulated
from pearlite.inversion._stochastic_coordinates import Floats
from pearlite.microstructures import LocallyStationary, NeumannField
from pearlite.microstructures._draw import check_kind, check_number
from pearlite.microstructures.dirichlet import log_gamma_of_normal, normalized
from pearlite.microstructures.specimens import SpecimenDraws

_CELLS = 64  # whose labels are in memory at a time
_FINE = np.linspace(-1, 1, 401)
_LEVELS = np.array([-0.6, -0.3, 0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0])  # correlations of the fields
_PAIRS = 4096  # of specimens at each level


@dataclass(frozen=True)
class StationarySpecimens:
    """Sites of locally stationary specimens, where tensors are measured.

    The fractions of the materials are a `DirichletField` on each specimen, the unit square. A site
    is one of `cells` × `cells` cells, with S grains whose materials follow the fractions at their
    seeds; `sites` × `sites` of the cells, evenly spread, are measured.

    Parameters
    ----------
    model : StochasticMosaics
        The materials, grains and pixels of a cell.
    field : NeumannField
        The Gaussian field behind the copula, in units of the specimen's side.
    sites : int
        Measured sites along each axis of a specimen.
    cells : int
        Cells along each axis of a specimen.
    specimens : int
        Independent specimens.
    noise : float
        Standard deviation of the measurements' errors, over that of each component.

    Notes
    -----
    Source: arXiv:2604.14083, section 6.2, eqs. 37–39.

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.StochasticMosaics(materials=3, sites=50, shape=(32, 32))
    >>> field = pl.microstructures.NeumannField(tau=20.0)
    >>> specimens = pl.inversion.StationarySpecimens(model, field, sites=8)
    >>> data = specimens.measure({"alpha": [2.0, 3.0, 4.0], "a": [1.0, 4.0, 10.0]}, seed=1)
    >>> data.shape, round(specimens.effective_sites())
    ((64, 3), 28)
    """

    model: StochasticMosaics
    field: NeumannField = field(default_factory=NeumannField)
    sites: int = 32
    cells: int = 100
    specimens: int = 1
    noise: float = 0.01

    def __post_init__(self) -> None:
        check_kind("model", self.model, StochasticMosaics)
        check_kind("field", self.field, NeumannField)
        check_integer("cells", self.cells, 1, 2**16)
        check_integer("sites", self.sites, 1, self.cells)
        check_integer("specimens", self.specimens, 1, 2**20)
        if not 0 <= check_number("noise", self.noise) < 1:
            raise ValueError(f"noise is {brief(self.noise)}; expected a number from 0 to below 1")

    @property
    def chosen(self) -> npt.NDArray[np.int64]:
        """The cells (sites², 2) that are measured."""
        along = ((np.arange(self.sites) + 0.5) * self.cells / self.sites).astype(np.int64)
        return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)

    def measure(self, parameters: Mapping[str, npt.ArrayLike], *, seed: int) -> Floats:
        """Homogenize the cells of all sites, and add noise.

        Parameters
        ----------
        parameters : mapping
            "alpha" and "a".
        seed : int
            Seed of the specimens.

        Returns
        -------
        (specimens · sites², 3) array
            A11, A22 and A12, specimen by specimen.
        """
        values = self.model.layout.check(parameters)
        seed = check_integer("seed", seed, 0, 2**63)
        mosaic = self.model.true_map.mosaic
        world = LocallyStationary(mosaic, (self.cells, self.cells), self.field)
        parts = []
        for number in range(self.specimens):
            draws = world.draw(seed=seed, sample=number, cells=self.chosen)
            for start in range(0, len(draws.cells), _CELLS):
                some = slice(start, start + _CELLS)
                cut = SpecimenDraws(
                    draws.normals, draws.cells[some], draws.sites[some], draws.grains[some]
                )
                labels = world.labels(cut, values["alpha"])
                parts.append(self.model.true_map.solved(labels, values["a"]))
        data = np.concatenate(parts)
        noise = np.random.default_rng([seed, 0x0155]).standard_normal(data.shape)
        return np.asarray(data + self.noise * data.std(axis=0) * noise)

    def effective_sites(
        self, parameters: Mapping[str, npt.ArrayLike] | None = None, *, seed: int = 0
    ) -> float:
        r"""Return how many independent sites all sites are worth.

        .. math:: N_{eff} = N^2 / \sum_{ij} ρ(c_{ij}),

        with the correlation c of the Gaussian field between sites i and j. Without `parameters`
        ρ = c², that of second moments of the field, which tell α from its multiples. With them ρ
        is the correlation of the scores of the law there, a mean over all parameters, which the
        errors of estimates of maximum likelihood follow.

        Parameters
        ----------
        parameters : mapping, optional
            "alpha" and "a".
        seed : int
            Seed of the pairs of specimens that ρ is found from.
        """
        if parameters is None:
            levels, scores, own = _FINE, _FINE**2, 1.0
        else:
            values = self.model.layout.check(parameters)
            scores = score_correlations(self.model, values, check_integer("seed", seed, 0, 2**63))
            levels, own = _LEVELS, float(scores[-1])
        centres = (self.chosen + 0.5) / self.cells
        deviation = np.sqrt(self.field.variance(centres))
        # A site agrees with itself, grains and all.
        total = len(centres) * (1 - own)
        for point, scale in zip(centres, deviation, strict=True):
            correlation = self.field.covariance(point, centres) / (scale * deviation)
            total += float(np.interp(correlation, levels, scores).sum())
        return self.specimens * len(centres) ** 2 / total


def score_correlations(model: StochasticMosaics, values: dict[str, Floats], seed: int) -> Floats:
    """Correlations (9,) of whitened scores, of specimens whose fields correlate by `_LEVELS`.

    Specimens of the same fractions still have grains of their own.
    """
    rng = np.random.default_rng([seed, 0xC0])
    alpha, logs = values["alpha"], np.log(values["a"])
    likelihood = model.likelihood()
    first, other = rng.standard_normal((2, _PAIRS, model.materials))

    def scores(level: float) -> Floats:
        fields = level * first + np.sqrt(1 - level**2) * other
        fractions = normalized(log_gamma_of_normal(alpha, fields))
        found = likelihood.scores(simulated(model, fractions, logs, rng), alpha, logs)[1]
        return np.asarray(found - found.mean(axis=0))

    one = scores(1.0)
    inverse = np.linalg.inv(one.T @ one / _PAIRS)
    found = [np.trace(inverse @ (one.T @ scores(c)) / _PAIRS) / len(inverse) for c in _LEVELS]
    return np.asarray(np.where(_LEVELS == 0, 0, found))
