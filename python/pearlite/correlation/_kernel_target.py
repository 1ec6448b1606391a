"""Reference images, prepared for the distance of their p-point correlations from a field's."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy import fft

from pearlite import _arrays, _core, _cuda
from pearlite._errors import brief
from pearlite.correlation._kernel_evaluation import Evaluation, Prepared

Array: TypeAlias = NDArray[Any]

_WEIGHTS = {(2, 3, 4): (0.3, 0.3, 0.4)}
_FLOOR = 1e-3  # of the largest power in a shell, below which no filter reaches
_FLAT = 1e-10  # a variance below this share of the largest square is rounding


class KernelTarget:
    """One or several reference images, prepared for `kernel_loss`.

    Parameters
    ----------
    references : (n0, n1[, n2]) array, or a sequence of such arrays
        Labels of phases (integers or booleans), or one real-valued field (float32 or float64). Of
        several images, all of one shape, the correlations are averaged. Arrays of cupy and tensors
        are copied from their card: a target is prepared on the CPU, and its spectra stay on each
        card that evaluates losses.
    orders : sequence of int
        The p of the p-point correlations: some of 2, 3 and 4.
    weights : sequence of float, optional
        The weight of each order; by default (.5, .5) for orders (2, 3), (.3, .3, .4) for (2, 3, 4),
        and equal ones otherwise.
    phases : int, optional
        The number of phases of labels, by default the largest label and one.
    dtype : float32 or float64
        In which losses are computed, and the dtype of fields.
    sharpen : float
        From 0 to 1: fields and references are filtered by the power s of their radially averaged
        spectral amplitudes, ⟨|v|⟩(k)^(−s), which makes the fine details of smooth images count for
        more. Correlations of filtered images are sums of those of the images and determine them:
        the loss stays a distance of all p-point correlations, weighted otherwise.

    Attributes
    ----------
    shape : tuple of int
        That of an image.
    channels : int
        Fields of one structure: 1 for a real-valued field or two phases (the indicator of label 1),
        else one for each phase, (P, n0, n1[, n2]).
    mean : (channels,) float64 array
        The references' mean, which centres the fields.
    orders, weights : tuples
    dtype : numpy dtype

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning, or the references have one phase only: then all centred
        correlations vanish.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.checkerboard((16, 16), tiles=4)
    >>> target = pl.correlation.KernelTarget(image)
    >>> target.channels, target.mean
    (1, array([0.5]))
    """

    def __init__(
        self,
        references: ArrayLike | Sequence[ArrayLike],
        *,
        orders: Sequence[int] = (2, 3),
        weights: Sequence[float] | None = None,
        phases: int | None = None,
        dtype: DTypeLike = np.float32,
        sharpen: float = 0.0,
    ) -> None:
        self.orders, self.weights = _check_orders(orders, weights)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype is {self.dtype}; expected float32 or float64")
        images = _check_references(_on_host(references))
        self.shape: tuple[int, ...] = images[0].shape
        self._centre(_indicators(images, phases), _arrays.check_between("sharpen", sharpen, 0, 1))

    @classmethod
    def of_fields(
        cls,
        fields: Array,  # (R, C, *shape) float64, overwritten
        orders: tuple[int, ...] = (2, 3),
        dtype: DTypeLike = np.float32,
        sharpen: float = 0.0,
    ) -> "KernelTarget":
        """Prepare real-valued fields of several phases, such as those of coarser grids."""
        target = cls.__new__(cls)
        target.orders, target.weights = _check_orders(orders, None)
        target.dtype = np.dtype(dtype)
        target.shape = fields.shape[2:]
        target._centre(fields, sharpen)
        return target

    def _centre(self, fields: Array, sharpen: float) -> None:
        """Take the mean out of the fields (R, C, *shape) in float64."""
        self.channels: int = fields.shape[1]
        axes = (0, *range(2, fields.ndim))
        self.mean: NDArray[np.float64] = fields.mean(axis=axes)
        largest = float(np.abs(fields).max())
        fields -= self.mean.reshape(1, -1, *(1,) * len(self.shape))
        if not float(np.mean(fields**2)) > _FLAT * largest**2:
            raise ValueError(
                "references are constant; expected at least two phases, "
                "since all centred correlations of one vanish"
            )
        axes = tuple(range(2, fields.ndim))
        spectra = fft.rfftn(fields, axes=axes)  # (R, C, *half)
        self._filter: Array | None = None  # as a field, its own transform
        if sharpen > 0:
            weights = _sharpening(spectra, self.shape, sharpen)
            spectra *= weights
            fields = fft.irfftn(spectra, s=self.shape, axes=axes)
            self._filter = fft.irfftn(weights, s=self.shape)
        self._prepare(fields, spectra)

    def _prepare(self, fields: Array, spectra: Array) -> None:
        """Keep the references' spectra, and Σ C_**^p and Σ |C_**|^p of each order."""
        count = len(fields)
        energies, sizes = np.zeros(len(self.orders)), np.zeros(len(self.orders))
        # Correlations are counted in units of their largest one, that of the zero vector.
        self.scale = float(count / np.sum(fields**2))
        for i in range(count):
            for j in range(i, count):
                products = (np.conj(spectra[i]) * spectra[j]).sum(axis=0)
                c = fft.irfftn(products, s=self.shape) * self.scale
                times = 1 if i == j else 2  # C_ji is C_ij reflected
                sums = _sums_of_powers(c)
                energies += [times * sums[p][0] for p in self.orders]
                sizes += [times * sums[p][1] for p in self.orders]
        self.energies: NDArray[np.float64] = energies / count**2  # Σ C_**^p
        self.factors: NDArray[np.float64] = np.array(self.weights) * count**2 / sizes
        self._fields: Array = np.ascontiguousarray(fields, dtype=self.dtype)  # centred
        self._transform()

    def _transform(self) -> None:
        """Make what the kernel takes, which depends on the machine."""
        by_order = dict(zip(self.orders, self.factors.tolist(), strict=True))
        fields = self._fields.reshape(len(self._fields), self.channels, *self.volume)
        weights = None
        if self._filter is not None:
            kernel = np.ascontiguousarray(self._filter, self.dtype).reshape(1, 1, *self.volume)
            weights = _core.kernel_spectra(kernel, [0.0])[0, 0]
        self.prepared = Prepared(
            spectra=_core.kernel_spectra(fields, [0.0] * self.channels),
            weights=weights,
            mean=self.mean.tolist(),
            power=[by_order.get(p, 0.0) for p in (2, 3, 4)],
            scale=self.scale,
            constant=float(self.factors @ self.energies),
            volume=self.volume,
        )
        self._workspaces: dict[int, list[Array]] = {}
        self.on_card: dict[int, Any] = {}  # what each device has of it

    def evaluate(
        self,
        field: Array,  # (C, *shape), contiguous and of the target's dtype: not checked
        threads: int,
        gradient: bool = True,
    ) -> Evaluation:
        """Return loss and gradient of one field."""
        # A workspace serves one call at a time; popping a list is safe between threads.
        spare = self._workspaces.setdefault(threads, [])
        workspace = spare.pop() if spare else self.prepared.workspace(threads)
        found = self.prepared.evaluate(field, threads, workspace, gradient)
        spare.append(workspace)
        return found

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("prepared", "_workspaces", "on_card"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._transform()

    @property
    def volume(self) -> tuple[int, int, int]:
        """The shape with three axes, as kernels take it."""
        n0, *middle, n = self.shape
        return n0, middle[0] if middle else 1, n

    @property
    def references(self) -> int:
        """How many images there are."""
        return len(self._fields)

    @property
    def field_shape(self) -> tuple[int, ...]:
        """The shape of a field: that of an image, with a leading axis if there are phases."""
        return self.shape if self.channels == 1 else (self.channels, *self.shape)

    def __repr__(self) -> str:
        return (
            f"KernelTarget({self.references} of shape {self.shape}, channels={self.channels}, "
            f"orders={self.orders}, weights={self.weights}, dtype={self.dtype})"
        )


def _on_host(references: Any) -> Any:
    """Return references whose images are of numpy where they were of cupy or tensors."""
    if isinstance(references, list | tuple):
        return type(references)(map(_on_host, references))
    if _arrays.is_torch(references):
        from pearlite._operators import as_tensor

        return _cuda.to_host(as_tensor("references", references, cards=True).detach())
    return _cuda.to_host(references) if _cuda.is_array(references) else references


def _check_orders(
    orders: Sequence[int], weights: Sequence[float] | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return orders and weights as tuples."""
    given: Any = orders
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        given = (given,)
    try:
        listed = tuple(given)
    except TypeError:
        raise TypeError(f"orders is {brief(orders)}; expected some of 2, 3 and 4") from None
    whole = all(isinstance(p, int | np.integer) and not isinstance(p, bool) for p in listed)
    if not (listed and whole and len(set(listed)) == len(listed) and set(listed) <= {2, 3, 4}):
        raise ValueError(f"orders is {brief(orders)}; expected some of 2, 3 and 4, each once")
    listed = tuple(int(p) for p in listed)
    if weights is None:
        equal = (1 / len(listed),) * len(listed)
        return listed, _WEIGHTS.get(listed, equal)
    try:
        numbers = np.asarray(weights)
    except ValueError:
        numbers = np.empty(0, object)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"weights is {brief(weights)}; expected a number for each order")
    if numbers.shape != (len(listed),) or not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise ValueError(
            f"weights is {brief(weights)}; expected {len(listed)} numbers > 0, like orders"
        )
    return listed, tuple(float(w) for w in numbers)


def _check_references(references: ArrayLike | Sequence[ArrayLike]) -> list[Array]:
    """Return the images as a list of arrays of one shape and kind."""
    several = isinstance(references, list | tuple) and all(
        isinstance(image, np.ndarray) for image in references
    )
    listed: Sequence[Any] = references if several else [references]  # type: ignore[assignment]
    if not listed:
        raise ValueError("references is empty; expected at least one image")
    images = [_arrays.as_numpy("references", image) for image in listed]
    first = images[0]
    if first.ndim not in (2, 3) or min(first.shape) < 2:
        raise ValueError(
            f"references has shape {first.shape}; expected (n0, n1) or (n0, n1, n2), "
            "at least 2 each, or a list of such arrays"
        )
    for image in images:
        if image.dtype.kind not in "biuf" or (image.dtype.kind == "f") != (first.dtype.kind == "f"):
            raise TypeError(
                f"references has dtype {image.dtype}; "
                "expected labels (integers or booleans), or float32 or float64, the same for all"
            )
        if image.dtype.kind == "f" and image.dtype.itemsize not in (4, 8):
            raise TypeError(f"references has dtype {image.dtype}; expected float32 or float64")
        if image.shape != first.shape:
            raise ValueError(
                f"references has shapes {first.shape} and {image.shape}; expected one shape"
            )
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise ValueError("references has values that are not finite")
    return images


def _indicators(images: Sequence[Array], phases: int | None) -> Array:
    """Return real fields (R, C, *shape) in float64: those given, or indicators of phases."""
    if images[0].dtype.kind == "f":
        if phases is not None:
            raise ValueError(f"phases is {brief(phases)}; expected None for real-valued references")
        return np.stack(images)[:, np.newaxis].astype(np.float64)
    smallest = min(int(image.min()) for image in images)
    largest = max(int(image.max()) for image in images)
    if smallest < 0 or largest > 255:
        raise ValueError(f"references has labels from {smallest} to {largest}; expected 0 to 255")
    count = check_phases(phases, largest)
    return indicators(images, count)


def indicators(images: Sequence[Array], phases: int) -> Array:
    """Return real fields (R, C, *shape) of labels: of label 1 for two phases, else of each."""
    stack = np.stack(images)
    seen = (1,) if phases == 2 else range(phases)
    fields: Array = np.stack([stack == k for k in seen], axis=1).astype(np.float64)
    return fields


def _sums_of_powers(c: Array) -> dict[int, tuple[float, float]]:
    """Return Σ c^p and Σ |c|^p by p."""
    square = c * c
    second = float(square.sum())
    c *= square
    third = float(c.sum())
    size = float(np.abs(c, out=c).sum())
    square *= square
    fourth = float(square.sum())
    return {2: (second, second), 3: (third, size), 4: (fourth, fourth)}


def _sharpening(spectra: Array, shape: tuple[int, ...], power: float) -> Array:
    """Return the weight of each wave vector: the radially averaged power, to −power/2."""
    axes = [fft.fftfreq(n) for n in shape[:-1]] + [fft.rfftfreq(shape[-1])]
    squares = sum(f**2 for f in np.meshgrid(*axes, indexing="ij", sparse=True))
    shells = np.rint(np.sqrt(squares) * max(shape)).astype(np.int64)
    energy = (np.abs(spectra) ** 2).sum(axis=(0, 1))
    count = np.bincount(shells.ravel())
    means = np.bincount(shells.ravel(), energy.ravel()) / np.maximum(count, 1)
    means = means / means.max() + _FLOOR
    weights: Array = (means ** (-power / 2))[shells]
    return weights


def check_phases(phases: int | None, largest: int) -> int:
    """Return the number of phases of labels of which `largest` is the largest, at least 2."""
    if phases is None:
        return max(largest + 1, 2)
    if isinstance(phases, bool) or not isinstance(phases, int | np.integer):
        raise TypeError(f"phases is {brief(phases)}; expected an integer from 2 to 256")
    if not max(2, largest + 1) <= phases <= 256:
        raise ValueError(
            f"phases is {phases}; expected at least {max(2, largest + 1)} for labels "
            f"up to {largest}, and at most 256"
        )
    return int(phases)
