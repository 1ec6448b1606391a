"""What pearlite uses of cupy, on an emulated machine with two cards.

An array keeps numpy's memory to itself, as a card's is: numpy is refused it. What a kernel gets is
checked more strictly than a card does: the bytes of each argument, sizes of grids, shared memory,
and that arrays are on the current device.
"""

import functools
import itertools
import operator
import time
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from emulator import build

__version__ = "14.2.0"
_DEVICES = 2
_SHARED = 48 * 1024  # bytes of a block, without asking for more
_MOST_SHARED = 99 * 1024  # by asking

float32, float64, int32, int64 = np.float32, np.float64, np.int32, np.int64
uint8, uint16, uint32, uint64 = np.uint8, np.uint16, np.uint32, np.uint64
complex64, complex128, bool_ = np.complex64, np.complex128, np.bool_


class _Memory(NamedTuple):
    ptr: int


class Launch(NamedTuple):
    """What was launched, and where."""

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    device: int
    stream: int


class _Machine:
    """What is current, and what was done."""

    def __init__(self):
        self.device = 0
        self.stream = 0
        self.torch_stream = 0  # what torch would say its current stream is
        self.order = 0  # of blocks and threads
        self.launches = deque(maxlen=1000)
        self.captures = {}  # of streams: what has been launched in them since
        self.graphs = deque(maxlen=1000)  # how many launches each graph had that was launched


machine = _Machine()


class ndarray:  # noqa: N801 - cupy's name
    """An array on an emulated card."""

    __module__ = "cupy"
    __array_priority__ = 100

    def __init__(self, host, device=None):
        _not_while_capturing()
        self._host = host
        self.device = cuda.Device(machine.device if device is None else device)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __dlpack__(self, **kwargs):
        return self._host.__dlpack__()

    def __dlpack_device__(self):
        return self._host.__dlpack_device__()

    @property
    def data(self):
        return _Memory(self._host.__array_interface__["data"][0])

    def get(self):
        _not_while_capturing()
        return self._host.copy()

    def __getitem__(self, index):
        found = self._host[_unwrapped(index)]
        return ndarray(np.asarray(found), self.device.id)

    def __setitem__(self, index, value):
        self._host[_unwrapped(index)] = _unwrapped(value)

    def __repr__(self):
        return repr(self._host)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __int__(self):
        return int(self._host)

    def __bool__(self):
        return bool(self._host)


def _not_while_capturing():
    """What a card would do at once, or what of memory a graph would not keep."""
    if machine.stream in machine.captures:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: not permitted when stream captures")


def _unwrapped(value):
    if isinstance(value, ndarray):
        if value.device.id != machine.device:
            raise ValueError(f"array is on device {value.device.id}, not {machine.device}")
        return value._host
    if isinstance(value, tuple | list):
        return type(value)(_unwrapped(v) for v in value)
    return value


def _wrapped(value):
    if isinstance(value, tuple):
        return tuple(map(_wrapped, value))
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def _lifted(function):
    @functools.wraps(function)
    def on_card(*args, **kwargs):
        named = {name: _unwrapped(value) for name, value in kwargs.items()}
        return _wrapped(function(*map(_unwrapped, args), **named))

    return on_card


for _name in ("shape", "dtype", "strides", "ndim", "size", "itemsize", "nbytes", "flags"):
    setattr(ndarray, _name, property(lambda self, name=_name: getattr(self._host, name)))
for _name in ("T", "real", "imag"):
    setattr(
        ndarray,
        _name,
        property(lambda self, name=_name: ndarray(getattr(self._host, name), self.device.id)),
    )
for _name in (
    "add", "sub", "mul", "truediv", "neg", "pow", "gt", "lt", "ge", "le", "and_", "or_", "invert",
    "floordiv", "mod", "eq", "ne",
):  # fmt: skip
    _of = getattr(operator, _name)
    _plain = _name.rstrip("_")
    setattr(ndarray, f"__{_plain}__", _lifted(_of))
    if _name not in ("neg", "invert"):
        setattr(ndarray, f"__r{_plain}__", _lifted(lambda a, b, of=_of: of(b, a)))
ndarray.__abs__ = _lifted(operator.abs)
for _name in ("reshape", "astype", "copy", "sum", "ravel", "transpose", "view", "all", "any",
              "min", "max", "mean", "item", "conj", "fill", "swapaxes", "diagonal",
              "argmax"):  # fmt: skip
    setattr(ndarray, _name, _lifted(getattr(np.ndarray, _name)))

for _name in (
    "zeros", "ones", "full", "ascontiguousarray", "broadcast_to", "moveaxis", "arange", "where",
    "may_share_memory", "stack", "concatenate", "sqrt", "exp", "log", "abs", "sum", "isfinite",
    "expand_dims", "einsum", "matmul", "tensordot", "array", "zeros_like", "ones_like", "rint",
    "clip", "maximum", "minimum", "count_nonzero", "broadcast_arrays", "equal", "take", "bincount",
    "roll", "floor", "flatnonzero", "searchsorted", "lexsort",
):  # fmt: skip
    globals()[_name] = _lifted(getattr(np, _name))


def empty(shape, dtype=np.float64):
    """Memory as it is found: nothing may be read before it is written."""
    made = np.empty(shape, dtype)
    made.reshape(-1).view(np.uint8)[...] = 0xFF
    return ndarray(made)


def empty_like(other, dtype=None):
    return empty(other.shape, other.dtype if dtype is None else dtype)


def asarray(value, dtype=None):
    if isinstance(value, ndarray):
        return value if dtype in (None, value.dtype) else value.astype(dtype)
    return ndarray(np.array(value, dtype=dtype))


def asnumpy(value):
    return value.get() if isinstance(value, ndarray) else np.asarray(value)


def from_dlpack(value):
    return ndarray(np.from_dlpack(value))


def device_and_stream(tensor):
    """What torch would say of a tensor on a card."""
    return machine.device, cuda.ExternalStream(machine.torch_stream)


class _Device:
    def __init__(self, number=None):
        self.id = machine.device if number is None else int(number)
        if not 0 <= self.id < _DEVICES:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self._outer = []

    def __enter__(self):
        self._outer.append(machine.device)
        machine.device = self.id
        return self

    def __exit__(self, *args):
        machine.device = self._outer.pop()

    def __eq__(self, other):
        return isinstance(other, _Device) and other.id == self.id

    def __hash__(self):
        return self.id

    @property
    def attributes(self):
        return {"MultiProcessorCount": 2, "MaxSharedMemoryPerBlockOptin": _MOST_SHARED}


class _Stream:
    _numbers = itertools.count(1000)

    def __init__(self, ptr=None, device_id=-1, *, non_blocking=False):
        self.ptr = next(self._numbers) if ptr is None else ptr
        self.non_blocking = non_blocking
        self._outer = []

    def __enter__(self):
        self._outer.append(machine.stream)
        machine.stream = self.ptr
        return self

    def __exit__(self, *args):
        machine.stream = self._outer.pop()

    def synchronize(self):
        pass

    def begin_capture(self):
        if self.ptr in (0, 1):
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if not self.non_blocking or self.ptr in machine.captures:
            raise RuntimeError("cudaErrorStreamCaptureImplicit, for all that use the legacy stream")
        machine.captures[self.ptr] = []

    def end_capture(self):
        return _Graph(machine.captures.pop(self.ptr))


class _Graph:
    """What was launched while a stream was capturing, with the bytes of its arguments."""

    def __init__(self, launches):
        self._launches = launches

    def launch(self, stream=None):
        _not_while_capturing()
        machine.graphs.append(len(self._launches))
        for run in self._launches:
            run()


class _Event:
    """A moment, of the CPU's clock."""

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        pass


class random:  # noqa: N801 - a module of cupy
    @staticmethod
    def standard_normal(size, dtype=np.float64):
        return ndarray(np.random.default_rng(0).standard_normal(size).astype(dtype))


class cuda:  # noqa: N801 - a module of cupy
    Event = _Event
    Device = _Device
    ExternalStream = _Stream
    Stream = _Stream

    @staticmethod
    def get_elapsed_time(begin, end):
        return 1e3 * max(end.at - begin.at, 1e-9)

    @staticmethod
    def get_current_stream():
        return _Stream(machine.stream)


class fft:  # noqa: N801 - a module of cupy
    rfftn, irfftn = _lifted(np.fft.rfftn), _lifted(np.fft.irfftn)
    fftn, ifftn = _lifted(np.fft.fftn), _lifted(np.fft.ifftn)


class linalg:  # noqa: N801 - a module of cupy
    inv = _lifted(np.linalg.inv)


class RawModule:
    """Kernels of one source, compiled when first asked for."""

    def __init__(self, *, code, options=()):
        self._code = code
        self._options = options

    @functools.cached_property
    def _module(self):
        known = [o for o in self._options if not o.startswith(("--", "-std"))]
        return build.Module(self._code, tuple(known))

    def get_function(self, name):
        if name not in self._module.names:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        return _Function(self._module, name)


class _Function:
    def __init__(self, module, name):
        self._module = module
        self._name = name
        self.max_dynamic_shared_size_bytes = _SHARED

    def __call__(self, grid, block, args, *, shared_mem=0):
        sizes = [(*size, 1, 1)[:3] for size in (grid, block)]
        limits = (2**31 - 1, 65535, 65535), (1024, 1024, 64)
        for size, limit in zip(sizes, limits, strict=True):
            if not all(1 <= n <= most for n, most in zip(size, limit, strict=True)):
                raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: {self._name} with {grid}, {block}")
        most = min(self.max_dynamic_shared_size_bytes, _MOST_SHARED)
        if np.prod(sizes[1]) > 1024 or shared_mem > most:
            raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: {self._name}: {block}, {shared_mem}")
        bytes_of, device = [_argument(a) for a in args], machine.device

        def run():
            if device != machine.device:
                raise RuntimeError(f"cudaErrorInvalidValue: captured on device {device}")
            machine.launches.append(Launch(self._name, *sizes, shared_mem, device, machine.stream))
            self._module.launch(self._name, *sizes, bytes_of, shared_mem, machine.order)

        machine.captures[machine.stream].append(
            run
        ) if machine.stream in machine.captures else run()


def _argument(value: Any) -> bytes:
    """The bytes that cupy passes."""
    if value is None:
        return bytes(8)
    if isinstance(value, ndarray):
        return np.uint64(_unwrapped(value).__array_interface__["data"][0]).tobytes()
    if isinstance(value, np.ndarray) and value.size == 1:
        return value.tobytes()
    if isinstance(value, np.generic):
        return value.tobytes()
    if isinstance(value, int | float):  # cupy widens them
        return np.array(value, np.int64 if isinstance(value, int) else np.float64).tobytes()
    raise TypeError(f"Unsupported type {type(value)}")
