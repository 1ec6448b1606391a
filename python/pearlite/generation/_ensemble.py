"""What `generate` returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pearlite.generation._comparison import Comparison

Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class History:
    """How the sampling went: arrays of one length, an entry for each evaluation of the network.

    Attributes
    ----------
    sigma : (K,) float64 array
        Noise level.
    deviation : (K,) float64 array
        Largest deviation of a volume fraction from the one asked for, the root mean square over
        the images: of the segmented image after the step, or with the fast method of the denoised
        one before it is shifted.
    seconds : float
        How long it all took.
    """

    sigma: Doubles
    deviation: Doubles
    seconds: float

    def __len__(self) -> int:
        return len(self.sigma)


@dataclass(frozen=True)
class Ensemble:
    """Generated microstructures, and how they came about.

    Attributes
    ----------
    images : (n, *shape) uint8 array
        Labels of phases, from 0; each image is periodic.
    fields : (n, *shape) uint8 array or None
        The Gaussian fields that they started from, as labels; None where they started from noise.
    history : History
        Noise levels and volume fractions along the way.
    fractions : (P,) float64 array
        Volume fractions that were asked for.
    method : str
        ``"fast"`` or ``"annealed"``.
    seed : int
        The seed.
    model : str
        Name of the model.
    conditioned : bool
        Whether the volume fractions were a condition.
    interrupted : bool
        Whether Ctrl-C ended it; then the images are those that were done.
    references : tuple of arrays
        Images whose statistics were asked for; empty where there were statistics only.
    periodic : bool
        Whether the correlations of the references were taken as if they repeated.
    """

    images: Labels
    fields: Labels | None
    history: History
    fractions: Doubles
    method: str
    seed: int
    model: str
    conditioned: bool = True
    interrupted: bool = False
    references: Sequence[Labels] = ()
    periodic: bool = True

    def __len__(self) -> int:
        return len(self.images)

    @property
    def phases(self) -> int:
        """Number of phases P."""
        return len(self.fractions)

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of an image along each axis."""
        return self.images.shape[1:]

    def comparison(self, *, images: int = 200, threads: int | None = None) -> Comparison:
        """Measure the images, and the fields that they started from, beside the references.

        Parameters
        ----------
        images : int
            How many of them at most.
        threads : int, optional
            By default all cores that this process may use.

        Returns
        -------
        Comparison
            Its ensembles are ``"generated"`` and, where there are fields, ``"Gaussian field"``.

        Raises
        ------
        ValueError
            If there is no reference image.
        """
        from pearlite.generation import _comparison

        return _comparison.of(self, images, threads)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page.

        It compares the ensemble with the reference: volume fractions, slices of two-point
        correlations, chord lengths, principal components of three-point correlations.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``.
        """
        from pearlite.generation._page import write

        write(self, path)

    def save(
        self, path: str | os.PathLike[str], *, spacing: float | Sequence[float] | None = None
    ) -> list[Path]:
        """Write the images in the format of the file's ending.

        Parameters
        ----------
        path : str or path
            - `.npy`: the array (n, *shape).
            - `.h5`, `.hdf5`: the datasets `images` and `fields`, compressed, with the seed and all
              else that is known as attributes.
            - `.tif`, `.tiff`: a stack, a page for each image (or each plane of a volume).
            - `.png`, `.vti`: one image; of several, a file for each, `name_0000.png` and so on.
              Greys of PNG are spread from 0 to 255.
        spacing : float or sequence of floats, optional
            Size of a pixel, or its sizes along the axes; by default an image is the unit cell.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        FileError
            If the ending is unknown or a file cannot be written.
        """
        from pearlite.generation._saving import save

        return save(self, path, spacing)

    def about(self) -> dict[str, Any]:
        """Return what is known of the ensemble but its images, by name."""
        return {
            "method": self.method,
            "evaluations": len(self.history),
            "seed": self.seed,
            "model": self.model,
            "volume_fractions": self.fractions.tolist(),
            "conditioned": self.conditioned,
            "from_field": self.fields is not None,
            "interrupted": self.interrupted,
            "seconds": self.history.seconds,
        }
