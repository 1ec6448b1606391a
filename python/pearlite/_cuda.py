"""The one place that launches kernels on a card, and that knows cupy.

Arrays of cupy come in and go out on their own device, in the stream that is cupy's current one.
Tensors of torch on a card share their memory with such arrays, in torch's current stream. The
kernels' sources are compiled by cupy (NVRTC) when they are first used, and kept by it on disk.

``PEARLITE_CUDA=emulate`` puts the emulated card of this project's tests in cupy's place, which runs
the same sources on the CPU; torch's tensors on the CPU are then taken to be on that card.
``PEARLITE_CUDA_GRAPHS=0`` makes no graphs of launches that are repeated.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# The variants of each family's source, by what they define.
_REALS: dict[str, tuple[Any, ...]] = {"REAL": ("float", "double")}
_DIMENSIONS: dict[str, tuple[Any, ...]] = {"DIM": (2, 3)}
_TENSORS: dict[str, tuple[Any, ...]] = {"TENSOR": (0, 1)}
FAMILIES: dict[str, dict[str, tuple[Any, ...]]] = {
    "langevin": _REALS,
    "laguerre": _DIMENSIONS,
    "relax": _DIMENSIONS | _REALS,
    "measures": _DIMENSIONS,
    "faces": _DIMENSIONS,
    "correlation": _REALS,
    "descriptor": _REALS,
    "bispectrum": _REALS,
    "annealing": {},
    "cells": _DIMENSIONS,
    "corrector": _REALS | _TENSORS,
    "corrector_tiles": _REALS | _TENSORS,
    "corrector_gradient": _REALS,
    "voxel_survey": {},
    "voxels": _REALS | _TENSORS,
    "voxels_cycle": _REALS | _TENSORS,
    "voxels_gradient": _REALS | _TENSORS,
}
# Where formulas decide themselves which products are fused, the compiler is not to do so.
_OPTIONS = dict.fromkeys(("langevin", "laguerre", "measures"), ("--fmad=false",))
_REAL = {"float32": "float", "float64": "double"}
_PLAIN_SHARED = 48 * 1024  # bytes of a block's shared memory that need not be asked for
_MOST_ROWS = 65535  # of a grid, along its second and third axes


def emulated() -> bool:
    """Tell whether the emulated card stands in for a real one."""
    wished = os.environ.get("PEARLITE_CUDA", "")
    if wished not in ("", "emulate"):
        raise ValueError(f"PEARLITE_CUDA is {wished!r}; expected 'emulate' or nothing")
    return wished == "emulate"


def library() -> Any:
    """Return cupy, or what stands in for it."""
    if emulated():
        return import_module("emulator.stand_in")
    try:
        return import_module("cupy")
    except ImportError as error:
        raise ModuleNotFoundError(
            "tensors on a card need cupy: pip install 'pearlite[cuda12]' or 'pearlite[cuda13]'"
        ) from error


def is_array(*values: object) -> bool:
    """Tell whether any of the values is an array of cupy, without importing it."""
    return any(
        base.__name__ == "ndarray" and base.__module__.partition(".")[0] == "cupy"
        for value in values
        for base in type(value).__mro__
    )


def on_card(tensor: Any) -> bool:
    """Tell whether a torch tensor is where these kernels run."""
    return bool(tensor.device.type == ("cpu" if emulated() else "cuda"))


def same_device(**arrays: Any) -> None:
    """Raise unless all are arrays of cupy on one device."""
    (first, home), *others = arrays.items()
    for name, array in arrays.items():
        if not is_array(array):
            kind = type(array).__name__
            raise TypeError(f"{name} is a {kind}; expected a cupy array, as the others are")
    for name, array in others:
        if array.device.id != home.device.id:
            raise ValueError(
                f"{name} is on device {array.device.id}; expected {home.device.id}, that of {first}"
            )


@contextmanager
def device_of(array: Any) -> Iterator[Any]:
    """Make the device of an array the current one; gives cupy."""
    cupy = library()
    with cupy.cuda.Device(array.device.id):
        yield cupy


@contextmanager
def place_of(value: Any) -> Iterator[Any]:
    """Make the device of an array of cupy the current one, and give cupy; of others give numpy."""
    if not is_array(value):
        yield np
        return
    with device_of(value) as cupy:
        yield cupy


class Properties(NamedTuple):
    """What matters of the current device."""

    multiprocessors: int
    shared: int  # bytes that a block may ask for


def properties() -> Properties:
    """Return what the current device has."""
    found = library().cuda.Device().attributes
    return Properties(found["MultiProcessorCount"], found["MaxSharedMemoryPerBlockOptin"])


@contextmanager
def stream_of(tensor: Any) -> Iterator[Any]:
    """Make the device of a tensor, and torch's stream there, the current ones; gives cupy."""
    cupy = library()
    if emulated():
        device, stream = cupy.device_and_stream(tensor)
    else:  # pragma: no cover - on a card
        import torch

        device = tensor.device.index
        pointer = torch.cuda.current_stream(tensor.device).cuda_stream
        stream = cupy.cuda.ExternalStream(pointer, device)
    with cupy.cuda.Device(device), stream:
        yield cupy


def from_torch(tensor: Any) -> Any:
    """Return the array that shares the memory of a tensor."""
    return library().from_dlpack(tensor.detach().resolve_conj().resolve_neg())


def to_torch(array: Any) -> Any:
    """Return the tensor that shares the memory of an array."""
    import torch

    return torch.from_dlpack(array)


def to_host(array: Any) -> Any:
    """Return a numpy array with the numbers of an array of cupy or a tensor on a card."""
    if is_array(array):
        return array.get()
    return array.cpu().numpy() if hasattr(array, "cpu") else array


@functools.cache
def _folders() -> tuple[Path, Path]:
    """Return where the sources are, and the headers they share with the CPU's kernels."""
    here = Path(__file__).parent
    if (here / "cuda" / "langevin.cu").exists():
        return here / "cuda", here / "cuda"
    tree = here.parents[1]
    if (tree / "cuda" / "langevin.cu").exists():
        return tree / "cuda", tree / "cpp"
    raise FileNotFoundError(f"the CUDA sources of pearlite are missing beside {here}")


def source(family: str) -> str:
    """Return the source of a family's kernels."""
    return (_folders()[0] / f"{family}.cu").read_text(encoding="utf-8")


def options(family: str, **defines: Any) -> tuple[str, ...]:
    """Return what a compiler of CUDA is told, but for the card it compiles for."""
    own, shared = _folders()
    named = [f"-D{name}={value}" for name, value in defines.items()]
    return ("-std=c++17", f"-I{own}", f"-I{shared}", *_OPTIONS.get(family, ()), *named)


def variants(family: str) -> list[dict[str, Any]]:
    """Return all that a family's source is compiled with."""
    names, values = tuple(FAMILIES[family]), tuple(FAMILIES[family].values())
    return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]


class Launch(NamedTuple):
    """A launch that is ready, to be done as often as it is called."""

    kernel: tuple[Any, ...]  # which one, and on which device
    function: Callable[[], None]

    def __call__(self) -> None:
        self.function()
        _done(library()).add(self.kernel)


@functools.cache
def _done(cupy: Any) -> set[tuple[Any, ...]]:
    """Return the kernels that have been launched before: their code is loaded, once and for all."""
    return set()


@functools.cache
def _module(cupy: Any, family: str, defines: tuple[tuple[str, Any], ...]) -> Any:
    if dict(defines) not in variants(family):
        raise ValueError(f"{family} has no variant {dict(defines)}")
    return cupy.RawModule(code=source(family), options=options(family, **dict(defines)))


def prepared(
    family: str,
    kernel: str,
    arguments: Sequence[Any],
    *,
    grid: tuple[int, ...],
    block: int,
    shared: int = 0,
    dtype: Any = None,
    **defines: Any,
) -> Launch:
    """Return what launches a kernel; see `launch`."""
    if 0 in grid:
        return Launch((), lambda: None)
    cupy = library()
    if dtype is not None:
        defines["REAL"] = _REAL[np.dtype(dtype).name]
    variant = tuple(sorted(defines.items()))
    function = _module(cupy, family, variant).get_function(kernel)
    if shared > _PLAIN_SHARED:
        function.max_dynamic_shared_size_bytes = shared
    return Launch(
        (cupy.cuda.Device().id, family, variant, kernel),
        functools.partial(function, tuple(grid), (block,), tuple(arguments), shared_mem=shared),
    )


def launch(family: str, kernel: str, arguments: Sequence[Any], **settings: Any) -> None:
    """Launch a kernel in the current stream of the current device.

    `arguments` are arrays, None for a null pointer, numpy scalars, or structures (see `packed`).
    `settings` are the grid, the threads of a block, the bytes of shared memory that it has, the
    dtype of what the source calls REAL, if it does, and what else it is compiled with. A grid
    without blocks launches nothing.
    """
    prepared(family, kernel, arguments, **settings)()


class Repeated:
    """Launches that are done together again and again, with the same arguments.

    They are captured into a graph of CUDA, which takes one call to launch; the first time in a
    process they are done one by one, which loads their code. Where they cannot be captured they go
    on one by one: that changes no bit of what they do.

    A graph is launched in the current stream, of whatever kind, and captured in one of its own: the
    legacy stream, which is the default, cannot be captured, and while another stream that waits for
    it is, nobody may use it. Nothing but kernels may be launched, and nothing allocated. The last
    call has to be waited for before this is dropped, and the arguments are.
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._launches = launches
        self._graph: Any = None
        self._may_capture = _graphs_wished()

    def __call__(self) -> None:
        done = _done(library())
        if self._may_capture and all(launch.kernel in done for launch in self._launches):
            self._graph, self._may_capture = _captured(self._launches), False
        if self._graph is not None:
            self._graph.launch()
            return
        for launch in self._launches:
            launch()


def _graphs_wished() -> bool:
    wished = os.environ.get("PEARLITE_CUDA_GRAPHS", "")
    if wished not in ("", "0", "1"):
        raise ValueError(f"PEARLITE_CUDA_GRAPHS is {wished!r}; expected '0', '1' or nothing")
    return wished != "0"


def _captured(launches: Sequence[Launch]) -> Any:
    """Return the graph of launches, or None where there is none to be had."""
    cupy = library()
    stream = _capture_stream(cupy, cupy.cuda.Device().id, threading.get_ident())
    try:
        with stream:
            stream.begin_capture()
            try:
                for launch in launches:
                    launch()
            finally:  # else the stream would go on capturing
                graph = stream.end_capture()
    except RuntimeError:  # as all errors of cupy's are: the launches themselves went well before
        return None
    return graph


@functools.lru_cache(maxsize=64)
def _capture_stream(cupy: Any, device: int, thread: int) -> Any:
    """Return a stream of the current device that only one thread captures in."""
    return cupy.cuda.Stream(non_blocking=True)


def packed(*members: Any) -> np.ndarray[Any, Any]:
    """Return a structure of members of 8 bytes, passed by value: numbers and sequences of them."""
    kinds, flat = [], []
    for member in members:
        for value in np.atleast_1d(np.asarray(member)).tolist():
            kinds.append(("", np.float64 if isinstance(value, float) else np.uint64))
            flat.append(value if isinstance(value, float) else value % 2**64)
    return np.array(tuple(flat), dtype=kinds)


def rows(count: int) -> int:
    """Return the size of a grid's second axis, over which a kernel loops."""
    return min(count, _MOST_ROWS)


def blocks(count: int, block: int) -> int:
    """Return how many blocks have a thread for each of `count`."""
    return -(-count // block)
