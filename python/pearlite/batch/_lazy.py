"""dask and xarray arrays: the same function, chunk by chunk, when the result is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pearlite import _arrays, corrector

Function = Callable[..., Any]


def homogenize(
    images: Any,
    dim: int,
    phases: Any,
    tensor: bool,
    spacing: Any,
    rtol: float,
    threads: int | None,
    on_failure: str,
    estimate: str,
    gradient_rtol: float,
) -> Any:
    """Return the effective conductivity of a lazy array, as lazy as it is."""
    if tensor and phases is None:
        raise ValueError("tensor is True; expected labels with phases, or scalars, in a lazy array")
    _arrays.check_axes(images, False, dim)
    options = {
        "phases": phases,
        "tensor": tensor,
        "spacing": spacing,
        "rtol": rtol,
        "threads": threads,
        "on_failure": on_failure,
        "estimate": estimate,
        "gradient_rtol": gradient_rtol,
    }
    return _mapped(corrector.homogenize, images, dim, options)


def _mapped(function: Function, images: Any, dim: int, options: dict[str, Any]) -> Any:
    """Apply a function from images (..., *shape) to tensors (..., dim, dim)."""
    if type(images).__name__ == "DataArray":
        return _mapped_xarray(function, images, dim, options)
    return _mapped_dask(function, images, dim, options)


def _result_dtype(images: Any) -> np.dtype[Any]:
    """Return float32 for float32 pixels, and float64 for others and for labels."""
    return np.dtype(np.float32 if images.dtype == np.float32 else np.float64)


def _mapped_dask(function: Function, images: Any, dim: int, options: dict[str, Any]) -> Any:
    """Map over the chunks of a dask array; an image is never cut."""
    whole = images.rechunk(dict.fromkeys(range(images.ndim - dim, images.ndim), -1))
    batch = whole.chunks[: images.ndim - dim]
    last = list(range(images.ndim - dim, images.ndim))
    return whole.map_blocks(
        function,
        dim=dim,
        **options,
        dtype=_result_dtype(images),
        chunks=(*batch, (dim,), (dim,)),
        drop_axis=last,
        new_axis=last[:2],
        meta=np.empty((0,) * (len(batch) + 2), _result_dtype(images)),
    )


def _mapped_xarray(function: Function, images: Any, dim: int, options: dict[str, Any]) -> Any:
    """Apply along the last axes of a DataArray; attributes and the batch's coordinates stay."""
    import xarray

    last = list(images.dims[-dim:])
    if images.chunks is not None:
        images = images.chunk(dict.fromkeys(last, -1))
    return xarray.apply_ufunc(
        function,
        images,
        kwargs={"dim": dim, **options},
        input_core_dims=[last],
        output_core_dims=[["row", "column"]],
        dask="parallelized",
        output_dtypes=[_result_dtype(images)],
        dask_gufunc_kwargs={"output_sizes": {"row": dim, "column": dim}},
        keep_attrs=True,
    )
