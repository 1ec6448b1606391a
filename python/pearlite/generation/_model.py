"""A trained score network as a file: tensors and what they were trained for, without torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pearlite._arrays import check_integer, check_positive
from pearlite._errors import brief
from pearlite.generation import _layout
from pearlite.io.errors import FileError, file_name, shown
from pearlite.io.errors import one_line as error_line
from pearlite.io.writing import replacing

Floats = NDArray[np.float32]

FORMAT = 1
_KEY = "pearlite"  # of the one entry in the file's map of strings


@dataclass(frozen=True, eq=False)
class Model:
    r"""Weights of a score network s(x, σ) = F(x)/σ, and what they were trained for.

    The network is the U-Net of constant width of [1]_ (Section 4.2, Fig. 2), N = InstanceNorm++ and
    then a PReLU for each channel:

    ====================  =============================================================
    layer                 what it does
    ====================  =============================================================
    ``lift``              N(3×3 convolution), to `channels` channels
    ``encode.{l}.{k}``    N(3×3 convolution); twice on level 0, once on the others
    ``down.{l}``          N(2×2 convolution of stride 2)
    ``bottom.{k}``        N(3×3 convolution), twice
    ``up.{l}``            N(transposed 2×2 convolution of stride 2)
    ``merge.{l}``         N(1×1 convolution) of `up` and, behind it, the last `encode`
    ``decode.{l}.{k}``    N(3×3 convolution); as many as on the way down
    ``out``               3×3 convolution
    ====================  =============================================================

    3×3 convolutions are padded by zeros. InstanceNorm++ [2]_ is, with μ_c and v_c the mean and the
    (biased) variance of channel c over the pixels, m and v the mean and the unbiased variance of
    μ_c over the channels, and e = 1e-5,

    .. math:: γ_c [(x - μ_c)/\sqrt{v_c + e} + α_c (μ_c - m)/\sqrt{v + e}] + β_c .

    Attributes
    ----------
    tensors : mapping of str to float32 arrays
        ``<layer>.weight`` (out, in, k, k) or, of ``up``, (in, out, 2, 2); ``<layer>.bias``; of all
        layers but ``out`` also ``<layer>.norm.alpha``, ``<layer>.norm.gamma``,
        ``<layer>.norm.beta`` and ``<layer>.slope``, (channels,) each.
    phases : int
        Number of phases N. The image x of two phases has one channel, 1 in phase 1 and 0 in phase
        0; of more it has N, the indicator of each phase.
    channels, levels : int
        Width of the network, and how often it halves the resolution.
    dim : int
        2, or 3 for volumes.
    sigma_max, sigma_min : float
        Largest and smallest noise level of the training.
    noise_levels : int
        Number of levels between them, geometric; see `sigmas`.
    patch : int
        Side of the patches it was trained on, in pixels.
    dequantization : float
        Half-width of the uniform noise that was added to the indicators.
    name : str
        What the model is of.
    training : mapping
        Record of the training: iterations, batch, seed, loss, reference, fractions of the phases…

    References
    ----------
    .. [1] A. E. Robertson et al., "Local–global decompositions for conditional microstructure
       generation", Acta Materialia 253 (2023) 118966.
    .. [2] Y. Song, S. Ermon, "Generative modeling by estimating gradients of the data
       distribution", NeurIPS 2019, Appendix A.1.

    Examples
    --------
    >>> model = Model.random(phases=2, channels=40, levels=1)
    >>> model.parameters
    105121
    >>> model.tensors["merge.0.weight"].shape
    (40, 80, 1, 1)
    """

    tensors: Mapping[str, Floats]
    phases: int
    channels: int
    levels: int
    dim: int = 2
    sigma_max: float = 20.0
    sigma_min: float = 0.01
    noise_levels: int = 1000
    patch: int = 40
    dequantization: float = 0.005
    name: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_numbers()
        tensors = _checked_tensors(self.tensors, self.shapes)
        object.__setattr__(self, "tensors", MappingProxyType(tensors))
        if not isinstance(self.training, Mapping):
            raise TypeError(f"training is a {type(self.training).__name__}; expected a mapping")
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes, which read-only mappings do not."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values |= {"tensors": dict(self.tensors), "training": dict(self.training)}
        return Model, tuple(values.values())

    def _check_numbers(self) -> None:
        check_integer("phases", self.phases, 2, _layout.MOST_PHASES)
        check_integer("channels", self.channels, 2, _layout.MOST_CHANNELS)
        check_integer("levels", self.levels, 1, _layout.MOST_LEVELS)
        check_integer("dim", self.dim, 2, 3)
        check_integer("noise_levels", self.noise_levels, 1)
        check_integer("patch", self.patch, 1)
        for name in ("sigma_max", "sigma_min", "dequantization"):
            check_positive(name, getattr(self, name), zero=name == "dequantization")
        if self.sigma_min > self.sigma_max:
            raise ValueError(f"sigma_min is {self.sigma_min}; expected at most {self.sigma_max}")
        if not isinstance(self.name, str):
            raise TypeError(f"name is {brief(self.name)}; expected a str")

    @classmethod
    def random(
        cls, *, phases: int, channels: int, levels: int, seed: int = 0, **more: Any
    ) -> Model:
        """Return a network before its training.

        Weights and biases of a layer are uniform between ±1/√n, n the number of values that enter
        an output; α and γ are normal, 1 ± .02, β is 0 and slopes are .25.

        Parameters
        ----------
        phases, channels, levels : int
            See the attributes.
        seed : int
            Seed of the weights.
        **more
            Other attributes, such as `dim` or `name`.

        Returns
        -------
        model : Model
        """
        check_integer("phases", phases, 2, _layout.MOST_PHASES)
        check_integer("channels", channels, 2, _layout.MOST_CHANNELS)
        check_integer("levels", levels, 1, _layout.MOST_LEVELS)
        check_integer("seed", seed, 0, 2**63 - 1)
        dim = check_integer("dim", more.get("dim", 2), 2, 3)
        random = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
        tensors: dict[str, Floats] = {}
        bound = 1.0
        for name, shape in _layout.shapes(phases, channels, levels, dim).items():
            kind = name.rpartition(".")[2]
            if kind == "weight":
                # A pixel of a transposed convolution sees one of its 2×2 positions.
                entering = shape[0] if name.startswith("up.") else math.prod(shape[1:])
                bound = 1 / math.sqrt(entering)
            if kind in ("weight", "bias"):
                values = random.uniform(-bound, bound, shape)
            elif kind in ("alpha", "gamma"):
                values = random.normal(1, 0.02, shape)
            else:
                values = np.full(shape, 0.25 if kind == "slope" else 0.0)
            tensors[name] = values.astype(np.float32)
        return cls(tensors, phases, channels, levels, **more)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name, in the order of the layers."""
        return _layout.shapes(self.phases, self.channels, self.levels, self.dim)

    @property
    def layers(self) -> list[str]:
        """The names of the layers, in the order in which an image passes them."""
        return _layout.layers(self.levels)

    @property
    def inputs(self) -> int:
        """Channels of an image: 1 for two phases, else one for each."""
        return _layout.inputs(self.phases)

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def multiple(self) -> int:
        """The number of pixels along each axis has to be a multiple of this, 2^levels."""
        return int(2**self.levels)

    def sigmas(self) -> NDArray[np.float64]:
        """Return the noise levels of the training, from the largest to the smallest."""
        return np.geomspace(self.sigma_max, self.sigma_min, self.noise_levels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file; it appears whole or not at all.

        Raises
        ------
        FileError
            If it cannot be written.
        ValueError
            If `training` holds what JSON cannot.
        """
        from safetensors.numpy import save

        about = {item.name: getattr(self, item.name) for item in fields(self)}
        about["training"] = dict(self.training)
        del about["tensors"]
        try:
            text = json.dumps({"format": FORMAT, **about}, allow_nan=False, default=_plain)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"training holds what JSON cannot: {error_line(error)}") from error
        with replacing(path) as temporary:
            temporary.write_bytes(save(dict(self.tensors), {_KEY: text}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a model from a safetensors file. Nothing in the file is executed.

        Parameters
        ----------
        path : str or path
            What `save` or ``pearlite train`` wrote.

        Returns
        -------
        model : Model

        Raises
        ------
        FileError
            If the file is missing, damaged, no model of pearlite, of another format's version, or
            lacks tensors or has those of other shapes.
        """
        name = file_name(path)
        if not Path(name).is_file():
            there = "is a folder" if Path(name).is_dir() else "no such file"
            raise FileError(f"{shown(name)}: {there}")
        try:
            about, tensors = _read(name)
            return cls(tensors, **about)
        except FileError as error:
            raise FileError(f"{shown(name)}: {error}") from error
        except OSError as error:
            raise FileError(f"{shown(name)}: {error.strerror or error}") from error
        except (TypeError, ValueError) as error:
            raise FileError(f"{shown(name)}: a model whose {error_line(error)}") from error


def _read(name: str) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Return the attributes and the tensors of a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(name, framework="numpy") as file:
            entry = (file.metadata() or {}).get(_KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise FileError(f"not a readable safetensors file ({error_line(error)})") from error
    if entry is None:
        raise FileError("a safetensors file, but no model of pearlite")
    try:
        about = json.loads(entry)
    except (ValueError, RecursionError) as error:
        raise FileError(f"its entry {_KEY!r} is no JSON ({error_line(error)})") from error
    version = about.pop("format", None) if isinstance(about, dict) else None
    if version != FORMAT:
        raise FileError(
            f"a model of format {brief(version)}; this version of pearlite reads {FORMAT}"
        )
    known = {item.name for item in fields(Model)} - {"tensors"}
    missing = sorted(known - set(about))
    if missing:
        raise FileError(f"a model without {', '.join(missing)}")
    return {key: value for key, value in about.items() if key in known}, tensors


def _checked_tensors(
    tensors: Mapping[str, Floats], expected: Mapping[str, tuple[int, ...]]
) -> dict[str, Floats]:
    """Return the tensors in the order of the layers, contiguous, or raise."""
    if not isinstance(tensors, Mapping):
        raise TypeError(f"tensors is a {type(tensors).__name__}; expected a mapping")
    missing, more = (sorted(set(a) - set(b)) for a, b in ((expected, tensors), (tensors, expected)))
    if missing or more:
        which = "lacks" if missing else "has the unknown"
        raise ValueError(f"tensors {which} {brief((missing or more)[0])}")
    checked = {}
    for name, shape in expected.items():
        tensor = tensors[name]
        if not isinstance(tensor, np.ndarray) or tensor.dtype != np.float32:
            got = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"tensors[{name!r}] is {got}; expected a float32 array")
        if tensor.shape != shape:
            raise ValueError(f"tensors[{name!r}] has shape {tensor.shape}; expected {shape}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"tensors[{name!r}] has values that are not finite")
        checked[name] = np.ascontiguousarray(tensor)
        checked[name].flags.writeable = False
    return checked


def _plain(value: object) -> object:
    """Return numpy's numbers and arrays as those of JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return cast(object, value.tolist())
    raise TypeError(f"a {type(value).__name__}")
