"""Tensors of random mosaics, whose fractions scatter from specimen to specimen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from pearlite import _threads
from pearlite._arrays import check_choice, check_integer
from pearlite._errors import brief
from pearlite.corrector import Estimate
from pearlite.inversion._draws import even_uniforms, independent_uniforms
from pearlite.inversion._gamma import Places, log_gamma_quantiles, places
from pearlite.inversion._model import Model, Parameters
from pearlite.inversion._parameters import Block
from pearlite.inversion._simplex_likelihood import RESOLUTION, SimplexLikelihood
from pearlite.inversion._simplex_likelihood_maximum import maximize
from pearlite.inversion._stochastic_coordinates import (
    Floats,
    check_tensors,
    coordinates,
    log_volume,
)
from pearlite.inversion._surrogate import MomentsSurrogate
from pearlite.inversion._surrogate_truth import Evaluations, TrueMap
from pearlite.microstructures import DirichletMosaic
from pearlite.microstructures.dirichlet import log_gamma_quantile, normalized

SurrogateName = Literal["moments", "network"]
_LEAST, _MOST = 1e-3, 1e5  # of alpha, beyond which quantiles are not computed
_PLAN = (150, 100, 400)
_NETWORK_PLAN = (250,) * 10
_MANY, _MANY_DATA = 2000, 10_000
_LOCAL_SPREAD = 0.1  # of log a around the present estimate, where a surrogate learns
_FAR = 0.1  # the weight of evaluations that are spread widely, once there are others
_STREAM = 0x5E_7A  # apart from the streams of data that have the same seed


class MosaicNumbers(NamedTuple):
    """The numbers behind samples of mosaics.

    Attributes
    ----------
    fractions : Places
        Probabilities (N, K), of the gamma quantiles of the fractions.
    scatter : (N, 3) array
        Standard normal numbers, of the scatter at given fractions.
    """

    fractions: Places
    scatter: Floats


@dataclass(eq=False)
class StochasticMosaics(Model):
    r"""Tensors of Voronoi mosaics of many grains, whose fractions are Dirichlet-distributed.

    A specimen has probabilities v ~ Dir(α) of its own; each of its S grains has material k with
    probability v_k and conductivity a_k. A surrogate of the effective tensor, which learns from
    homogenized mosaics while a fit goes on, stands for the mosaics.

    Parameters
    ----------
    materials : int
        K, the number of materials, 2 to 16.
    sites : int
        S, the number of grains in a specimen.
    shape : (n0, n1)
        Pixels of the mosaics that the surrogate learns from. Some 30 for each grain leave little
        of the mesh; see the notes.
    estimate : {"bracketed", "variational"}
        How these mosaics are homogenized, see `pearlite.homogenize`.
    surrogate : {"moments", "network"}
        "moments" knows the symmetries of the problem and the scatter of single specimens.
        "network" is the source's: a multilayer perceptron for the mean of ten mosaics, which knows
        neither. It needs torch.
    evaluations : sequence of int, optional
        Evaluations of the true map before each stage of a fit, of ten mosaics each. The first are
        spread over contrasts of up to 60, the others follow the fit. By default (150, 100, 400),
        where the last is 2000 if there are 10,000 data or more, and ten times 250 for the network.
    threads : int, optional
        By default all the cores that this process may use.

    See Also
    --------
    fit : estimates by least sliced distance, and then by maximum likelihood.
    information_bound : the least error that any estimate may have.

    Notes
    -----
    The parameters are α > 0 and the conductivities a, in the data's unit. Measured with S = 500 and
    a = (1, 4, 10), the mesh's bias of log det A*/2 is .018 for 64² pixels and "variational", and
    .0013 for "bracketed"; at 128² it is .009 and .0008.

    Sources: arXiv:2604.14083, section 6.1, eqs. 34–36; `_surrogate` for the moments.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> model = pl.inversion.StochasticMosaics(materials=3, sites=500)
    >>> truth = {"alpha": np.array([2.0, 3.0, 4.0]), "a": np.array([1.0, 4.0, 10.0])}
    >>> samples, _ = model.simulate(truth, model.draw(1024, seed=1))
    >>> samples.shape
    (1024, 3)
    """

    materials: int = 3
    sites: int = 500
    shape: tuple[int, int] = (128, 128)
    estimate: Estimate = "bracketed"
    surrogate: SurrogateName = "moments"
    evaluations: Sequence[int] | None = None
    threads: int | None = None
    learnt: Evaluations | None = field(default=None, init=False, repr=False)
    components = 3
    order = "a"

    def __post_init__(self) -> None:
        self.materials = check_integer("materials", self.materials, 2, 16)
        self.sites = check_integer("sites", self.sites, 2, 2**24)
        self.true_map = TrueMap(
            DirichletMosaic(self.shape, self.sites, self.materials),
            cast(Estimate, check_choice("estimate", self.estimate, get_args(Estimate))),
            threads=_threads.count(self.threads),
        )
        if len(self.true_map.mosaic.shape) != 2:
            raise ValueError(f"shape is {brief(self.shape)}; expected 2 integers")
        check_choice("surrogate", self.surrogate, get_args(SurrogateName))
        plan: tuple[int, ...] = _PLAN if self.surrogate == "moments" else _NETWORK_PLAN
        if self.evaluations is not None:
            plan = self.evaluations = _counts(self.evaluations)
        self.stages = (None,) * len(plan)
        self._rows = 0
        self._surrogate: Any = None
        self._reset()

    @property
    def blocks(self) -> tuple[Block, ...]:  # type: ignore[override]
        """Parameters of the Dirichlet distribution, and conductivities."""
        count = self.materials
        return Block("alpha", count, "positive"), Block("a", count, "positive")

    @property
    def trained(self) -> MomentsSurrogate:
        """The present surrogate. Before any evaluation it has typical coefficients."""
        if not isinstance(self._surrogate, MomentsSurrogate):
            raise ValueError("surrogate is 'network', which has no law of the scatter of specimens")
        return self._surrogate

    def likelihood(self, noise: Floats | None = None) -> SimplexLikelihood:
        """Return the likelihood by the present surrogate, of data with errors `noise` (3,)."""
        return SimplexLikelihood(self.trained, self.materials, noise)

    def measure(
        self,
        parameters: Mapping[str, npt.ArrayLike],
        count: int,
        *,
        seed: int,
        sample: int = 0,
    ) -> Floats:
        """Homogenize `count` specimens, one cell each, as an experiment would measure them.

        Parameters
        ----------
        parameters : mapping
            "alpha" and "a".
        count : int
            Number of specimens.
        seed : int
            Seed of the specimens.
        sample : int
            Number of the first one.

        Returns
        -------
        (count, 3) array
            A11, A22 and A12.

        Examples
        --------
        >>> model = StochasticMosaics(materials=2, sites=20, shape=(16, 16))
        >>> model.measure({"alpha": [1.0, 2.0], "a": [1.0, 5.0]}, 4, seed=1).shape
        (4, 3)
        """
        values = self.layout.check(parameters)
        mosaic = self.true_map.mosaic
        draws = mosaic.draw(count, seed=seed, sample=sample)
        fractions = mosaic.fractions(draws, values["alpha"])
        conductivity = np.broadcast_to(values["a"], fractions.shape)
        return self.true_map.homogenized(draws, fractions, conductivity)[0]

    def draw(self, count: int, seed: int) -> MosaicNumbers:
        """Draw the numbers behind `count` specimens: of their fractions, and of their scatter."""
        return self._named(even_uniforms(count, self.materials + 3, seed))

    def draw_independent(self, count: int, seed: int) -> MosaicNumbers:
        """Draw the numbers behind independent specimens."""
        return self._named(independent_uniforms(count, self.materials + 3, seed))

    def _named(self, numbers: Floats) -> MosaicNumbers:
        """Name the parts of uniform numbers (count, K + 3)."""
        noise = special.ndtri(numbers[:, self.materials :])
        return MosaicNumbers(places(numbers[:, : self.materials]), noise)

    def simulate(
        self,
        parameters: Parameters,
        numbers: MosaicNumbers,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Return A11, A22 and A12 (count, 3) of specimens, and their Jacobian (count, 3, 2K)."""
        a = parameters["a"]
        fractions, shifts = dirichlet_fractions(parameters["alpha"], numbers.fractions, jacobian)
        samples, slopes = self._surrogate.samples(
            fractions, np.log(a), numbers.scatter, slopes=jacobian
        )
        if not jacobian:
            return samples, None
        in_fractions, in_logs = slopes[:, :, : self.materials], slopes[:, :, self.materials :]
        # ∂v_j/∂α_k = v_j (δ_jk − v_k) ∂log g_k/∂α_k
        drift = (in_fractions * fractions[:, None]).sum(axis=2, keepdims=True)
        in_alpha = (in_fractions - drift) * (fractions * shifts)[:, None]
        return samples, np.concatenate([in_alpha, in_logs / a], axis=2)

    def solves(self, count: int, *, epsilon: float | None = None, jacobian: bool = False) -> int:
        """Return 0: samples come from the surrogate."""
        return 0

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Conductivities log-uniform over somewhat more than the data's range, α in (.5, 8)."""
        self._rows = len(data)
        traces = np.nanmean(data[:, :2], axis=1)
        low, high = np.log(np.nanquantile(traces, [0.01, 0.99]))
        margin = 0.5 * (high - low)
        a = np.exp(np.sort(rng.uniform(low - margin, high + margin, self.materials)))
        return {"alpha": np.exp(rng.uniform(np.log(0.5), np.log(8), self.materials)), "a": a}

    def adapt(self, trials: Sequence[Parameters], stage: int, seed: int) -> int:
        """Evaluate the true map where the fit is, train the surrogate, and count the solves."""
        if stage == 0:
            self._reset()
        count = self._planned(stage)
        if count == 0:
            return 0
        rng = np.random.default_rng([seed, stage, _STREAM])
        if trials:
            fractions, logs = _local(trials, count, rng)
        else:
            fractions, logs = _spread(self.materials, count, rng)
        stream = int(np.random.SeedSequence([seed, _STREAM]).generate_state(1, np.uint64)[0])
        new = self.true_map.evaluate(fractions, np.exp(logs), seed=stream, sample=self._solved)
        self._solved += new.solves
        self.learnt = new if self.learnt is None else self.learnt.joined(new)
        if self.surrogate == "network":
            self._surrogate = self._surrogate.trained(self.learnt)
        else:
            self._far += 0 if trials else count
            weights = np.ones(len(self.learnt))
            if self._far < len(weights):
                weights[: self._far] = _FAR
            self._surrogate = MomentsSurrogate.fitted(self.learnt, self.sites, weights)
        return new.solves

    def log_likelihood(self, parameters: Parameters, data: npt.ArrayLike) -> Floats | None:
        """Return the logarithm of the density at each of data (N, 3), by the present surrogate.

        None for the network, and where a component is missing.
        """
        if self.surrogate == "network" or np.isnan(data).any():
            return None
        given = coordinates(check_tensors("data", data))
        alpha, logs = parameters["alpha"], np.log(parameters["a"])
        return self.likelihood().log_density(given, alpha, logs) - log_volume(given)

    def maximum_likelihood(
        self, start: Parameters, data: Floats, sigma: Floats | None = None
    ) -> tuple[Parameters, Floats, Floats] | None:
        """Climb from stage to stage, see `_simplex_likelihood_maximum`.

        All data are given the mean square of the noise `sigma` (R, 3). None for the network, and
        where a component is missing.
        """
        if self.surrogate == "network" or np.isnan(data).any():
            return None
        given = coordinates(check_tensors("data", data))
        noise = None if sigma is None else np.sqrt((sigma**2).mean(axis=0))
        # What the likelihood takes the data to be known to.
        blur = np.random.default_rng(_STREAM).standard_normal(given.shape)
        found = maximize(
            self.likelihood(noise), given + RESOLUTION * blur, start["alpha"], np.log(start["a"])
        )
        a = np.exp(found.logs)
        scores = found.scores / np.append(np.ones(self.materials), a)
        return {"alpha": found.alpha, "a": a}, found.values - log_volume(given), scores

    def _planned(self, stage: int) -> int:
        """Return the number of evaluations before a stage."""
        plan = self.evaluations
        if plan is not None:
            return plan[stage]
        if self.surrogate == "network":
            return _NETWORK_PLAN[stage]
        last = stage == len(_PLAN) - 1
        return _MANY if last and self._rows >= _MANY_DATA else _PLAN[stage]

    def _reset(self) -> None:
        """Forget all evaluations."""
        self.learnt = None
        self._solved = self._far = 0
        if self.surrogate == "moments":
            self._surrogate = MomentsSurrogate(self.sites)
        else:
            from pearlite.inversion._surrogate_network import NetworkSurrogate  # needs torch

            self._surrogate = NetworkSurrogate(self.materials)


def dirichlet_fractions(alpha: Floats, at: Places, slopes: bool = False) -> tuple[Floats, Floats]:
    """Fractions (N, K) of Dir(α) at located probabilities, and ∂log g/∂α of the quantiles g."""
    found = [
        log_gamma_quantiles(shape, Places(nodes, offsets), slopes)
        for shape, nodes, offsets in zip(
            np.clip(alpha, _LEAST, _MOST), at.nodes.T, at.offsets.T, strict=True
        )
    ]
    fractions = normalized(np.stack([logs for logs, _ in found], axis=1))
    return fractions, np.stack([logs if shift is None else shift for logs, shift in found], axis=1)


def _spread(materials: int, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Fractions and logarithms (count, K) of few or many materials, and of little or much contrast.

    Only contrasts matter to the surrogate, so that no data need to be known.
    """
    shape = (count, materials)
    alpha = np.exp(rng.uniform(np.log(0.15), np.log(5), shape))
    fractions = normalized(log_gamma_quantile(alpha, rng.uniform(1e-12, 1, shape)))
    return fractions, rng.uniform(0.3, 2, (count, 1)) * rng.uniform(-1, 1, shape)


def _local(
    trials: Sequence[Parameters], count: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Fractions and logarithms (count, K) from the laws where the trials are, one by one."""
    turn = rng.permutation(np.arange(count) % len(trials))
    alpha = np.clip([trial["alpha"] for trial in trials], _LEAST, _MOST)[turn]
    logs = np.log([trial["a"] for trial in trials])[turn]
    fractions = normalized(log_gamma_quantile(alpha, rng.uniform(1e-12, 1, alpha.shape)))
    return fractions, logs + _LOCAL_SPREAD * rng.standard_normal(logs.shape)


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or len(values) == 0:
        raise ValueError(f"evaluations is {brief(values)}; expected integers, one a stage")
    return tuple(check_integer("evaluations", value, 0, 2**24) for value in values)
