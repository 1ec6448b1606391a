"""The arguments of a fit, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite._arrays import as_numpy, check_integer, flag
from pearlite._errors import brief
from pearlite.inversion._model import COMPONENTS, Model, check_model
from pearlite.inversion._parameters import Floats
from pearlite.inversion._target import Target, make_target, normal_equations
from pearlite.inversion._wrapped import Known, Noisy
from pearlite.microstructures._draw import check_number

_MOST_NOISE = 1e100  # its square is a number
_SPLITS = 8  # into halves

Sigma: TypeAlias = npt.ArrayLike | Literal["unknown"] | None


@dataclass(frozen=True)
class Problem:
    """What a fit works on."""

    model: Model  # with noise and known parameters
    data: Floats  # (N, C), NaN where missing
    target: Target
    groups: npt.NDArray[np.int64] | None  # (N,)
    effective: float | None
    projections: int

    @cached_property
    def independent(self) -> float:
        """How many independent data they are worth; of groups by the scatter of their sums."""
        count = len(self.data)
        if self.effective is not None:
            return self.effective
        if self.groups is None:
            return float(count)
        measured = np.isfinite(self.data).any(axis=0)
        values = self.data[:, measured]
        values = np.nan_to_num((values - np.nanmean(values, axis=0)) / self.target.scale[measured])
        sums = np.zeros((self.groups.max() + 1, values.shape[1]))
        np.add.at(sums, self.groups, values)
        share = float((values**2).sum() / (sums**2).sum())
        return float(np.clip(count * share, len(sums), count))

    def own_distance(self, seed: int) -> float:
        """Return the mean SW2² of one half of the data from the other, as of independent data.

        Infinite where components are missing from some rows.
        """
        if not (np.isfinite(self.data) | np.isnan(self.data).all(axis=0)).all():
            return np.inf
        rng, losses = np.random.default_rng([seed, 0x4A1F]), []
        count = len(self.data)
        for _ in range(_SPLITS):
            order = rng.permutation(count)
            target = make_target(
                self.data[order[count // 2 :]], self.projections, self.target.scale
            )
            losses.append(normal_equations(target, self.data[order[: count // 2]], None).loss)
        return float(np.mean(losses)) * count / self.independent


def make_problem(
    model: object,
    data: npt.ArrayLike,
    *,
    sigma: Sigma = None,
    known: Mapping[str, npt.ArrayLike] | None = None,
    groups: npt.ArrayLike | None = None,
    effective: float | None = None,
    missing: bool = False,
    projections: int = 64,
) -> Problem:
    """Check the arguments of a fit."""
    whole = check_model(model)
    values = check_data("data", data, whole.components, flag("missing", missing))
    projections = check_integer("projections", projections, 1, 2**16)
    scale = _scale(values)
    whole = wrapped(whole, sigma, known, scale, len(values))
    if len(values) <= whole.layout.free:
        raise ValueError(
            f"data has {len(values)} rows; expected more than the {whole.layout.free} parameters"
        )
    labels = None if groups is None else _groups(groups, len(values))
    if effective is not None:
        number = check_number("effective", effective)
        if not 1 <= number <= len(values):
            raise ValueError(f"effective is {brief(effective)}; expected 1 to {len(values)}")
        effective = number
    target = make_target(values, projections, scale)
    return Problem(whole, values, target, labels, effective, projections)


def _scale(values: Floats) -> Floats:
    """Return the standard deviation (C,) of each component, 1 of one that nobody measured."""
    measured = np.isfinite(values).any(axis=0)
    scale = np.ones(values.shape[1])
    scale[measured] = np.nanstd(values[:, measured], axis=0)
    return scale


def check_data(name: str, data: npt.ArrayLike, components: int, missing: bool) -> Floats:
    """Return measurements (N, C) as float64, or raise."""
    array = as_numpy(name, data)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(f"{name} has dtype {array.dtype}; expected float64")
    columns = COMPONENTS[components]
    if array.ndim == 1 and components == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != components:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (N, {components}): {', '.join(columns)}"
        )
    values: Floats = array.astype(np.float64)
    known = np.isfinite(values)
    bad = ~known & ~(np.isnan(values) & missing)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        hint = "" if missing else "; missing=True takes NaN for what was not measured"
        raise ValueError(
            f"{name}[{row}, {column}] is {values[row, column]}; expected finite numbers{hint}"
        )
    if not known.any(axis=1).all():
        raise ValueError(
            f"{name}[{int(np.argmin(known.any(axis=1)))}] has no number; expected at least one"
        )
    _check_varied(name, values)
    _check_positive(name, values)
    return values


def _check_varied(name: str, values: Floats) -> None:
    for column in range(values.shape[1]):
        part = values[np.isfinite(values[:, column]), column]
        if len(part) == 0:  # a component that nobody measured
            continue
        if len(part) < 2 or part.std() <= 1e-12 * max(np.abs(part).max(), 1e-300):
            raise ValueError(
                f"{name}[:, {column}] is constant, {part[0]}; expected a law that scatters"
            )


def _check_positive(name: str, values: Floats) -> None:
    """Raise unless each tensor may be positive definite."""
    diagonal = values[:, : max(1, values.shape[1] - 1)]
    bad = (diagonal <= 0).any(axis=1)
    if values.shape[1] == 3:
        bad |= values[:, 0] * values[:, 1] <= values[:, 2] ** 2
    if bad.any():
        row = int(bad.argmax())
        what = "a positive definite tensor" if values.shape[1] == 3 else "a number > 0"
        raise ValueError(f"{name}[{row}] is {values[row].tolist()}; expected {what}")


def wrapped(
    model: object,
    sigma: Sigma,
    known: Mapping[str, npt.ArrayLike] | None,
    scale: Floats,
    count: int | None = None,
) -> Model:
    """Return a model with noise and with known blocks, checked; `scale` (C,) is that of data."""
    whole = check_model(model)
    if sigma is not None:
        table, unknown = _noise(sigma, count, scale)
        whole = Noisy(whole, table, unknown)
    return whole if known is None else Known(whole, known)


def _noise(sigma: npt.ArrayLike, count: int | None, scale: Floats) -> tuple[Floats, bool]:
    """Return standard deviations (R, C) of the noise, and whether they are only a unit."""
    if isinstance(sigma, str):
        if sigma != "unknown":
            raise ValueError(f"sigma is {brief(sigma)}; expected numbers or 'unknown'")
        return scale[None], True
    array = as_numpy("sigma", sigma)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(f"sigma has dtype {array.dtype}; expected float64")
    size = len(scale)
    rows = 1 if count is None else count
    if array.shape == (rows,) and rows != size:
        array = array[:, None]
    try:
        table = np.broadcast_to(array.astype(np.float64), (rows, size))
    except ValueError:
        raise ValueError(
            f"sigma has shape {array.shape}; expected one number, ({size},) or ({rows}, {size})"
        ) from None
    if not ((table >= 0) & (table <= _MOST_NOISE)).all():
        raise ValueError("sigma has entries that are no standard deviations; expected numbers >= 0")
    return (table if array.ndim == 2 else table[:1]), False


def _groups(groups: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    """Turn names of specimens into numbers from 0."""
    array = as_numpy("groups", groups)
    if array.shape != (count,):
        raise ValueError(f"groups has shape {array.shape}; expected ({count},), one for each row")
    _, numbers = np.unique(array, return_inverse=True)
    if numbers.max() < 1:
        raise ValueError("groups has one value only; expected that of several specimens")
    return np.asarray(numbers, np.int64)
