"""How `match` reaches its methods, and what these share.

A method is a function ``solve(target, shape, seed, options, watch) -> Result``:

- `target` is what `match` was given: `Images`, a `Descriptor`, or statistics;
- `shape` is the shape of the result, checked, or None for the target's own;
- it calls ``watch.record(...)`` as it goes, which keeps the history, shows progress and writes
  checkpoints, and returns ``watch.result(...)``, also after Ctrl-C (KeyboardInterrupt), which it
  catches with the best image so far at hand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

if TYPE_CHECKING:
    from pearlite.reconstruction._result import Result
    from pearlite.reconstruction._watch import Watch

# Where the `solve` of each method is.
HOMES: dict[str, tuple[str, str]] = {
    "identity": ("_identity", "solve"),
    "descriptor": ("_statistics", "solve_descriptor"),
    "logistic": ("_logistic", "solve_logistic"),
    "bispectrum": ("_bispectrum", "solve"),
    "phases": ("_phases", "solve"),
    "annealing": ("_annealing", "solve"),
}
ON_CARD = ("annealing",)  # those that have kernels there
# What `match(method=...)` takes.
NAMES = ("auto", *HOMES)


@dataclass(frozen=True)
class Images:
    """Images as a target: one, or several whose statistics are averaged.

    Attributes
    ----------
    labels : list of (n0, n1[, n2]) uint8, uint16 or int32 arrays
        Phases from 0, all images of one shape.
    phases : int
        Their number, at least 2.
    """

    labels: Sequence[NDArray[Any]]
    phases: int

    @property
    def shape(self) -> tuple[int, ...]:
        """That of each image."""
        return self.labels[0].shape


@dataclass(frozen=True)
class Options:
    """What may be asked of any method.

    Attributes
    ----------
    evaluations : int
        The most evaluations of the loss; proposals for "annealing".
    tolerance : float
        Relative loss at which a search ends that cannot be exact.
    threads : int
        Threads to use.
    card : bool
        Whether to compute on the current card.
    extra : mapping
        Keywords that one method alone knows; it refuses others by `refuse_unknown`.
    """

    evaluations: int | None = None
    tolerance: float | None = None
    threads: int = 1
    card: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


Solve: TypeAlias = "Callable[[Any, tuple[int, ...] | None, int, Options, Watch], Result]"


def refuse_unknown(method: str, options: Options, known: Sequence[str] = ()) -> None:
    """Raise on a keyword that the method does not know."""
    for name in options.extra:
        if name not in known:
            takes = ", ".join(known) or "none of its own"
            raise TypeError(f"{name} is no option of method={method!r}; it takes {takes}")


def solver(name: str) -> "Solve":
    """Return the function of a method."""
    module, function = HOMES[name]
    solve: Solve = getattr(import_module(f"pearlite.reconstruction.{module}"), function)
    return solve
