"""Gaussian fields with the means and two-point statistics of given microstructures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pearlite import _arrays
from pearlite._errors import brief
from pearlite.microstructures import _gaussian_arguments as arguments
from pearlite.microstructures import _gaussian_factor as factors
from pearlite.microstructures import _gaussian_spectrum as spectra
from pearlite.microstructures._draw import check_kind, check_number, check_shape
from pearlite.microstructures._gaussian_samples import Sampled


class GaussianField(Sampled):
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
        each = (
            spectra.image_factor(image, number)
            if periodic
            else spectra.windowed_factor(image, number, cell)
            for image in array
        )
        factor = factors.mean_factor(each, len(array))
        if periodic and cell != own:
            covariance = factors.covariance(spectra.factor_spectrum(factor), own)
            covariance = spectra.embedded(covariance, True, cell)
            spectrum = spectra.covariance_spectrum(covariance, len(cell))
            factor = factors.factorize("labels", spectrum, cell, True, 1e-11)[0]
        return cls(factor, np.array(total) / array.size, cell)

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
        if not abs(weight) <= 1e6:
            raise ValueError(f"t is {brief(t)}; expected a number, mostly from 0 to 1")
        project = _arrays.flag("project", project)
        if a.shape != b.shape or a.phases != b.phases:
            raise ValueError(
                f"b has shape {b.shape} and {b.phases} phases; expected {a.shape} and {a.phases} "
                "as a has"
            )
        means = (1 - weight) * a.means + weight * b.means
        if not (means >= -1e-12).all():
            raise ValueError(f"t is {t}; expected one with fractions >= 0, got {brief(means)}")
        means = np.maximum(means, 0)
        if 0 <= weight <= 1:
            both = [math.sqrt(1 - weight) * a._factor, math.sqrt(weight) * b._factor]
            return cls(factors.mean_factor([np.concatenate(both)], 1), means, a.shape)
        first, second = (spectra.factor_spectrum(f._factor) for f in (a, b))
        spectrum = (1 - weight) * first + weight * second
        factor, change = factors.factorize("t", spectrum, a.shape, project, 1e-11)
        return cls(factor, means, a.shape, change)
