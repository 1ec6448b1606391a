"""The one place that checks and converts arrays."""

import math
import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _core
from pearlite._errors import brief

Array: TypeAlias = NDArray[Any]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_LABELS = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int32))
_FOREIGN = {"torch", "cupy", "dask", "jax", "jaxlib", "tensorflow"}
_MOST_AXES = 30  # numpy broadcasts 32
_LARGEST_BATCH = 2**46  # pixels: beyond it numpy's errors of size name nothing
_LARGEST_CELL = np.iinfo(np.int32).max // 4  # the kernels count a cell's tensor entries in int32


@dataclass(frozen=True)
class Cells:
    """Microstructures as the kernels take them: contiguous, native, with one batch axis."""

    pixels: Array  # (batch, *shape) scalars or labels, or (batch, *shape, d, d)
    phases: NDArray[np.float64] | None  # ([batch,] phase_count[, d, d])
    tensor: bool
    shape: tuple[int, ...]  # (n0, n1) or (n0, n1, n2)
    batch: tuple[int, ...]  # the caller's batch axes, common to pixels and phases
    pixels_batch: tuple[int, ...]  # those of each alone, which broadcast to `batch`
    phases_batch: tuple[int, ...]
    spacing: tuple[float, ...]
    dtype: np.dtype[Any]  # of the results


def cells(
    conductivity: ArrayLike,
    phases: ArrayLike | None,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
) -> Cells:
    """Check and convert the arguments that describe microstructures.

    Everything is checked here but the values of pixels and phases, which the kernel does; then
    `raise_defect` tells what it met.
    """
    check_dimension(dim)
    tensor = flag("tensor", tensor)
    table = None
    phases_batch: tuple[int, ...] = ()
    if phases is None:
        pixels = numbers("conductivity", conductivity)
        dtype = pixels.dtype
        axes = check_axes(pixels, tensor, dim)
        batch = axes[:-dim]
    else:
        pixels = labels(conductivity)
        axes = check_axes(pixels, False, dim)
        values = numbers("phases", phases)
        dtype = values.dtype
        phases_batch = check_phases(values, axes[:-dim], tensor, dim)
        batch = np.broadcast_shapes(axes[:-dim], phases_batch)
        table = phase_table(values, phases_batch, batch)
        pixels = np.broadcast_to(pixels, batch + pixels.shape[-dim:])
    sizes = pixel_sizes(spacing, axes[-dim:])
    return Cells(
        pixels=packed(pixels, (math.prod(batch), *pixels.shape[len(batch) :])),
        phases=table,
        tensor=tensor,
        shape=axes[-dim:],
        batch=batch,
        pixels_batch=axes[:-dim],
        phases_batch=phases_batch,
        spacing=sizes,
        dtype=dtype,
    )


def is_torch(*values: object) -> bool:
    """Tell whether any of the values is a torch tensor, without importing torch."""
    return any(
        base.__module__ == "torch" and base.__name__ == "Tensor"
        for value in values
        for base in type(value).__mro__
    )


def is_lazy(value: object) -> bool:
    """Tell a dask or xarray array, without importing either."""
    kind = type(value)
    top = kind.__module__.partition(".")[0]
    return (top, kind.__name__) in {("dask", "Array"), ("xarray", "DataArray")}


def check_dimension(dim: int) -> int:
    """Return a number of spatial axes, 2 or 3."""
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim not in (2, 3):
        raise ValueError(f"dim is {brief(dim)}; expected 2 or 3")
    return int(dim)  # numpy's small integers would overflow in what is computed with it


def check_volumes(estimate: str) -> None:
    """Raise on what is not there in three dimensions."""
    if estimate == "bracketed":
        check_planar("estimate='bracketed'", 3)


def check_planar(what: str, dim: int) -> None:
    """Raise unless `dim` is 2, for what is not there in three dimensions."""
    check_dimension(dim)
    if dim != 2:
        raise ValueError(f"dim is {brief(dim)}; {what} is there in two dimensions only, expected 2")


def flag(name: str, value: bool) -> bool:
    """Return `value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is a {type(value).__name__}; expected a bool")
    return bool(value)


def check_integer(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """`value` as an int, or an error that names the argument."""
    expected = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {brief(value)}; expected {expected}") from None
    if isinstance(value, bool | np.ndarray):
        raise TypeError(f"{name} is {brief(value)}; expected {expected}")
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {brief(number)}; expected {expected}")
    return number


def check_number(name: str, value: float) -> float:
    """`value` as a float, infinite where it is too large for one, or an error that names it."""
    given: object = value
    if isinstance(given, bool | np.bool_) or not isinstance(given, Real):
        raise TypeError(f"{name} is {brief(value)}; expected a number")
    try:
        return float(given)
    except OverflowError:
        return math.inf


def check_positive(name: str, value: float, zero: bool = False) -> float:
    """Return a finite number > 0, or with `zero` ≥ 0, or raise an error that names it."""
    number = check_number(name, value)
    if not (0 < number < math.inf or (zero and number == 0)):
        least = ">= 0" if zero else "> 0"
        raise ValueError(f"{name} is {brief(value)}; expected a finite number {least}")
    return number


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return a text that is one of `choices`, or raise an error that names it."""
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        expected = f"{', '.join(most)} or {last}"
        raise ValueError(f"{name} is {brief(value)}; expected {expected}")
    return value


def check_between(name: str, value: float, low: float, high: float) -> float:
    """Return a number from `low` to `high`, or raise an error that names it."""
    expected = f"expected a number from {low:g} to {high:g}"
    try:
        number = check_number(name, value)
    except TypeError:
        raise TypeError(f"{name} is {brief(value)}; {expected}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} is {brief(value)}; {expected}")
    return number


def as_numpy(name: str, value: ArrayLike) -> Array:
    """Return a numpy array, without a copy of one that is one."""
    kind = type(value)
    homes = {base.__module__.partition(".")[0] for base in kind.__mro__} & _FOREIGN
    if homes:
        home = min(homes)
        raise TypeError(
            f"{name} is a {home} {kind.__name__}; the {home} backend is not there yet, "
            "expected a numpy array"
        )
    if kind.__module__.startswith("numpy.ma"):
        raise TypeError(f"{name} is a masked array; expected one without a mask, fill it first")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is not an array: {error}") from None
    check_axes_number(name, array)
    if array.size > _LARGEST_BATCH:
        raise ValueError(f"{name} has shape {array.shape}; expected at most 2^46 entries")
    return array


def check_axes_number(name: str, array: Any) -> None:
    """Raise if an array, of whatever library, has more axes than can be broadcast."""
    if array.ndim > _MOST_AXES:
        raise ValueError(f"{name} has {array.ndim} axes; expected at most {_MOST_AXES}")


def numbers(name: str, value: ArrayLike) -> Array:
    """Return a float32 or float64 array in native byte order: what conductivities are."""
    array = as_numpy(name, value)
    # Integers in an array of pixels are labels; in a list, or among phases, they are just numbers.
    plain = name == "phases" or not isinstance(value, np.ndarray | np.generic)
    if plain and array.dtype.kind in "iu":
        return array.astype(np.float64)
    dtype = array.dtype.newbyteorder("=")
    if array.dtype.kind in "iub" and name != "phases":
        raise TypeError(
            f"{name} has dtype {dtype}: labels need phases=...; "
            "for conductivities expected float32 or float64"
        )
    if dtype not in _FLOATS:
        raise TypeError(f"{name} has dtype {dtype}; expected float32 or float64")
    return array.astype(dtype, copy=False)


def labels(value: ArrayLike) -> Array:
    """Return an uint8, uint16 or int32 array with the same values."""
    name = "conductivity"
    array = as_numpy(name, value)
    dtype = array.dtype.newbyteorder("=")
    if dtype in _LABELS:
        return array.astype(dtype, copy=False)
    if dtype.kind == "b":
        return array.view(np.uint8)
    if dtype.kind not in "iu":
        raise TypeError(
            f"{name} has dtype {dtype}; with phases=... expected labels: uint8, uint16 or int32"
        )
    if array.size and not np.can_cast(dtype, np.int32):
        smallest, largest = array.min(), array.max()
        limits = np.iinfo(np.int32)
        if smallest < limits.min or largest > limits.max:
            raise TypeError(
                f"{name} has dtype {dtype} with values from {smallest} to {largest}; "
                "expected labels that fit uint8, uint16 or int32"
            )
    return array.astype(np.int32)


def check_axes(pixels: Array, tensor: bool, dim: int = 2) -> tuple[int, ...]:
    """Return (..., n0, n1) or (..., n0, n1, n2), the shape without the axes of tensors."""
    sides = ", ".join(f"n{axis}" for axis in range(dim))
    expected = f"(..., {sides}, {dim}, {dim})" if tensor else f"(..., {sides})"
    axes = pixels.shape[:-2] if tensor else pixels.shape
    if len(axes) < dim or (tensor and pixels.shape[-2:] != (dim, dim)):
        raise ValueError(f"conductivity has shape {pixels.shape}; expected {expected}")
    if min(axes[-dim:]) < 2:
        raise ValueError(
            f"conductivity has shape {pixels.shape}; expected {expected} with {sides} at least 2"
        )
    if math.prod(axes[-dim:]) > _LARGEST_CELL:
        sizes = " x ".join(map(str, axes[-dim:]))
        raise ValueError(
            f"conductivity has cells of {sizes} pixels; expected at most {_LARGEST_CELL} pixels"
        )
    return axes


def check_phases(
    values: Array, batch: tuple[int, ...], tensor: bool, dim: int = 2
) -> tuple[int, ...]:
    """Return the batch axes of phases, which broadcast with `batch`, those of the labels."""
    entry = (dim, dim)
    expected = f"(..., P, {dim}, {dim})" if tensor else "(..., P)"
    got = f"phases has shape {values.shape} (and tensor={tensor})"
    if values.ndim < (3 if tensor else 1) or (tensor and values.shape[-2:] != entry):
        raise ValueError(f"{got}; expected {expected}")
    axes = values.shape[:-2] if tensor else values.shape
    if axes[-1] == 0:
        raise ValueError(f"{got}; expected {expected} with at least one phase")
    try:
        common = np.broadcast_shapes(batch, axes[:-1])
    except ValueError:
        common = None
    # (P, d, d) could be scalars of d phases with a batch of P × d, which is hardly what is meant.
    if not tensor and common != batch and values.ndim >= 3 and values.shape[-2:] == entry:
        raise ValueError(f"{got}; expected {expected}, or tensor=True if phases are tensors")
    if common is None:
        raise ValueError(
            f"{got}; expected {expected} with leading axes that broadcast with {batch}, "
            "those of conductivity"
        )
    return axes[:-1]


def phase_table(values: Array, own: tuple[int, ...], batch: tuple[int, ...]) -> NDArray[np.float64]:
    """Return phases (*own, P[, d, d]) in float64, with one batch axis if they have any."""
    entry = values.shape[len(own) :]
    values = symmetric(values) if len(entry) == 3 else values.astype(np.float64)
    if not own:
        return packed(values, entry)
    return packed(np.broadcast_to(values, batch + entry), (math.prod(batch), *entry))


def symmetric(values: Array) -> NDArray[np.float64]:
    """Return tensors in float64; float32 ones without the asymmetry that is their rounding."""
    tensors: NDArray[np.float64] = values.astype(np.float64)
    if values.dtype != np.float32:
        return tensors
    transposed = tensors.swapaxes(-1, -2)
    largest = np.abs(tensors).max(axis=(-1, -2), keepdims=True)
    with np.errstate(invalid="ignore"):  # infinite entries are refused later
        rounding = np.abs(tensors - transposed) <= 1e-6 * largest
    return np.where(rounding, (tensors + transposed) / 2, tensors)


def packed(array: Array, shape: tuple[int, ...]) -> Array:
    """Return `array` reshaped, contiguous and aligned, copied only if it must be."""
    return np.require(array, requirements=["C_CONTIGUOUS", "ALIGNED"]).reshape(shape)


def pixel_sizes(
    spacing: float | Sequence[float] | None, shape: tuple[int, ...]
) -> tuple[float, ...]:
    """Return the physical size of a pixel along each axis."""
    if spacing is None:
        return (1 / max(shape),) * len(shape)
    try:
        sizes = np.asarray(spacing)
    except ValueError as error:  # rows of different lengths
        raise ValueError(
            f"spacing is {brief(spacing)}; expected a number or one per axis"
        ) from error
    if sizes.dtype.kind not in "iuf" or sizes.dtype == np.longdouble:
        raise TypeError(f"spacing is {brief(spacing)}; expected a number or one per axis")
    if sizes.shape not in ((), (len(shape),)):
        raise ValueError(f"spacing has shape {sizes.shape}; expected a number or one per axis")
    # Smaller numbers are not normal, and have lost digits.
    if not (np.isfinite(sizes).all() and (sizes >= np.finfo(np.float64).tiny).all()):
        raise ValueError(f"spacing is {brief(spacing)}; expected finite values > 0")
    return tuple(np.broadcast_to(sizes.astype(np.float64), len(shape)).tolist())


def raise_defect(checked: Cells, threads: int) -> NoReturn:
    """Raise on the first conductivity or label that has no meaning, where the kernel met one."""
    found = _core.inspect(checked.pixels, checked.phases, checked.tensor, threads)
    assert found is not None  # else the kernel would have solved
    defect, in_phases, cell, position = found
    name, array, own = "conductivity", checked.pixels, checked.pixels_batch
    place = unravel(position, checked.shape)
    if in_phases:
        assert checked.phases is not None  # the defect is in it
        name, array, own = "phases", checked.phases, checked.phases_batch
        place = (position,)
        if not own:
            array = array[np.newaxis]
    value = array[(cell, *place)]
    index = *own_index(cell, checked.batch, own), *place
    where = f"{name}[{', '.join(map(str, index))}]"
    raise ValueError(f"{where} is {value.tolist()}; expected {_EXPECTED[defect]}")


_EXPECTED = {
    "not_finite": "numbers; tensors finite",
    "not_positive": "a normal number > 0, 0 for a void or inf for a perfect conductor",
    "not_symmetric": "a symmetric tensor",
    "not_definite": "a positive definite tensor, or zeros for a void",
    "no_phase": "a label with an entry in phases, counted from 0",
}


def unravel(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index in `shape` of a position in its flat order."""
    return tuple(int(i) for i in np.unravel_index(position, shape)) if shape else ()


def own_index(cell: int, batch: tuple[int, ...], own: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of a cell in the axes `own`, which broadcast to `batch`."""
    last = unravel(cell, batch)[len(batch) - len(own) :]
    return tuple(0 if size == 1 else i for i, size in zip(last, own, strict=True))
