"""Two- and three-point correlations on a window of vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _cuda, _threads
from pearlite._arrays import Array
from pearlite.correlation._window import (
    Form,
    as_field,
    correlate,
    half_window,
    level_count,
    phase_values,
    pool,
    window_radius,
    without_threshold,
)

_FORMS = ("centred", "product", "logistic")
_FIELDS = ("vectors", "weights", "fractions", "s2", "gram", "shape", "radius", "form")


@dataclass(frozen=True, eq=False)
class Descriptor:
    """Statistics of a microstructure, as `descriptor` returns them.

    Attributes
    ----------
    vectors : (K, d) int64 array
        Vectors r in pixels of each level: zero, and those of the window whose first nonzero
        component is positive. The opposite ones give the same statistics.
    weights : (L,) float64 array
        2^(l−1) of level l = 1, …, L, which counts from the finest one.
    fractions : (P,) float64 array
        Volume fractions of the phases.
    s2 : (L, K) array
        Two-point correlations, centred ones if `form` is "centred".
    gram : (L, K, K) array
        Three-point correlations, the Gram matrix of the ensembles.
    shape : (d,) int64 array
        Pixels of the microstructure along each axis.
    radius : (d,) int64 array
        Of the window.
    form : str
        "centred", "product" or "logistic".
    """

    vectors: NDArray[np.int64]
    weights: NDArray[np.float64]
    fractions: NDArray[np.float64]
    s2: Any
    gram: Any
    shape: NDArray[np.int64]
    radius: NDArray[np.int64]
    form: Form

    @property
    def levels(self) -> int:
        """The number of levels."""
        return len(self.weights)

    @property
    def mean(self) -> float:
        """The mean of the field: phase k of P counts as k / (P − 1)."""
        return float(self.fractions @ phase_values(len(self.fractions)))

    def correlations(self, level: int = 0) -> tuple[Array, Array]:  # (K,), (K, K)
        """Return S2(r) and S3(r, s) of one level, not centred and without a threshold.

        Parameters
        ----------
        level : int
            Counted from 0, the finest one.

        Returns
        -------
        s2 : (K,) float64 array
        s3 : (K, K) float64 array
            The probability that x, x + r and x + s lie in phase 1, for two phases; NaN where it
            takes S2(r − s) and that lies beyond the window. Exact for labels at level 0.

        Notes
        -----
        The "logistic" form is corrected by eqs. (29) and (31) of the paper, the "centred" one by
        T(r, s) = S3(r, s) − φ (S2(r) + S2(s) + S2(r − s)) + 2 φ³.
        """
        gram = np.asarray(self.gram[level], np.float64)
        s2 = np.asarray(self.s2[level], np.float64)
        if self.form == "product":
            return s2.copy(), gram.copy()
        if self.form == "centred":
            s2 = s2 + self.mean**2
            apart = self._apart(s2)
            pairs = s2[:, None] + s2[None, :] + apart
            return s2, gram + self.mean * pairs - 2 * self.mean**3
        return s2.copy(), without_threshold(gram, s2, self._apart(s2))

    def _apart(self, s2: Array) -> Array:  # (K,) -> (K, K)
        """Return S2(r − s) of all pairs, NaN beyond the window."""
        places = {tuple(v): k for k, v in enumerate(self.vectors.tolist())}
        places |= {tuple(-c for c in v): k for v, k in places.items()}
        known = np.full(tuple(4 * r + 1 for r in self.radius), np.nan)
        centre = 2 * self.radius
        for vector, k in places.items():
            known[tuple(centre + vector)] = s2[k]
        between = self.vectors[:, None, :] - self.vectors[None, :, :] + centre
        out: Array = known[tuple(np.moveaxis(between, -1, 0))]
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.npz`` file, which appears whole or not at all.

        Parameters
        ----------
        path : str or path
            Its name, used as it is.
        """
        from pearlite.io.writing import replacing

        parts: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _FIELDS}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **parts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Descriptor:
        """Read what `save` wrote.

        Parameters
        ----------
        path : str or path
            Of the ``.npz`` file.

        Returns
        -------
        Descriptor

        Raises
        ------
        FileError
            If the file is not there or holds no descriptor.
        """
        from pearlite.io.errors import FileError, file_name, one_line, shown

        name = file_name(path)
        try:
            with open(name, "rb") as stream, np.load(stream, allow_pickle=False) as file:
                values: dict[str, Any] = {field: file[field] for field in _FIELDS}
            values["form"] = str(values["form"])
            loaded = cls(**values)
            _check_loaded(loaded)
        except FileNotFoundError:
            raise FileError(f"{shown(name)}: no such file") from None
        except Exception as error:  # zip, zlib and numpy have errors of many kinds
            raise FileError(f"{shown(name)}: not a descriptor ({one_line(error)})") from error
        return loaded


def descriptor(
    field: ArrayLike,
    *,
    radius: int | Sequence[int],
    levels: int | None = None,
    form: Form = "centred",
    threads: int | None = None,
) -> Descriptor:
    r"""Return all two- and three-point correlations on a window of vectors.

    Convolve – threshold – reduce: with an ensemble e_r(x) for each vector r of the window,

    .. math:: S2(r) = ⟨e_r(x)⟩, \quad G(r, s) = ⟨e_r(x) e_s(x)⟩,

    means over all pixels x of the periodic field M, and the same for the field averaged over
    2×2 pixels (2×2×2 in three dimensions), over 4×4, and so on. The forms are

    - "product": e_r(x) = M(x) M(x + r) and e_0 = M. For two phases G(r, s) = S3(r, s), the
      probability that x, x + r and x + s lie in phase 1, and G(r, r) = S2(r);
    - "logistic": e_r(x) = f((M(x) + M(x + r))/2), f a logistic function of steepness 10 with
      f(0) = 0, f(1) = 1 and its inflection at 3/4. S2 is what eq. (29) makes of G(r, r);
    - "centred": with u = M − ⟨M⟩, S2(r) = ⟨u(x) u(x + r)⟩ and G(r, s) = ⟨u(x) u(x + r) u(x + s)⟩.
      The means that hide the structure in the other forms are gone, which is what makes
      reconstruction from these numbers fast.

    Parameters
    ----------
    field : (n0, n1) or (n0, n1, n2) array
        Labels of phases, integers from 0 or booleans: of P phases, phase k counts as k / (P − 1).
        Or float32 or float64 values. A torch tensor may be differentiated. Arrays of cupy, and
        tensors on a card, are looked at there.
    radius : int or sequence of d ints
        The window is [−P, P] × [−Q, Q] (× [−R, R]); of r and −r one is taken, which leaves
        ((2P + 1)(2Q + 1) + 1)/2 vectors.
    levels : int, optional
        By default so many that the window covers the coarsest field, if its size can be halved so
        often.
    form : {"centred", "product", "logistic"}
        See above.
    threads : int, optional
        By default all the cores that this process may use.

    Returns
    -------
    Descriptor
        In float64 for labels, else in the field's dtype. `s2` and `gram` are tensors, or arrays of
        cupy, if `field` is one.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    The Gram matrix is a blocked symmetric product whose factors are formed block by block: beside
    the matrix itself it takes a few megabytes at most.

    Sources: P. Seibert, M. Ambati, A. Raßloff, M. Kästner, Comput. Mater. Sci. 196, 110455 (2021):
    eqs. (14), (15) and (19) the pipeline, (21) and (22) the threshold, (23) the levels, (29) to
    (31) the corrections.

    Examples
    --------
    Stripes two pixels wide: half of phase 1 has phase 1 one pixel to the right.

    >>> import numpy as np
    >>> import pearlite as pl
    >>> stripes = np.array([[1, 1, 0, 0]] * 4)
    >>> found = pl.correlation.descriptor(stripes, radius=(0, 1), levels=1, form="product")
    >>> found.vectors.tolist(), found.s2[0].tolist()
    ([[0, 0], [0, 1]], [0.5, 0.25])
    >>> found.gram[0]
    array([[0.5 , 0.25],
           [0.25, 0.25]])
    """
    _arrays.check_choice("form", form, _FORMS)
    if _arrays.is_torch(field):
        from pearlite import _descriptor_operators

        found: Descriptor = _descriptor_operators.descriptor(field, radius, levels, form, threads)
        return found
    if _cuda.is_array(field):
        from pearlite.correlation import _descriptor_card

        _threads.count(threads)
        return assembled(*_descriptor_card.descriptor(field, radius, levels, form))
    values, fractions = as_field(field)
    size = window_radius(radius, values.shape)
    number = level_count(levels, values.shape, size)
    vectors = half_window(size)
    count = _threads.count(threads)
    if form == "centred":
        values = values - values.dtype.type(values.mean(dtype=np.float64))
    s2 = np.empty((number, len(vectors)), values.dtype)
    gram = np.empty((number, len(vectors), len(vectors)), values.dtype)
    for level in range(number):
        if level:
            values = pool(values)
        _, s2[level] = correlate(values, vectors, form, count, gram[level])
    shape = tuple(n << (number - 1) for n in values.shape)
    return assembled(vectors, s2, gram, fractions, size, form, shape)


def assembled(
    vectors: NDArray[np.int64],
    s2: Any,
    gram: Any,
    fractions: NDArray[np.float64],
    size: tuple[int, ...],
    form: Form,
    shape: tuple[int, ...],
) -> Descriptor:
    """Return a descriptor of its parts."""
    levels = len(s2)
    weights = np.exp2(np.arange(levels, dtype=np.float64))
    return Descriptor(vectors, weights, fractions, s2, gram, np.array(shape, np.int64),
                      np.array(size, np.int64), form)  # fmt: skip


def _check_loaded(loaded: Descriptor) -> None:
    """Raise ValueError unless the parts of a descriptor fit together."""
    count, axes = loaded.vectors.shape
    levels = loaded.weights.shape[0]
    fit = (
        loaded.form in _FORMS
        and axes == loaded.shape.size == loaded.radius.size
        and loaded.s2.shape == (levels, count)
        and loaded.gram.shape == (levels, count, count)
        and loaded.fractions.ndim == 1
        and loaded.fractions.size >= 2
        and np.array_equal(loaded.vectors, half_window(tuple(loaded.radius.tolist())))
        and all(np.isfinite(part).all() for part in (loaded.s2, loaded.gram, loaded.fractions))
    )
    if not fit:
        raise ValueError("its parts do not fit together")
    level_count(cast(int, levels), tuple(loaded.shape.tolist()), tuple(loaded.radius.tolist()))
