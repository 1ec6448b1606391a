"""What a model of random microstructures is to a fit: parameters, random numbers, samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.inversion._parameters import Block, Floats, Layout

Parameters: TypeAlias = Mapping[str, Floats]
Numbers: TypeAlias = Any
COMPONENTS = {1: ("A",), 3: ("A11", "A22", "A12")}


class Model(ABC):
    """A law of measured conductivities, known up to parameters.

    A model turns random numbers, drawn once, and parameters into samples: with the numbers held
    fixed the samples are smooth functions of the parameters, and so is their distance from data.
    A subclass gives `blocks`, `draw`, `simulate` and `start`; the other members have defaults.

    Attributes
    ----------
    blocks : tuple of Block
        The parameters.
    order : str or None
        The block by which materials are sorted, since their numbering means nothing.
    components : {1, 3}
        Columns of a sample: the scalar A*, or (A11, A22, A12).
    stages : sequence of float or None
        A fit passes through these stages. Each is the width ε of a relaxation that `simulate`
        knows, from wide to narrow, or None where there is none.
    difference_step : float
        Step, in the unconstrained coordinates, of the central differences that stand in for the
        Jacobian of a model that has none.

    Notes
    -----
    Source: arXiv:2604.14083, section 2.2: the map from θ to a law, and from it to data.
    """

    blocks: tuple[Block, ...] = ()
    order: str | None = None
    components: int = 3
    stages: Sequence[float | None] = (None,)
    difference_step: float = 1e-4

    @cached_property
    def layout(self) -> Layout:
        """How the parameters are laid out in a vector."""
        return Layout(self.blocks, self.order)

    @abstractmethod
    def draw(self, count: int, seed: int) -> Numbers:
        """Draw the random numbers behind `count` samples, in whatever form `simulate` takes."""

    def draw_independent(self, count: int, seed: int) -> Numbers:
        """Draw numbers behind independent samples, to stand in for data.

        A `draw` that spreads its numbers evenly makes means over samples scatter less than those
        over data do; such a model gives this method as well.
        """
        return self.draw(count, seed)

    @abstractmethod
    def simulate(
        self,
        parameters: Parameters,
        numbers: Numbers,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Return the samples of parameters and random numbers, and their Jacobian.

        Parameters
        ----------
        parameters : mapping of str to (size,) array
            Values of all blocks.
        numbers
            What `draw` returned.
        epsilon : float, optional
            Width of the relaxation, one of `stages`; None asks for the law itself.
        jacobian : bool
            Whether the Jacobian is wanted.

        Returns
        -------
        samples : (count, components) array
        jacobian : (count, components, P) array or None
            Derivatives in the entries of all blocks, one block after the other, taken as if they
            were unconstrained: constraints and gauge are the matter of `layout`. None if it is not
            wanted or not known.
        """

    @abstractmethod
    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Draw parameters to start a fit from.

        Parameters
        ----------
        data : (N, components) array
            The measurements, which may have NaN where a component is missing.
        rng : numpy.random.Generator
            Where the randomness comes from.
        """

    def adapt(self, trials: Sequence[Parameters], stage: int, seed: int) -> int:
        """Prepare for a stage of a fit: a surrogate learns here what it needs.

        Called before each stage, with the present parameters of all restarts. Returns the number
        of cell problems solved for it.
        """
        return 0

    def solves(self, count: int, *, epsilon: float | None = None, jacobian: bool = False) -> int:
        """Count the cell problems behind one call of `simulate` for `count` samples."""
        return count if self.components == 3 else 0

    def coarser(self) -> Model | None:
        """Return the same model on half as many pixels an axis, if its error falls as a pixel does.

        What halving the pixels changes is then what the mesh errs by, and the projected score takes
        it off. Both models are to take the same random numbers.
        """
        return None

    def log_likelihood(self, parameters: Parameters, data: Floats) -> Floats | None:
        """Return the logarithm of the density at each of data (N, components), if it is known."""
        return None

    def maximum_likelihood(
        self, start: Parameters, data: Floats, sigma: Floats | None = None
    ) -> tuple[Parameters, Floats, Floats] | None:
        """Return the parameters of greatest likelihood, if the model has a search of its own.

        Parameters
        ----------
        start : mapping of str to (size,) array
            Where the search starts.
        data : (N, components) array
            The measurements.
        sigma : (R, components) array, optional
            Standard deviations of their noise.

        Returns
        -------
        parameters : mapping of str to (size,) array
        values : (N,) array
            The logarithm of the density at each of the data.
        scores : (N, P) array
            Its derivatives in the entries of all blocks.
        """
        return None

    def feasible(self, parameters: Parameters, data: Floats) -> Parameters:
        """Return parameters nearby under which data (N, components) have a density.

        A likelihood is climbed from there.
        """
        return parameters

    def distribution(
        self, parameters: Parameters, points: Floats
    ) -> tuple[Floats, Floats | None] | None:
        """Return P(A ≤ t) (E,) at points t (E,), if it is known, and its Jacobian (E, P) or None.

        Only of models of one component.
        """
        return None

    def excess(self, parameters: Parameters, resistivities: Floats) -> tuple[Floats, Floats] | None:
        """Return E max(0, 1/A − r) (E,) at r (E,), if it is known, and its Jacobian (E, P).

        Only of models of one component, the densities of which have poles.
        """
        return None

    def samples_and_jacobian(
        self, coordinates: Floats, numbers: Numbers, *, epsilon: float | None = None
    ) -> tuple[Floats, Floats]:
        """Return samples (count, components) and their Jacobian (count, components, Q).

        The Jacobian is in the Q unconstrained `coordinates` of `layout`.
        """
        parameters = self.layout.parameters(coordinates)
        samples, natural = self.simulate(parameters, numbers, epsilon=epsilon, jacobian=True)
        if natural is None:
            return samples, self._differences(coordinates, numbers, epsilon)
        return samples, natural @ self.layout.jacobian(coordinates)

    def _differences(self, coordinates: Floats, numbers: Numbers, epsilon: float | None) -> Floats:
        """Jacobian (count, components, Q) by central differences."""
        columns = []
        for shift in self.difference_step * np.eye(len(coordinates)):
            ends = [
                self.simulate(self.layout.parameters(end), numbers, epsilon=epsilon)[0]
                for end in (coordinates + shift, coordinates - shift)
            ]
            columns.append((ends[0] - ends[1]) / (2 * self.difference_step))
        return np.stack(columns, axis=-1)


def sample(
    model: Model, parameters: Mapping[str, npt.ArrayLike], count: int, *, seed: int
) -> Floats:
    """Draw independent samples of a model.

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to array
        Values of all its blocks.
    count : int
        N, the number of samples.
    seed : int
        Seed of the samples.

    Returns
    -------
    (N, components) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> pl.inversion.sample(model, {"a": [1, 5], "alpha": [2, 3]}, 100, seed=1).shape
    (100, 1)
    """
    values = check_model(model).layout.check(parameters)
    count = check_integer("count", count, 1, 2**32)
    seed = check_integer("seed", seed, 0, 2**63 - 1)
    return model.simulate(values, model.draw_independent(count, seed))[0]


def check_model(model: object) -> Model:
    """Return a model, or raise."""
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}; expected a pearlite.inversion.Model")
    if model.components not in COMPONENTS:
        raise ValueError(f"model has components={brief(model.components)}; expected 1 or 3")
    return model
