"""Gaussian fields with the means and two-point statistics of given microstructures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from pearlite import _arrays, _threads
from pearlite.microstructures import _gaussian_arguments as arguments
from pearlite.microstructures import _gaussian_factor as factors
from pearlite.microstructures import _gaussian_phases as cutting
from pearlite.microstructures import _gaussian_spectrum as spectra
from pearlite.microstructures._draw import (
    Floats,
    check_batch,
    check_kind,
    check_number,
    check_shape,
    generator,
)
from pearlite.microstructures._gaussian_factor import Change

Fields = npt.NDArray[np.float32]


class GaussianField:
    """Periodic Gaussian fields m_i(x), one for each phase, of given means and two-point statistics.

    .. math:: ⟨m_i(x)⟩ = v_i,   ⟨m_i(x) m_j(x + r)⟩ − v_i v_j = C_ij(r),   Σ_i m_i(x) = 1.

    Made by `from_images`, `from_statistics` or `interpolate`; `sample` draws fields and `labels`
    phases.

    Attributes
    ----------
    shape : tuple of int
        Pixels of the cell along each axis, in 2D or 3D.
    means : (N,) float64 array
        v_i, the volume fractions.
    change : Change
        What projecting statistics that are no covariance has changed; zeros if nothing.

    Notes
    -----
    The spectrum Λ_ij(k) = Σ_r C_ij(r) exp(−2πi k·r/n) of a covariance is at each frequency a
    Hermitian, positive semidefinite matrix. With Σ_l B̄_li B_lj = Λ_ij and complex white noise w_l

    .. math:: m_j(x) = v_j + Re S^{−1/2} Σ_k Σ_l w_l(k) B_lj(k) exp(2πi k·x/n),

    S the number of pixels, has this covariance, and so has the imaginary part, which is the next
    sample. One image needs one noise: B_0j is its own transform, and Λ(k) has rank 1. Averaged or
    interpolated statistics need as many as there are images, or N − 1: then B is the Hermitian
    square root of Λ. Frequency zero is left out, so that every sample has exactly the means.

    Sources: A. E. Robertson, C. Kelly, M. Buzzy, S. R. Kalidindi, *Local–global decompositions for
    conditional microstructure generation*, Acta Materialia, eqs. 1–2; A. E. Robertson and
    S. R. Kalidindi, *Efficient generation of anisotropic N-field microstructures from 2-point
    statistics using multi-output Gaussian random fields*, Acta Materialia 232 (2022) 117927.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> image = pl.microstructures.discs(1, (64, 64), number=9, fraction=0.3, seed=1)[0]
    >>> field = pl.microstructures.GaussianField.from_images(image)
    >>> field.sample(4, seed=1).shape
    (4, 1, 64, 64)
    >>> labels = field.labels(4, seed=1)
    >>> bool((labels.sum(axis=(1, 2)) == image.sum()).all())
    True
    """

    def __init__(
        self,
        factor: spectra.Numbers,
        means: Floats,
        shape: tuple[int, ...],
        change: Change | None = None,
    ) -> None:
        self.shape = shape
        self.means = means
        self.change = Change() if change is None else change
        self._factor = factor  # (R, N − 1, *half)
        self._amplitudes: npt.NDArray[np.complex64 | np.float32] | None = None
        self._multipliers: Floats | None = None

    @classmethod
    def from_images(
        cls,
        labels: npt.ArrayLike,
        *,
        phases: int | None = None,
        dim: int = 2,
        shape: Sequence[int] | None = None,
        periodic: bool = True,
    ) -> GaussianField:
        """Take the statistics of an image, or their mean over several.

        Parameters
        ----------
        labels : (..., n0, n1) or, with dim=3, (..., n0, n1, n2) array
            Phases 0 … N − 1, as integers or booleans.
        phases : int, optional
            N; one more than the largest label, and at least 2, if None.
        dim : {2, 3}
            The number of axes of space, which are the last ones.
        shape : sequence of int, optional
            Pixels of the cell that samples fill; that of the images if None.
        periodic : bool
            Whether the images repeat. Those that do not are faded to their means at the border,
            and C_ij(r) comes out multiplied by ∏ w(r_a/n_a), w(t) = (1 − t) cos πt + sin(πt)/π.

        Returns
        -------
        GaussianField

        Raises
        ------
        TypeError, ValueError
            If an argument has no meaning; the message names it.

        Notes
        -----
        On a cell of another shape the statistics of a periodic image are multiplied by the same
        window, which vanishes at its sides, and summed over the images of the cell. Both keep
        them positive definite, whatever the shape.

        Examples
        --------
        >>> import pearlite as pl
        >>> image = pl.microstructures.voronoi(1, (48, 48), sites=9, phases=3, seed=1)[0]
        >>> pl.microstructures.GaussianField.from_images(image, shape=(96, 64)).shape
        (96, 64)
        """
        array, number = arguments.images(labels, phases, dim)
        periodic = _arrays.flag("periodic", periodic)
        own = array.shape[1:]
        cell = own if shape is None else check_shape(shape, (dim,))
        rows = number - 1 if periodic and cell != own else min(len(array), number)
        arguments.check_size("phases", rows, number, cell)
        total = [np.count_nonzero(array == phase) for phase in range(number)]
        means = np.array(total) / array.size
        weight = 1 / math.sqrt(len(array))
        factor = np.empty((0, number - 1, *spectra.half_shape(cell)))
        for image in array:
            one = (
                cls._of_image(image, number, cell)
                if periodic
                else spectra.windowed_factor(image, number, cell)
            )
            factor = factors.compressed(np.concatenate([factor, weight * one]))
        return cls(factor, means, cell)

    @staticmethod
    def _of_image(
        image: npt.NDArray[np.uint8], phases: int, cell: tuple[int, ...]
    ) -> spectra.Numbers:
        """Factor of a periodic image, on a cell of its shape or another."""
        factor = spectra.image_factor(image, phases)
        if cell == image.shape:
            return factor
        own = factors.covariance(spectra.factor_spectrum(factor), image.shape)
        spectrum = spectra.covariance_spectrum(spectra.embedded(own, True, cell), len(cell))
        return factors.factorize("labels", spectrum, cell, True, 1e-11)[0]

    @classmethod
    def from_statistics(
        cls,
        statistics: npt.ArrayLike,
        *,
        means: Sequence[float] | None = None,
        shape: Sequence[int] | None = None,
        periodic: bool = True,
        project: bool = False,
    ) -> GaussianField:
        """Take given two-point statistics.

        Parameters
        ----------
        statistics : (*n) or (N, N, *n) array of floats
            S(r) of phase 1 of two, or S_ij(r) = ⟨M_i(x) M_j(x + r)⟩ of all pairs of phases, as
            `pearlite.correlation.two_point` returns them, in 2D or 3D.
        means : (N,) floats, optional
            v_i, with sum 1; S_ii(0), which they are for phases, if None.
        shape : sequence of int, optional
            Pixels of the cell; that of the statistics if None. See `from_images` for other shapes.
        periodic : bool
            Whether the statistics are periodic, with the zero shift at index 0; if not, there are
            2 n − 1 shifts along each axis, and the zero shift is at index n − 1.
        project : bool
            Replace statistics that are no covariance by the nearest that are one, in the mean
            square over shifts and phases; `change` tells how far that is.

        Returns
        -------
        GaussianField

        Raises
        ------
        ValueError
            If the spectrum has an eigenvalue below −1e-11 times its largest one (−1e-6 for
            float32), and `project` is False; or if an argument has no meaning.

        Examples
        --------
        >>> import pearlite as pl
        >>> image = pl.microstructures.voronoi(1, (48, 48), sites=9, phases=3, seed=1)[0]
        >>> maps = pl.correlation.two_point(image, phases=[0, 1, 2])
        >>> pl.microstructures.GaussianField.from_statistics(maps).phases
        3
        """
        periodic = _arrays.flag("periodic", periodic)
        project = _arrays.flag("project", project)
        covariance, v, tolerance = arguments.covariances(statistics, means, periodic)
        own = covariance.shape[2:]
        if not periodic:
            own = tuple((n + 1) // 2 for n in own)
        cell = own if shape is None else check_shape(shape, (len(own),))
        arguments.check_size("statistics", len(v) - 1, len(v), cell)
        if not periodic or cell != own:
            covariance = spectra.embedded(covariance, periodic, cell)
        spectrum = spectra.covariance_spectrum(covariance, len(cell))
        factor, change = factors.factorize("statistics", spectrum, cell, project, tolerance)
        return cls(factor, v, cell, change)

    @classmethod
    def interpolate(
        cls, a: GaussianField, b: GaussianField, t: float, *, project: bool = False
    ) -> GaussianField:
        """Interpolate statistics: means (1 − t) v_a + t v_b, covariances (1 − t) C_a + t C_b.

        Parameters
        ----------
        a, b : GaussianField
            Fields of the same shape and number of phases.
        t : float
            0 for `a`, 1 for `b`. Beyond, covariances are extrapolated, and may be none.
        project : bool
            What to do then: see `from_statistics`.

        Returns
        -------
        GaussianField

        Raises
        ------
        ValueError
            If shapes or numbers of phases differ, or if what is extrapolated is no covariance or
            has negative means.

        Notes
        -----
        Source: Robertson et al., Acta Materialia, section 5.2.

        Examples
        --------
        >>> import pearlite as pl
        >>> draw = pl.microstructures.thresholded_noise
        >>> fine, coarse = (draw(1, (64, 64), length=s, seed=1)[0] for s in (2, 6))
        >>> Field = pl.microstructures.GaussianField
        >>> Field.interpolate(Field.from_images(fine), Field.from_images(coarse), 0.5).means
        array([0.5, 0.5])
        """
        check_kind("a", a, GaussianField)
        check_kind("b", b, GaussianField)
        weight = check_number("t", t)
        project = _arrays.flag("project", project)
        if a.shape != b.shape or a.phases != b.phases:
            raise ValueError(
                f"b has shape {b.shape} and {b.phases} phases; expected {a.shape} and {a.phases} "
                "as a has"
            )
        means = (1 - weight) * a.means + weight * b.means
        if not (means >= -1e-12).all():
            raise ValueError(f"t is {t}; expected one with fractions >= 0, got {means.tolist()}")
        means = np.maximum(means, 0)
        if 0 <= weight <= 1:
            both = [math.sqrt(1 - weight) * a._factor, math.sqrt(weight) * b._factor]
            return cls(factors.compressed(np.concatenate(both)), means, a.shape)
        first, second = (spectra.factor_spectrum(f._factor) for f in (a, b))
        spectrum = (1 - weight) * first + weight * second
        factor, change = factors.factorize("t", spectrum, a.shape, project, 1e-11)
        return cls(factor, means, a.shape, change)

    @property
    def phases(self) -> int:
        """Number of phases N."""
        return len(self.means)

    @property
    def channels(self) -> int:
        """Fields of a sample: 1 of two phases, which is that of phase 1, else N."""
        return 1 if self.phases == 2 else self.phases

    def __repr__(self) -> str:
        return (
            f"GaussianField(shape={self.shape}, means={self.means.round(4).tolist()}, "
            f"noises={len(self._factor)})"
        )

    def covariance(self) -> Floats:
        """Covariances C_ij(r) (N, N, *shape) that samples have, with the zero shift at index 0."""
        inner = factors.covariance(spectra.factor_spectrum(self._factor), self.shape)
        rest = -inner.sum(axis=0, keepdims=True)  # (1, N − 1, *shape): phase 0 with the others
        column = -inner.sum(axis=1, keepdims=True)
        corner = -rest.sum(axis=1, keepdims=True)
        upper = np.concatenate([corner, rest], axis=1)
        result: Floats = np.concatenate([upper, np.concatenate([column, inner], axis=1)])
        return result

    def two_point(self) -> Floats:
        """Two-point statistics S_ij(r) = C_ij(r) + v_i v_j (N, N, *shape) that samples have."""
        product = self.means[:, np.newaxis] * self.means
        return self.covariance() + product.reshape(self.phases, -1, *[1] * len(self.shape))

    def sample(
        self, count: int, *, seed: int, sample: int = 0, threads: int | None = None
    ) -> Fields:
        """Draw continuous fields.

        Parameters
        ----------
        count : int
            Number of samples.
        seed : int
            Seed of the random numbers.
        sample : int
            Number of the first sample: a sample depends on its number and the seed alone, whatever
            the batch and the number of threads.
        threads : int, optional
            Number of threads; all cores that this process may use if None.

        Returns
        -------
        fields : (count, C, *shape) float32 array
            The fields m_i of all N phases, C = N, with sum 1 at each pixel; of two phases that of
            phase 1 alone, C = 1. Two samples, an even one and the next, come from one transform.

        Examples
        --------
        >>> import pearlite as pl
        >>> image = pl.microstructures.voronoi(1, (32, 48), sites=9, phases=3, seed=1)[0]
        >>> field = pl.microstructures.GaussianField.from_images(image)
        >>> fields = field.sample(2, seed=1)
        >>> fields.shape, fields.dtype.name
        ((2, 3, 32, 48), 'float32')
        >>> bool(abs(fields.mean(axis=(2, 3)) - field.means).max() < 1e-6)
        True
        """
        samples = check_batch(count, seed, sample, (self.channels, *self.shape))
        number = _threads.count(threads)
        fields = np.empty((len(samples), self.channels, *self.shape), np.float32)
        for pair in range(samples.start // 2, (samples.stop + 1) // 2):
            both = self._pair(seed, pair, number)
            for k, part in enumerate((both.real, both.imag)):
                place = 2 * pair + k - samples.start
                if 0 <= place < len(fields):
                    self._fill(fields[place], part)
        return fields

    def _pair(self, seed: int, pair: int, threads: int) -> npt.NDArray[np.complex64]:
        """Two samples as one complex field (N − 1, *shape), without means."""
        if self._amplitudes is None:
            whole = spectra.whole_grid(self._factor, self.shape) / math.sqrt(math.prod(self.shape))
            self._amplitudes = whole.astype(np.complex64 if np.iscomplexobj(whole) else np.float32)
        rows = len(self._amplitudes)
        noise = [
            generator(seed, 2 * pair + k, "field").standard_normal((rows, *self.shape), np.float32)
            for k in range(2)
        ]
        white = noise[0] + np.complex64(1j) * noise[1]
        coloured = np.einsum("l...,lj...->j...", white, self._amplitudes)
        axes = range(1, coloured.ndim)
        result: npt.NDArray[np.complex64] = fft.ifftn(
            coloured, axes=axes, norm="forward", workers=threads
        )
        return result

    def _fill(self, to: Fields, part: Fields) -> None:
        """Write the channels (C, *shape) of a sample from its phases 1 … N − 1."""
        means = self.means.astype(np.float32).reshape(-1, *[1] * len(self.shape))
        if self.phases == 2:
            to[0] = means[1] + part[0]
        else:
            to[1:] = means[1:] + part
            to[0] = 1 - to[1:].sum(axis=0)

    def labels(
        self,
        count: int,
        *,
        seed: int,
        sample: int = 0,
        fractions: Sequence[float] | None = None,
        threads: int | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Draw microstructures: the fields of `sample`, cut by `segment`.

        Parameters
        ----------
        count, seed, sample, threads
            As for `sample`.
        fractions : (N,) floats, optional
            Fractions of the phases instead of the means.

        Returns
        -------
        labels : (count, *shape) uint8 array
            Every image has its fractions exactly, rounded to whole pixels.
        """
        fields = self.sample(count, seed=seed, sample=sample, threads=threads)
        return self.segment(fields, fractions=fractions, threads=threads)

    def segment(
        self,
        fields: npt.ArrayLike,
        *,
        fractions: Sequence[float] | None = None,
        threads: int | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Turn continuous fields into phases.

        Each phase's field is smoothed by the central lobe of its autocovariance, scaled to a
        radius of .35 mean chord lengths, and summed over 3 × 3 (× 3) pixels. In the order of
        ascending fractions each phase takes its number of pixels, the largest of its field that are
        free; the last one has the rest. Of equal pixels the first are taken.

        Parameters
        ----------
        fields : (count, C, *shape) array
            As `sample` returns them.
        fractions : (N,) floats, optional
            Fractions of the phases instead of the means.
        threads : int, optional
            Number of threads; all cores that this process may use if None.

        Returns
        -------
        labels : (count, *shape) uint8 array
        """
        number = _threads.count(threads)
        values = arguments.fields(fields, self.channels, self.shape)
        v = arguments.check_fractions(fractions, self.means)
        sizes = cutting.counts(v, math.prod(self.shape))
        order = [int(k) for k in np.argsort(v, kind="stable")]
        multipliers = self._smoothing()
        axes = range(1, 1 + len(self.shape))
        labels = np.empty((len(values), *self.shape), np.uint8)
        for image, one in zip(labels, values, strict=True):
            every = np.concatenate([1 - one, one]) if self.phases == 2 else one
            spectrum = fft.rfftn(every, axes=axes, workers=number)
            smooth = fft.irfftn(spectrum * multipliers, s=self.shape, axes=axes, workers=number)
            image[...] = cutting.assign(smooth, order, sizes)
        return labels

    def _smoothing(self) -> Floats:
        """Multipliers (N, *half) of the smoothing of each phase."""
        if self._multipliers is None:
            covariance = self.covariance()
            box = cutting.box(self.shape)
            each = [
                cutting.smoothing(covariance[i, i], float(v)) * box
                for i, v in enumerate(self.means)
            ]
            self._multipliers = np.stack(each).astype(np.float32)
        return self._multipliers
