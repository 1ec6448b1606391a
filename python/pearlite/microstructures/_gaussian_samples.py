"""Samples of Gaussian fields, and the phases cut from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from pearlite import _arrays, _core, _threads
from pearlite.microstructures import _gaussian_arguments as arguments
from pearlite.microstructures import _gaussian_factor as factors
from pearlite.microstructures import _gaussian_phases as cutting
from pearlite.microstructures import _gaussian_spectrum as spectra
from pearlite.microstructures._draw import Floats, check_batch
from pearlite.microstructures._gaussian_factor import Change

Fields = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

_LAST_SAMPLE = 2**48  # that the counters of the noise tell apart
_AT_ONCE = 2**26  # numbers of the fields that labels are cut from


class Sampled:
    """What Gaussian fields can do once their statistics are known."""

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
        self._amplitudes: Fields | None = None  # (R, N − 1, parts, n0, m, n)
        self._multipliers: dict[float, Floats] = {}  # (N, *half), by their smoothing
        self._smooth: dict[tuple[float, ...], Fields] = {}  # amplitudes for `labels`

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
        """Covariances C_ij(r) (N, N, *shape) of the samples, with the zero shift at index 0."""
        every = self._all_phases()
        return factors.covariance(spectra.factor_spectrum(every), self.shape)

    def two_point(self) -> Floats:
        """Two-point statistics C_ij(r) + v_i v_j (N, N, *shape) of the samples."""
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

        Notes
        -----
        The noise w_l of the samples 2p and 2p + 1 has the standard normal numbers of sample 2p as
        its real part and those of 2p + 1 as its imaginary part, from Philox 4x32-10.

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
        samples = self._numbered(count, seed, sample)
        number = _threads.count(threads)
        if self._amplitudes is None:
            self._amplitudes = self._grid(self._factor)
        means = self.means[1:].astype(np.float32)
        fields = _core.gaussian_fields(
            self._amplitudes, means, self.phases > 2, seed, samples.start, len(samples), number
        )
        return fields.reshape(len(samples), self.channels, *self.shape)

    def labels(
        self,
        count: int,
        *,
        seed: int,
        sample: int = 0,
        fractions: Sequence[float] | None = None,
        smoothing: float = 0.35,
        threads: int | None = None,
    ) -> Labels:
        """Draw microstructures: what `segment` makes of `sample`, without the fields in between.

        Smoothing is a factor of the spectrum, so that phases cost as much as fields; but for
        rounding, which matters where two pixels are as good as equal, they are the same.

        Parameters
        ----------
        count, seed, sample, threads
            As for `sample`.
        fractions : (N,) floats, optional
            Fractions of the phases instead of the means.
        smoothing : float
            Radius of the smoothing in mean chord lengths.

        Returns
        -------
        labels : (count, *shape) uint8 array
            Every image has its fractions exactly, rounded to whole pixels.

        Examples
        --------
        >>> import pearlite as pl
        >>> image = pl.microstructures.discs(1, (64, 64), number=9, fraction=0.3, seed=1)[0]
        >>> field = pl.microstructures.GaussianField.from_images(image)
        >>> labels = field.labels(2, seed=1, fractions=[0.75, 0.25])
        >>> labels.mean(axis=(1, 2))
        array([0.25, 0.25])
        """
        samples = self._numbered(count, seed, sample)
        number = _threads.count(threads)
        turns = cutting.Turns.of(arguments.check_fractions(fractions, self.means), self.shape)
        amplitudes = self._smoothed(arguments.check_smoothing(smoothing), turns.choosing)
        means = np.zeros(len(turns.choosing), np.float32)  # the same for all pixels of a field
        labels = np.empty((len(samples), math.prod(self.shape)), np.uint8)
        step = max(_AT_ONCE // (labels.shape[1] * len(turns.choosing)) // 2 * 2, 2)
        for start in range(samples.start // 2 * 2, samples.stop, step):
            part = range(max(start, samples.start), min(start + step, samples.stop))
            fields = _core.gaussian_fields(
                amplitudes, means, False, seed, part.start, len(part), number
            )
            places = slice(part.start - samples.start, part.stop - samples.start)
            labels[places] = turns.taken(fields, number)
        return labels.reshape(-1, *self.shape)

    def segment(
        self,
        fields: npt.ArrayLike,
        *,
        fractions: Sequence[float] | None = None,
        smoothing: float = 0.35,
        threads: int | None = None,
    ) -> Labels:
        """Turn continuous fields into phases.

        Each phase's field is smoothed by the central lobe of its autocovariance, scaled to a
        radius of so many mean chord lengths, and summed over 3 × 3 (× 3) pixels. In the order of
        ascending fractions each phase takes its number of pixels, the largest of its field that are
        free; the last one has the rest. Of equal pixels the first are taken.

        Parameters
        ----------
        fields : (count, C, *shape) array
            As `sample` returns them.
        fractions : (N,) floats, optional
            Fractions of the phases instead of the means.
        smoothing : float
            Radius of the smoothing in mean chord lengths; 0 leaves the sum over pixels alone.
        threads : int, optional
            Number of threads; all cores that this process may use if None.

        Returns
        -------
        labels : (count, *shape) uint8 array

        Notes
        -----
        The lobe is what lies around the zero shift, connected, above .3 of the variance and within
        .15 of the shortest side. Its radius is that of a disc or ball of its size, and at most .15
        of the shortest side too. The mean chord length is that along the axes, v / ⟨S(0) − S(e)⟩.
        """
        number = _threads.count(threads)
        values = arguments.fields(fields, self.channels, self.shape)
        turns = cutting.Turns.of(arguments.check_fractions(fractions, self.means), self.shape)
        multipliers = self._smoothing(arguments.check_smoothing(smoothing))
        axes = range(1, 1 + len(self.shape))
        labels = np.empty((len(values), *self.shape), np.uint8)
        for image, one in zip(labels, values, strict=True):
            every = np.concatenate([1 - one, one]) if self.phases == 2 else one
            spectrum = fft.rfftn(every[turns.choosing], axes=axes, workers=number)
            spectrum *= multipliers[turns.choosing]
            smooth = fft.irfftn(spectrum, s=self.shape, axes=axes, workers=number)
            image[...] = turns.taken(smooth[np.newaxis], number).reshape(self.shape)
        return labels

    def _numbered(self, count: int, seed: int, sample: int) -> range:
        """Check a batch and number its samples."""
        samples = check_batch(count, seed, sample, (self.channels, *self.shape))
        _arrays.check_integer("sample", sample, 0, _LAST_SAMPLE - len(samples))
        return samples

    def _all_phases(self) -> spectra.Numbers:
        """Factor (R, N, *half) of all phases, whose fields have the sum 1."""
        first = -self._factor.sum(axis=1, keepdims=True)
        return np.concatenate([first, self._factor], axis=1)

    def _smoothing(self, size: float = 0.35) -> Floats:
        """Multipliers (N, *half) of the smoothing of each phase, and the sum over pixels."""
        if size not in self._multipliers:
            spectrum = (np.abs(self._all_phases()) ** 2).sum(axis=0)  # (N, *half)
            covariance = fft.irfftn(spectrum, s=self.shape, axes=range(1, spectrum.ndim))
            box = cutting.box(self.shape)
            each = [
                cutting.smoothing(own, float(v), size) * box
                for own, v in zip(covariance, self.means, strict=True)
            ]
            self._multipliers = {size: np.stack(each).astype(np.float32)}
        return self._multipliers[size]

    def _smoothed(self, size: float, choosing: list[int]) -> Fields:
        """Amplitudes of the smoothed fields of some phases."""
        key = size, *choosing
        if key not in self._smooth:
            factor = self._all_phases()[:, choosing] * self._smoothing(size)[choosing]
            self._smooth = {key: self._grid(factor)}
        return self._smooth[key]

    def _grid(self, factor: spectra.Numbers) -> Fields:
        """Amplitudes (R, M, parts, n0, m, n), as the kernel takes them, of a factor."""
        shape = self.shape if len(self.shape) == 3 else (self.shape[0], 1, self.shape[1])
        whole = spectra.whole_grid(factor, self.shape) / math.sqrt(math.prod(self.shape))
        parts = [whole.real, whole.imag] if np.iscomplexobj(whole) else [whole]
        stacked = np.stack(parts, axis=2).astype(np.float32)
        return stacked.reshape(*factor.shape[:2], len(parts), *shape)
