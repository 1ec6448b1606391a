"""Whether a trained network is any good: statistics of its patches against those it has seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite._arrays import check_integer
from pearlite.correlation import two_point
from pearlite.generation import _patches
from pearlite.generation._engine import Engine
from pearlite.generation._model import Model
from pearlite.statistics import (
    ChordLengths,
    chord_lengths,
    principal_components,
    total_variation,
)

Doubles = NDArray[np.float64]
Score = Callable[[NDArray[np.float32], float], NDArray[np.float32]]

_COMPONENTS = 50  # of patch statistics, as in the paper
_COMPARED = 5  # of them are compared one by one
_MOST_FRACTION = 0.02  # what still is the same: of fractions …
_MOST_CHORDS = 0.1  # … of chord lengths, beyond the natural scatter …
_MOST_COMPONENTS = 0.2  # … and of components
_MOST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Acceptance:
    """Unconditional samples of a network beside the patches that it was trained on.

    Every difference stands beside the natural one: that of as many other patches of the training.

    Attributes
    ----------
    count : int
        Samples, and patches.
    fractions, fractions_reference : (N,) float64 arrays
        Mean volume fraction of each phase.
    fractions_std, fractions_std_reference : (N,) float64 arrays
        Their standard deviation from patch to patch.
    chords, chords_reference : (N,) float64 arrays
        Mean chord length along axis 1, in pixels; chords that the border cuts are left out.
    chords_variation, chords_natural : (N,) float64 arrays
        Total variation distance of the distributions of chord lengths: 0 equal, 1 disjoint.
    components, components_natural : (K,) float64 arrays
        Largest difference of the cumulative distributions (Kolmogorov–Smirnov) of the first
        principal components of the patches' two-point statistics, in the basis of the training.
    """

    count: int
    fractions: Doubles
    fractions_reference: Doubles
    fractions_std: Doubles
    fractions_std_reference: Doubles
    chords: Doubles
    chords_reference: Doubles
    chords_variation: Doubles
    chords_natural: Doubles
    components: Doubles
    components_natural: Doubles

    @property
    def accepted(self) -> bool:
        """Whether all agree.

        That is: fractions to .02; chord lengths to .1 in total variation, and components to .2 in
        the mean, both beyond the natural difference.
        """
        apart = np.abs(self.fractions - self.fractions_reference).max()
        chords = (self.chords_variation - self.chords_natural).max()
        components = self.components.mean() - self.components_natural.mean()
        return bool(
            apart <= _MOST_FRACTION and chords <= _MOST_CHORDS and components <= _MOST_COMPONENTS
        )


def accept(
    model: Model,
    reference: ArrayLike,
    *,
    count: int = 64,
    domain: int = 3,
    evaluations: int = 100,
    seed: int = 0,
    threads: int | None = None,
) -> Acceptance:
    """Compare unconditional samples of a model with the patches of its reference.

    Images of a few patches' size are drawn and cut. The measures are those of the paper [1]_
    (Section 4.3): volume fractions, chord lengths along one axis, and principal components of the
    patches' non-periodic two-point statistics up to half a patch, in a basis of the training
    patches alone.

    Parameters
    ----------
    model : Model
    reference : (n0, n1) or (m, n0, n1) integers or booleans
        What it was trained on.
    count : int
        Number of patches of samples.
    domain : int
        Side of the samples, in patches; 1 are samples of the size of a patch, as in the paper. A
        network is used on larger images, where its means settle: a single patch, which it has to
        begin from noise without neighbours, at times stays empty after a short training.
    evaluations : int
        Of the network for each sample; see `sample_unconditionally`.
    seed : int
        Seed of the samples.
    threads : int, optional
        By default all cores that this process may use.

    Returns
    -------
    acceptance : Acceptance

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning, or reference has another number of phases than the model.

    References
    ----------
    .. [1] A. E. Robertson et al., "Local–global decompositions for conditional microstructure
       generation", Acta Materialia (2023).

    Examples
    --------
    A network that has learned nothing:

    >>> import pearlite as pl
    >>> image = pl.microstructures.discs(1, (96, 96), number=16, fraction=0.3, seed=1)[0]
    >>> model = pl.generation.Model.random(phases=2, channels=8, levels=1)
    >>> pl.generation.accept(model, image, count=4, domain=1, evaluations=4).accepted
    False
    """
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}; expected a Model")
    count = check_integer("count", count, 4)
    domain = check_integer("domain", domain, 1, 64)
    check_integer("evaluations", evaluations, 2)
    seed = check_integer("seed", seed, 0, _MOST_SEED)
    images = _patches.reference_images(reference)
    phases = int(images.max()) + 1
    if phases != model.phases:
        raise ValueError(f"reference has {phases} phases; expected the model's {model.phases}")
    known, other = training_patches(model, images, count, seed)
    side = domain * model.patch
    shape = (math.ceil(count / domain**2), model.inputs, side, side)
    mean = _patches.indicators(images, phases).mean(axis=(0, 2, 3))
    score = Engine(model, threads).score
    found = sample_unconditionally(
        model, shape, score, mean=mean, evaluations=evaluations, seed=seed
    )
    return compare(tiles(segment(found), model.patch)[:count], known, other, phases)


def tiles(images: _patches.Labels, side: int) -> _patches.Labels:
    """Cut images (batch, k·side, k·side) into (batch·k², side, side)."""
    blocks = images.reshape(len(images), images.shape[1] // side, side, -1, side)
    found: _patches.Labels = blocks.swapaxes(2, 3).reshape(-1, side, side)
    return found


def training_patches(
    model: Model, images: _patches.Labels, count: int, seed: int
) -> tuple[_patches.Labels, _patches.Labels]:
    """Cut twice so many patches from the part of the images that is for training."""
    shape = (images.shape[1], images.shape[2])
    share = model.training.get("schedule", {}).get("validation", 0.15)
    split = _patches.split_regions(shape, model.patch, share, int(model.training.get("seed", 0)))
    corners = split.corners("training", 2 * count, len(images), shape, model.patch, seed)
    patches = _patches.cut(images, corners, model.patch)
    return patches[::2], patches[1::2]


def sample_unconditionally(
    model: Model,
    shape: tuple[int, ...],
    score: Score,
    *,
    mean: NDArray[np.float32],
    evaluations: int,
    seed: int,
) -> NDArray[np.float32]:
    r"""Draw images (batch, inputs, n0, n1) from noise, through geometric levels.

    The steps of ancestral sampling [1]_ (Appendix F) are exact for any distance of the levels while
    the denoised image x + σ² s is known:

    .. math:: x_{i+1} = x_i + (σ_i^2 - σ_{i+1}^2) s
        + σ_{i+1} \sqrt{1 - σ_{i+1}^2 / σ_i^2} z .

    The first is noise about the mean (inputs,) of all images, which at σ_max is all there is to
    know: noise about 0 would have too little of every phase, since a sum over so many pixels shows
    the mean even below that noise.

    References
    ----------
    .. [1] Y. Song et al., "Score-based generative modeling through stochastic differential
       equations", ICLR 2021.
    """
    random = _patches.generator(seed, "samples")
    sigmas = np.geomspace(model.sigma_max, model.sigma_min, evaluations)
    image = np.float32(sigmas[0]) * random.standard_normal(shape, np.float32)
    image += mean[:, None, None]
    for sigma, after in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        image += np.float32(sigma**2 - after**2) * score(image, float(sigma))
        if after > 0:
            spread = after * np.sqrt(1 - after**2 / sigma**2)
            image += np.float32(spread) * random.standard_normal(shape, np.float32)
    return image


def segment(images: NDArray[np.float32]) -> _patches.Labels:
    """Return labels (batch, n0, n1) of images (batch, inputs, n0, n1)."""
    if images.shape[1] == 1:
        return (images[:, 0] > 0.5).astype(np.uint8)
    labels: _patches.Labels = images.argmax(axis=1).astype(np.uint8)
    return labels


def compare(
    samples: _patches.Labels, known: _patches.Labels, other: _patches.Labels, phases: int
) -> Acceptance:
    """Compare samples (count, n, n) with known patches, and these with as many others."""
    shares = [_fractions(labels, phases) for labels in (samples, known)]
    lengths = [_chords(labels, phases) for labels in (samples, known, other)]
    scores = _scores([samples, known, other], phases)
    return Acceptance(
        count=len(samples),
        fractions=shares[0].mean(axis=0),
        fractions_reference=shares[1].mean(axis=0),
        fractions_std=shares[0].std(axis=0),
        fractions_std_reference=shares[1].std(axis=0),
        chords=lengths[0].mean[:, 0],
        chords_reference=lengths[1].mean[:, 0],
        chords_variation=total_variation(lengths[0], lengths[1])[:, 0],
        chords_natural=total_variation(lengths[2], lengths[1])[:, 0],
        components=_kolmogorov_smirnov(scores[0], scores[1]),
        components_natural=_kolmogorov_smirnov(scores[2], scores[1]),
    )


def _fractions(labels: _patches.Labels, phases: int) -> Doubles:
    """Return the fractions (count, N) of each image."""
    return np.stack([(labels == phase).mean(axis=(1, 2)) for phase in range(phases)], axis=1)


def _chords(labels: _patches.Labels, phases: int) -> ChordLengths:
    """Return the chords along axis 1 of all images together."""
    found = chord_lengths(labels, phases=range(phases), directions=[[0, 1]], periodic=False)
    return found.pooled()


def _scores(groups: list[_patches.Labels], phases: int) -> list[Doubles]:
    """Return the components (count, K) of patch statistics in the basis of the second group."""
    maps = [_patch_statistics(labels, phases) for labels in groups]
    basis = principal_components(maps[1], count=min(_COMPONENTS, len(maps[1]) - 1))
    return [basis.transform(values)[:, :_COMPARED] for values in maps]


def _patch_statistics(labels: _patches.Labels, phases: int) -> Doubles:
    """Return non-periodic autocorrelations (count, phases, ·, ·) of shifts up to half a patch.

    One of two phases says it all.
    """
    side = labels.shape[-1]
    window = slice(side - 1 - side // 2, side + side // 2)  # the zero shift is at side − 1
    which = [1] if phases == 2 else range(phases)
    maps = [two_point((labels == phase).astype(np.float64), periodic=False) for phase in which]
    found: Doubles = np.stack(maps, axis=1)[..., window, window]
    return found


def _kolmogorov_smirnov(first: Doubles, second: Doubles) -> Doubles:
    """Return the largest difference of two cumulative distributions for each column (n, K)."""
    found = np.empty(first.shape[1])
    for k, (a, b) in enumerate(zip(first.T, second.T, strict=True)):
        places = np.concatenate([a, b])
        below = [np.searchsorted(np.sort(x), places, "right") / len(x) for x in (a, b)]
        found[k] = np.abs(below[0] - below[1]).max()
    return found
