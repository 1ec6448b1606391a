"""Homogenize images that do not fit in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite import _arrays, corrector
from pearlite.batch._run import Options, Progress, Report, number_of_threads, run
from pearlite.batch._work import Homogenization
from pearlite.io.phases import PhaseMap

Phases: TypeAlias = npt.ArrayLike | Mapping[float, npt.ArrayLike] | PhaseMap | None


def homogenize(
    source: str | os.PathLike[str] | npt.NDArray[np.number],
    target: str | os.PathLike[str],
    *,
    phases: Phases = None,
    dim: int = 2,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    threads: int | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the effective conductivity of each image of a file to a table, chunk by chunk.

    Reading, solving and writing overlap, and memory does not grow with the number of images. Each
    finished chunk is kept in the folder `target`.parts until all are joined, so that a run that
    was interrupted, by whatever, goes on with ``resume=True`` and gives the same numbers.

    Parameters
    ----------
    source : path or (..., n0, n1) array
        Images, or volumes with ``dim=3``: a zarr or HDF5 array (``store.zarr:/name``), a `.npy` or
        another file that `pearlite.io.read_images` reads, or a folder of images of one shape.
    target : path
        `.parquet`, `.csv`: index, what the source keeps for each image (names of files, arrays
        (N,) beside the images), A11, A22, A12, anisotropy and status. `.zarr`, `.h5`: the same as
        arrays, with `effective` (N, d, d) and the attributes of the source. `.npy`: the tensors
        alone.
    phases : array-like, mapping or PhaseMap, optional
        Conductivity of the labels 0, 1, …, scalars (P,) or tensors (P, d, d); or of each grey
        value, such as ``{0: 1.0, 255: 10.0}``. Without it the pixels are conductivities.
    dim : {2, 3}
        Number of axes of an image.
    spacing : float or sequence of floats, optional
        As in `pearlite.homogenize`; by default what the attribute `spacing` of the source says, or
        squares.
    rtol : float
        As in `pearlite.homogenize`.
    threads : int, optional
        Threads of this process; all cores by default, and one with workers.
    chunk : int, optional
        Images in a chunk. By default about 4 million pixels in whole pieces of the source, up to
        eight times as many for many images on a cluster; those of the unfinished run with `resume`.
    workers : int, optional
        Number of processes of this machine to work with (dask.distributed).
    cluster : str, optional
        Address of a dask scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers see source
        and target under the same names as this process.
    resume : bool
        Go on with an unfinished run of the same source and options; begin if there is none.
    progress : callable, optional
        Called with the number of finished cells and of all.

    Returns
    -------
    Report
        Counts, and the cells that failed with the reason: one with a wrong pixel or without
        convergence gives NaN and does not stop the others.

    Raises
    ------
    FileError
        If a file cannot be read or written, or an unfinished run is there; the message is one line
        and says what to do.
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pearlite as pl
    >>> images = np.random.default_rng(0).integers(2, size=(50, 16, 16), dtype=np.uint8)
    >>> images[7, 3, 4] = 9
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/images.npy", images)
    ...     report = pl.batch.homogenize(
    ...         f"{folder}/images.npy", f"{folder}/tensors.csv", phases=[1, 10]
    ...     )
    >>> report.count, report.failed, report.failures[0].reason
    (50, 1, 'pixel (3, 4) is 9; expected one of 0, 1')
    """
    _arrays.check_dimension(dim)
    options = Options.of(chunk, workers, cluster, resume, progress)
    threads = number_of_threads(threads, options)
    _arrays.check_between("rtol", rtol, *corrector.RTOL)
    sizes = None if spacing is None else _arrays.pixel_sizes(spacing, (1,) * dim)
    work = Homogenization(_phase_map(phases, dim), int(dim), sizes, float(rtol), threads)
    return run(source, target, work, options)


def _phase_map(phases: Phases, dim: int) -> PhaseMap | None:
    """Return the conductivities with the values they belong to, if these are given."""
    if phases is None or isinstance(phases, PhaseMap):
        return phases
    values = None
    if isinstance(phases, Mapping):
        keys = sorted(phases)
        values = _arrays.numbers("phases", np.array(keys)).astype(np.float64)
        phases = np.array([phases[key] for key in keys])
    conductivities = _arrays.numbers("phases", phases)
    shape = conductivities.shape
    if shape[:1] in ((), (0,)) or shape[1:] not in ((), (dim, dim)):
        raise ValueError(
            f"phases has shape {shape}; expected (P,) or (P, {dim}, {dim}) with at least one phase"
        )
    return PhaseMap(conductivities.astype(np.float64), values)
