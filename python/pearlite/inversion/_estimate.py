"""An estimate and what its uncertainty follows from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pearlite.inversion._parameters import Floats

_NONE = 1e-14  # of the largest information, which stands for none at all


def inverse_information(information: Floats) -> Floats:
    """Invert an information matrix (Q, Q); combinations without information get a huge variance."""
    values, vectors = np.linalg.eigh(information)
    return np.asarray((vectors / np.maximum(values, _NONE * values[-1])) @ vectors.T)


@dataclass(frozen=True)
class Estimate:
    """A zero of a mean of influences, in Q unconstrained coordinates.

    To first order the estimate errs by the mean of `data_influence` over the data, and by the mean
    of `model_influence` over the samples of the model.
    """

    coordinates: Floats  # (Q,)
    data_influence: Floats  # (N, Q), of each datum; mean zero
    model_influence: Floats  # (M, Q), of each sample of the model, or (0, Q) where none are drawn
    information: Floats | None = None  # (Q, Q), of a datum, where scores of the law tell it

    def covariance(
        self, groups: npt.NDArray[np.int64] | None = None, effective: float | None = None
    ) -> Floats:
        """Covariance (Q, Q): of the data's scatter, and of the samples'.

        Parameters
        ----------
        groups : (N,) integer array, optional
            Numbers 0 … G−1 of the specimens; data of one specimen may depend on each other.
        effective : float, optional
            The number of independent data that N dependent ones are worth.
        """
        count, size = self.data_influence.shape
        if groups is None:
            total = self.data_influence.T @ self.data_influence / count
            total /= count if effective is None else effective
        else:
            number = int(groups.max()) + 1
            sums = np.zeros((number, size))
            np.add.at(sums, groups, self.data_influence)
            total = sums.T @ sums * (number / ((number - 1) * count**2))
        samples = len(self.model_influence)
        if samples:
            total = total + self.model_influence.T @ self.model_influence / samples**2
        return np.asarray(total)
