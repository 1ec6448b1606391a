"""The arguments of `generate`, checked, and what follows from them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite._arrays import check_integer, check_number
from pearlite._errors import brief
from pearlite.generation import _reference
from pearlite.generation._model import Model
from pearlite.generation._noise_levels import STARTS, annealed_levels, fast_levels, thinned
from pearlite.microstructures import GaussianField

Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]
Statistics: TypeAlias = "ArrayLike | GaussianField"

METHODS = ("fast", "annealed")
EVALUATIONS = 40  # of the fast method
_SMALLEST = 16  # pixels along an axis
_MOST_EVALUATIONS = 100_000
_SUM = 1e-6  # up to which fractions add up to one


@dataclass(frozen=True)
class Problem:
    """What to generate.

    Attributes
    ----------
    model : Model
    gaussian : GaussianField or None
        Where samples begin; None: white noise.
    references : tuple of (*shape) uint8 arrays
        The images whose statistics they are, as far as they are images.
    periodic : bool
        Whether these repeat.
    shape : tuple of int
        Pixels of a sample.
    fractions : (P,) float64 array
        Volume fractions.
    levels : (K,) float64 array
        Noise levels, one evaluation each.
    """

    model: Model
    gaussian: GaussianField | None
    references: tuple[Labels, ...]
    periodic: bool
    shape: tuple[int, ...]
    fractions: Doubles
    method: str
    levels: Doubles
    conditioned: bool


def read_model(model: str | os.PathLike[str] | Model | None) -> Model:
    """Return a model: the one given, that of a file, or that of the package."""
    if isinstance(model, Model):
        return model
    if model is None:
        return _reference.shipped()
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"model is a {type(model).__name__}; expected a Model, the path of one, or None"
        )
    return Model.load(model)


def problem(
    model: Model,
    shape: Sequence[int] | None,
    statistics: Statistics | None,
    volume_fraction: float | Sequence[float] | None,
    method: str,
    evaluations: int | None,
    field: bool,
    conditioned: bool,
    start: float | None,
    periodic: bool,
) -> Problem:
    """Check the arguments; a message names the first that has no meaning."""
    _arrays.check_choice("method", method, METHODS)
    field, conditioned = _arrays.flag("field", field), _arrays.flag("conditioned", conditioned)
    periodic = _arrays.flag("periodic", periodic)
    begin = _check_start(start, model, method) if field else None
    levels = _levels(model, method, evaluations, begin)
    size = None if shape is None else _check_shape("shape", shape, model)
    references, gaussian = _first_layer(model, statistics, size, periodic)
    if gaussian is None and field:
        raise ValueError(
            f"statistics is None, and the model {model.name or 'given'} keeps no image of its "
            "own; expected an image, two-point statistics or a GaussianField, or field=False"
        )
    final = gaussian.shape if gaussian is not None else size or (model.patch,) * model.dim
    fractions = _fractions(volume_fraction, gaussian, model)
    return Problem(
        model,
        gaussian if field else None,
        references,
        periodic,
        _check_shape("shape", final, model),
        fractions,
        method,
        levels,
        conditioned,
    )


def _levels(model: Model, method: str, evaluations: int | None, begin: float | None) -> Doubles:
    count = None
    if evaluations is not None:
        count = check_integer("evaluations", evaluations, 2, _MOST_EVALUATIONS)
    if method == "annealed":
        return thinned(annealed_levels(model.sigmas(), begin), count)
    return fast_levels(model.sigma_max if begin is None else begin, count or EVALUATIONS)


def _check_start(start: float | None, model: Model, method: str) -> float:
    low, high = model.sigma_min, model.sigma_max
    if start is None:
        return min(max(STARTS[method], low), high)
    level = check_number("start", start)
    if not low <= level <= high:
        raise ValueError(f"start is {level:g}; expected a noise level from {low:g} to {high:g}")
    return level


def _check_shape(name: str, shape: Sequence[int], model: Model) -> tuple[int, ...]:
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = ()
    if len(sizes) != model.dim:
        raise ValueError(
            f"{name} is {brief(shape)}; expected {model.dim} numbers of pixels, as the model has"
        )
    return tuple(check_integer(name, n, _SMALLEST, 2**16) for n in sizes)


def _first_layer(
    model: Model,
    statistics: Statistics | None,
    shape: tuple[int, ...] | None,
    periodic: bool,
) -> tuple[tuple[Labels, ...], GaussianField | None]:
    """Return the images that the statistics are of, if any, and the Gaussian field of these."""
    if statistics is None:
        kept = _reference.reference(model)
        if kept is None:
            return (), None
        statistics = kept
    if isinstance(statistics, GaussianField):
        _check_field(statistics, model, shape)
        return (), statistics
    array = _arrays.as_numpy("statistics", statistics)
    if array.dtype.kind == "f":
        return (), _of_maps(array, model, shape, periodic)
    images = _images(array, model)
    found = GaussianField.from_images(
        images, phases=model.phases, dim=model.dim, shape=shape, periodic=periodic
    )
    return tuple(images), found


def _images(array: NDArray[Any], model: Model) -> Labels:
    """Return images (n, *shape), labels below the model's number of phases."""
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"statistics has dtype {array.dtype}; expected labels, two-point statistics as floats, "
            "or a GaussianField"
        )
    dim = model.dim
    shape = array.shape[-dim:]
    if array.ndim not in (dim, dim + 1) or min(shape) < _SMALLEST or array.size == 0:
        raise ValueError(
            f"statistics has shape {array.shape}; expected an image of {dim} axes, or several, "
            f"with at least {_SMALLEST} pixels along each"
        )
    values = np.unique(array)
    if values[0] < 0 or values[-1] >= model.phases:
        raise ValueError(
            f"statistics has {len(values)} phases, labels from {values[0]} to {values[-1]}; the "
            f"model {model.name or 'given'} knows {model.phases}, expected labels from 0 to "
            f"{model.phases - 1}"
        )
    if len(values) < 2:
        raise ValueError(f"statistics has phase {values[0]} alone; expected an image of two")
    return array.reshape(-1, *shape).astype(np.uint8)


def _of_maps(
    maps: NDArray[Any], model: Model, shape: tuple[int, ...] | None, periodic: bool
) -> GaussianField:
    found = GaussianField.from_statistics(maps, shape=shape, periodic=periodic)
    _check_field(found, model, shape)
    return found


def _check_field(field: GaussianField, model: Model, shape: tuple[int, ...] | None) -> None:
    if field.phases != model.phases:
        raise ValueError(
            f"statistics has {field.phases} phases; the model {model.name or 'given'} knows "
            f"{model.phases}"
        )
    if len(field.shape) != model.dim or min(field.shape) < _SMALLEST:
        raise ValueError(
            f"statistics has the shape {field.shape}; expected {model.dim} axes with at least "
            f"{_SMALLEST} pixels along each"
        )
    if shape is not None and shape != field.shape:
        raise ValueError(f"shape is {shape}; expected {field.shape}, that of the Gaussian field")


def _fractions(
    given: float | Sequence[float] | None, gaussian: GaussianField | None, model: Model
) -> Doubles:
    """Return the volume fractions (P,): those given, of the statistics, or of the training."""
    if given is None:
        own = gaussian.means if gaussian is not None else _trained_fractions(model)
        return np.asarray(own, np.float64)
    phases = model.phases
    expected = f"{phases} numbers > 0 with sum 1, one for each phase"
    if phases == 2:
        expected = f"a number between 0 and 1, the fraction of phase 1, or {expected}"
    size = getattr(given, "size", 0)
    if isinstance(size, int) and size > phases:  # no copy of what may be large
        raise ValueError(f"volume_fraction has {size} values; expected {expected}")
    try:
        with np.errstate(over="ignore"):  # to infinity, which is refused below
            values = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"volume_fraction is {brief(given)}; expected {expected}") from None
    if values.ndim == 0 and phases == 2:
        values = np.array([1 - float(values), float(values)])
    if values.shape != (phases,) or isinstance(given, bool):
        raise ValueError(f"volume_fraction is {brief(given)}; expected {expected}")
    if not (values > 0).all() or not abs(values.sum() - 1) <= _SUM:
        raise ValueError(f"volume_fraction is {brief(given)}; expected {expected}")
    return np.asarray(values / values.sum())


def _trained_fractions(model: Model) -> Doubles:
    kept = model.training.get("fractions")
    if isinstance(kept, list) and len(kept) == model.phases:
        return np.asarray(kept, np.float64)
    raise ValueError(
        f"volume_fraction is None, and the model {model.name or 'given'} does not keep those of "
        "its training; expected fractions"
    )
