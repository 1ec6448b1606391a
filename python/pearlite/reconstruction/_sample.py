"""New structures with the statistics of references."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _threads
from pearlite._arrays import check_between, check_integer
from pearlite.reconstruction import _sample_comparison, _sample_references
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._sample_levels import Descent, Levels
from pearlite.reconstruction._sample_references import Given, Labels, References
from pearlite.reconstruction._sample_rounding import Exchanges, Refinement, rounded
from pearlite.reconstruction._watch import Progress, Watch, fingerprint


def sample(
    references: Given,
    *,
    shape: Sequence[int] | None = None,
    seed: int,
    effort: float = 1.0,
    threads: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Result:
    """Make a new periodic structure with the statistics of references, a copy of none.

    Parameters
    ----------
    references : image, sequence of images, or mapping
        Labels of phases, integers from 0 to 255 or booleans: an image (n0, n1[, n2]), or a list of
        images with the same number of axes, whose sizes may differ. For a structure of three axes
        also images of two: sections that stand for planes normal to each axis, or a mapping
        ``{0: …, 1: …, 2: …}`` from the axis to the image, or images, of planes normal to it, whose
        axes are the other two in their order. References are not taken as periodic. They have at
        least 16 pixels along each axis.
    shape : sequence of int, optional
        Shape of the result, of any size from 16 pixels on; by default that of the first reference.
    seed : int
        The same seed gives the same structure, whatever the threads.
    effort : float
        Factor, from 0.1 to 100, of the steps and of the exchanges: more of them make thin and
        connected features better.
    threads : int, optional
        By default all the cores that this process may use.
    progress : callable, optional
        Called with a record of each piece of work: `evaluation`, `loss`, `rounded_loss`, `wrong`
        and `seconds` as in `History`, see the notes.
    checkpoint : path, optional
        Where to save the state every ten seconds and at the end (.npz).
    resume : path, optional
        A checkpoint of the same references, shape, seed and effort to go on from.

    Returns
    -------
    Result
        `image` holds the labels of the references, each phase with the pixels that its share of
        the references makes, to the nearest whole number. ``details["comparison"]`` is a
        `Comparison` with the references, ``report(path)`` tells how far it is from a copy. Ctrl-C
        returns the best so far, marked `interrupted`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    match : a structure that has the statistics of a target themselves.
    pearlite.statistics.compare : errors of statistics.
    pearlite.statistics.natural_scatter : what to compare them with.

    Notes
    -----
    1. *Patches.* From noise, on grids from coarse to fine, a field approaches the distribution of
       the references' patches of 7 × 7 pixels in the sliced Wasserstein distance: for random
       filters w with values f, patches move by w (T(f) − f), T the monotone map between both
       distributions of f. In three dimensions patches lie in planes normal to each axis in turn.
    2. *Rounding* to the exact number of pixels of each phase.
    3. *Exchanges* of labels at interfaces, each accepted if it lowers the energy: the squared error
       of two-point correlations within 31 pixels along each axis, and those of the numbers of
       chords of every length along the axes and of all patterns of 3 × 3 pixels, 1, 2 and 4 apart.

    In `history`, `loss` is the root mean square of T(f) − f, and `rounded_loss` the energy, in
    units in which the natural scatter of S2 is 1. A record stands for 60 steps of the first, or a
    round of exchanges.

    No image is ever laid upon the result: all that is used of the references are distributions.

    Sources: J. Rabin, G. Peyré, J. Delon and M. Bernot, SSVM 2011, LNCS 6667, 435, for the sliced
    distance; A. Elnekave and Y. Weiss, ECCV 2022, for its use on patches from coarse to fine;
    C. L. Y. Yeong and S. Torquato, Phys. Rev. E 57, 495 (1998), for exchanges.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.thresholded_noise(1, (64, 64), length=2, seed=1)[0]
    >>> result = pl.reconstruction.sample(image, shape=(96, 96), seed=0)
    >>> result.image.shape, float(result.image.mean())
    ((96, 96), 0.5)
    """
    seed = check_integer("seed", seed, 0, 2**64 - 1)
    count = _threads.count(threads)
    given = _sample_references.check(references, shape)
    factor = check_between("effort", effort, 0.1, 100)
    identity = fingerprint("sample", given.digest() | {"seed": seed, "effort": factor})
    watch = Watch(progress, checkpoint, resume, identity)
    return _Run(given, seed, factor, count, watch).run()


class _Run:
    """One call of `sample`: where it is, and how it ends."""

    def __init__(
        self, references: References, seed: int, effort: float, threads: int, watch: Watch
    ) -> None:
        self._references, self._seed, self._watch = references, seed, watch
        self._levels = Levels(references, seed, threads, effort)
        self._refinement = Refinement(references, seed, effort)
        self._descent: Descent | None = None
        self._exchanges: Exchanges | None = None
        self._records = 0
        self._restore(watch.resumed())

    def run(self) -> Result:
        """Do what is left, and return the result."""
        interrupted = False
        try:
            if self._exchanges is None:
                if self._descent is None:
                    self._descent = self._levels.start()
                self._descent = self._levels.descend(self._descent, self._descended)
                self._exchanges = Exchanges(self._rounded(self._descent))
            self._refinement.refine(self._exchanges, self._exchanged)
        except KeyboardInterrupt:
            interrupted = True
        return self._result(interrupted)

    def _rounded(self, descent: Descent) -> Labels:
        return rounded(self._levels.finest(descent), self._refinement.counts)

    def _descended(self, state: Descent) -> None:
        self._descent = state
        self._records += 1
        self._watch.record(self._records, state.error)
        if self._watch.due:
            self._save()

    def _exchanged(self, state: Exchanges) -> None:
        self._records += 1
        error = self._descent.error if self._descent is not None else np.nan
        self._watch.record(self._records, error, state.energy)
        if self._watch.due or state.done == self._refinement.rounds:
            self._save()

    def _save(self) -> None:
        state: dict[str, Any] = {"records": self._records}
        for part in (self._descent, self._exchanges):
            if part is not None:
                kind = type(part).__name__
                state |= {f"{kind}_{name}": value for name, value in vars(part).items()}
        self._watch.save(**state)

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        if not state:
            return
        self._records = int(state["records"])
        self._descent = Descent(
            int(state["Descent_level"]), int(state["Descent_done"]), state["Descent_field"],
            state["Descent_velocity"], float(state["Descent_error"]),
        )  # fmt: skip
        if "Exchanges_labels" in state:
            self._exchanges = Exchanges(
                state["Exchanges_labels"], int(state["Exchanges_done"]),
                float(state["Exchanges_energy"]),
            )  # fmt: skip

    def _result(self, interrupted: bool) -> Result:
        if self._exchanges is not None:
            labels = self._exchanges.labels
        else:
            labels = self._rounded(self._descent or self._levels.start())
        references = self._references
        comparison = _sample_comparison.between(labels, self._refinement.wanted)
        values = references.values
        state = "Ended by Ctrl-C" if interrupted else "Done"
        return self._watch.result(
            values[labels].astype(values.dtype),
            "sample",
            f"{state}; {_summary(comparison)}.",
            self._seed,
            interrupted=interrupted,
            references=[values[image].astype(values.dtype) for image in references.images],
            details={"comparison": comparison},
        )


def _summary(found: _sample_comparison.Comparison) -> str:
    """Say how near the statistics are."""
    chords = ", ".join(
        f"{error:.3f} ({natural:.3f})"
        for error, natural in zip(found.chord_error, found.chord_natural, strict=True)
    )
    return (
        f"S2 differs by {found.s2_error:.2g} in the root mean square (between halves of the "
        f"references by {found.s2_natural:.2g}), chord lengths of each phase by a total variation "
        f"of {chords}"
    )
