"""A structure that has given statistics."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _threads
from pearlite._arrays import check_choice, check_integer, check_positive
from pearlite._errors import brief
from pearlite.correlation._kernel_target import check_phases
from pearlite.microstructures._draw import check_shape
from pearlite.reconstruction import _methods
from pearlite.reconstruction._chains import at_home
from pearlite.reconstruction._correlations import Correlations
from pearlite.reconstruction._methods import Images, Options
from pearlite.reconstruction._overlap import labels
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Progress, Watch, fingerprint


def match(
    target: ArrayLike | Sequence[ArrayLike] | Any,
    *,
    method: str = "auto",
    shape: Sequence[int] | None = None,
    seed: int,
    phases: int | None = None,
    evaluations: int | None = None,
    tolerance: float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Result:
    """Find a structure whose statistics are those given.

    Where the target is an image, this is registration: the statistics of *all* vectors determine an
    image up to a translation, and the search, which starts from noise, finds it again. That shows
    what statistics determine, and measures an optimizer; a claim of reconstruction from statistics
    needs a target that is one. For new structures with the statistics of images use `sample`.

    Parameters
    ----------
    target : image, sequence of images, Descriptor or Correlations
        Labels of phases or grey values, (n0, n1[, n2]); a list of such images, whose statistics are
        averaged; what `pearlite.correlation.descriptor` returns; or `Correlations`, which also
        reads what other packages give. "annealing" takes labels that are arrays of cupy, or
        tensors on a card, and runs there.
    method : str
        One of

        - ``"auto"``: "identity" for images, "descriptor" for a descriptor, "bispectrum" where all
          three-point correlations are given and "annealing" where only those of two points are.
          The result's `why` tells what was chosen and why.
        - ``"identity"``: the distance of all two- and three-point correlations, by Fourier
          transforms, see `pearlite.correlation.kernel_loss`. Images only.
        - ``"descriptor"``: a descriptor's two- and three-point correlations, centred.
        - ``"logistic"``: Seibert et al. (2021), as published.
        - ``"bispectrum"``: all three-point correlations, given as such.
        - ``"phases"``: the Fourier phases, marched from an exact bispectrum without iterations.
        - ``"annealing"``: Yeong and Torquato (1998), on all integer two-point counts.
    shape : sequence of int, optional
        Shape of the result, by default the target's; not every method can choose.
    seed : int
        Of the random start: the same seed gives the same result.
    phases : int, optional
        The number of phases of images, whose labels are 0 … phases − 1; by default each value that
        occurs is a phase.
    evaluations : int, optional
        The most evaluations of the loss; proposals for "annealing".
    tolerance : float, optional
        Relative loss at which a search ends that cannot be exact.
    threads : int, optional
        By default all the cores that this process may use.
    progress : callable, optional
        Called with a record of each step: `evaluation`, `loss`, `rounded_loss`, `wrong`, `seconds`
        as in `History`.
    checkpoint : path, optional
        Where to save the state every ten seconds and at the end (.npz).
    resume : path, optional
        A checkpoint of the same target, method, shape and seed to go on from.
    **options
        What one method alone takes.

    Returns
    -------
    Result
        With `image`, `history`, `exact`, `wrong_pixels`, `why` and ``report(path)``. Ctrl-C ends
        the search and returns the best so far, marked `interrupted`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    ``exact`` means that all integer two- and three-point counts agree. For an image that is so if
    and only if it is the target, translated: the search tests the rounded field, moved to where its
    correlation with the target is largest, pixel by pixel. Two-point counts alone are never taken
    for that: they also fit the point reflection, and often other images.

    For several images, whose average no image has in general, the result is a compromise between
    them and never exact.

    Sources: P. Seibert, M. Ambati, A. Raßloff and M. Kästner, Comput. Mater. Sci. 196, 110455
    (2021), for the problem.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.checkerboard((32, 32), tiles=4)
    >>> result = pl.reconstruction.match(image, seed=1)
    >>> result.exact, result.wrong_pixels, result.method
    (True, 0, 'identity')
    """
    seed = check_integer("seed", seed, 0, 2**64 - 1)
    with at_home(target) as (there, back):
        result = _matched(
            there,
            method,
            shape,
            seed,
            phases,
            evaluations,
            tolerance,
            threads,
            Watches(progress, checkpoint, resume),
            back is not None,
            options,
        )
        return result if back is None else replace(result, image=back(result.image))


class Watches(NamedTuple):
    """How a run is watched."""

    progress: Progress | None
    checkpoint: str | os.PathLike[str] | None
    resume: str | os.PathLike[str] | None


def _matched(
    target: Any, method: str, shape: Sequence[int] | None, seed: int, phases: int | None,
    evaluations: int | None, tolerance: float | None, threads: int | None, watches: Watches,
    card: bool, options: dict[str, Any],
) -> Result:  # fmt: skip
    """Return what `match` does, of a target that is on no card; with `card`, computed on one."""
    found, values = _target(target, phases)
    name, reason = _choose(method, found)
    if card and name not in _methods.ON_CARD:
        raise TypeError(
            f"target is on a card, where method={name!r} has no kernels; expected "
            f"method={_methods.ON_CARD[0]!r}, or a numpy array"
        )
    wanted = None if shape is None else check_shape(shape)
    settings = Options(
        evaluations=None if evaluations is None else check_integer("evaluations", evaluations, 1),
        tolerance=None if tolerance is None else check_positive("tolerance", tolerance),
        threads=_threads.count(threads),
        card=card,
        extra=options,
    )
    watch = Watch(*watches, _identity_of(name, found, wanted, seed, options))
    result = _methods.solver(name)(found, wanted, seed, settings, watch)
    why = f"{reason} {result.why}" if reason else result.why
    if values is None:
        return replace(result, why=why)
    references = [values[image] for image in result.references]
    return replace(result, why=why, image=values[result.image], references=references)


def _identity_of(
    method: str, target: Any, shape: tuple[int, ...] | None, seed: int, options: dict[str, Any]
) -> str:
    """Tell one run from another, for checkpoints."""
    parts: dict[str, Any] = {"shape": shape, "seed": seed, "options": sorted(options.items())}
    for name, value in vars(target).items() if hasattr(target, "__dict__") else ():
        for k, array in enumerate(value if isinstance(value, list | tuple) else [value]):
            parts[f"{name} {k}"] = array
    return fingerprint(method, parts)


def _target(target: Any, phases: int | None) -> tuple[Any, NDArray[np.uint8] | None]:
    """Return images as `Images` and the values of their labels; statistics as they are."""
    if isinstance(target, Correlations) or hasattr(target, "gram"):  # the latter: a Descriptor
        if phases is not None:
            raise ValueError(f"phases is {brief(phases)}; expected None for a target of statistics")
        return target, None
    several = isinstance(target, list | tuple) and all(isinstance(x, np.ndarray) for x in target)
    if several and not target:
        raise ValueError("target is empty; expected at least one image")
    images = [_image(image) for image in (target if several else [target])]
    for image in images[1:]:
        if image.shape != images[0].shape:
            raise ValueError(
                f"target has shapes {images[0].shape} and {image.shape}; expected one shape"
            )
    if all(int(image.min()) == int(image.max()) == int(images[0].flat[0]) for image in images):
        raise ValueError(
            f"target has one phase only, {int(images[0].flat[0])}; expected at least two"
        )
    if phases is not None:
        return Images(images, check_phases(phases, max(int(image.max()) for image in images))), None
    # Grey values such as 0 and 255 are two phases, not 256.
    values = np.unique(np.concatenate([image.ravel() for image in images]))
    numbered = [np.searchsorted(values, image).astype(np.uint8) for image in images]
    return Images(numbered, len(values)), values


def _image(value: Any) -> Any:
    array = _arrays.as_numpy("target", value)
    if array.dtype.kind == "f":
        raise TypeError(
            f"target has dtype {array.dtype}; expected labels (integers) for images, and for "
            "statistics what pearlite.reconstruction.Correlations makes of them"
        )
    return labels("target", array)


def _choose(method: str, target: Any) -> tuple[str, str]:
    """Return the method's name, and why it was chosen if it was not asked for."""
    check_choice("method", method, _methods.NAMES)
    if method == "identity" and not isinstance(target, Images):
        kind = type(target).__name__
        raise TypeError(f"target is a {kind}; expected images (integers) for method='identity'")
    if method != "auto":
        return method, ""
    if isinstance(target, Images):
        return "identity", "Chose 'identity', since images are given."
    if not isinstance(target, Correlations):
        if getattr(target, "form", "") == "logistic":
            return "logistic", "Chose 'logistic', the form of the descriptor."
        return "descriptor", "Chose 'descriptor', since one is given."
    if target.bispectrum is not None:
        return "bispectrum", "Chose 'bispectrum', since all three-point correlations are given."
    return "annealing", (
        "Chose 'annealing', since only two-point correlations are given: these do not determine a "
        "structure in general."
    )
