"""Minimization within bounds: projected L-BFGS.

The inverse Hessian is that of L-BFGS, restricted to the unknowns that no bound holds, which is a
descent direction (D. P. Bertsekas, SIAM J. Control Optim. 20, 221 (1982)); steps are bent along
the bounds, and shortened until the loss falls enough (Armijo). The two loops of L-BFGS (J. Nocedal,
Math. Comp. 35, 773 (1980)) run on inner products, so that an iteration passes over its memory
twice: to form these, and for the direction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite import _core

Array: TypeAlias = NDArray[Any]
# x -> loss, gradient; the gradient may be a buffer that the next call overwrites.
Function: TypeAlias = Callable[[Array], tuple[float, Array]]
# Of all unknowns, or of each.
Bound: TypeAlias = float | Array
# (evaluations, loss, x) -> whether to stop, after each step.
Watch: TypeAlias = Callable[[int, float, Array], bool]

_SUFFICIENT = 1e-4  # of the decrease that the slope promises
_SHORTENINGS = 12
_CURVATURE = 1e-10  # of y · y, that s · y must exceed


@dataclass
class Minimum:
    """What `minimize` found.

    Attributes
    ----------
    x : array, as the start
        The unknowns of the least loss.
    loss : float
        Their loss.
    evaluations : int
        Calls of the function.
    why : str
        "tolerance", "stopped" (by the watch), "stalled", "evaluations" or "interrupted" (Ctrl-C).
    """

    x: Array
    loss: float
    evaluations: int
    why: str


def minimize(
    function: Function,
    start: Array,  # (...) float32 or float64, which everything is then done in
    *,
    lower: Bound = 0.0,
    upper: Bound = 1.0,
    memory: int = 8,
    evaluations: int = 2000,
    tolerance: float = -np.inf,
    first_step: float = 0.25,
    watch: Watch | None = None,
    threads: int = 1,
) -> Minimum:
    """Minimize a function within bounds.

    Parameters
    ----------
    function : callable
        ``function(x)`` returns the loss, a float, and its gradient, an array like x.
    start : (...) array, float32 or float64
        Where to start; clipped to the bounds.
    lower, upper : float or (...) array
        Bounds of all unknowns, or of each.
    memory : int
        Pairs of steps and changes of the gradient that are kept.
    evaluations : int
        The most calls of the function.
    tolerance : float
        Done once the loss is at most this; by default it goes on until it stalls.
    first_step : float
        The largest change of an unknown in the first step.
    watch : callable, optional
        ``watch(evaluations, loss, x)``, called after each step; ends the search by returning True.
    threads : int
        Threads for the vectors; the result does not depend on them.

    Returns
    -------
    Minimum
        Also after Ctrl-C, with ``why="interrupted"``.
    """
    x = np.ascontiguousarray(np.clip(start, lower, upper), dtype=start.dtype)
    lower, upper = (_like(x, bound) for bound in (lower, upper))
    state = Minimum(x, np.inf, 0, "evaluations")
    search = _Search(function, state, lower, upper, memory, threads)
    try:
        search.run(evaluations, tolerance, first_step, watch)
    except KeyboardInterrupt:
        state.why = "interrupted"
    state.x = state.x.reshape(start.shape)
    return state


def _like(x: Array, bound: Bound) -> Bound:
    """Return one number, or an array as the kernel takes it."""
    if np.ndim(bound) == 0:
        return float(bound)
    return np.ascontiguousarray(np.broadcast_to(bound, x.shape), dtype=x.dtype)


class _Search:
    """Steps until something ends it; `state` always holds the best so far."""

    def __init__(
        self,
        function: Function,
        state: Minimum,
        lower: Bound,
        upper: Bound,
        memory: int,
        threads: int,
    ) -> None:
        self.function, self.state, self.threads = function, state, threads
        self.lower, self.upper = lower, upper
        self.memory = _Memory(memory, state.x)
        self.gradient = np.empty_like(state.x)
        self.direction = np.empty_like(state.x)

    def run(
        self, evaluations: int, tolerance: float, first_step: float, watch: Watch | None
    ) -> None:
        """Minimize; see `minimize`."""
        state = self.state
        loss, gradient = self.function(state.x)
        state.loss, state.evaluations = loss, 1
        before: tuple[Array, Array] | None = None  # x and gradient of the step before
        while True:
            if state.loss <= tolerance:
                state.why = "tolerance"
                return
            if watch is not None and watch(state.evaluations, state.loss, state.x):
                state.why = "stopped"
                return
            self.gradient, spare = _kept(gradient, self.gradient, before)
            found = self._step(before, first_step, evaluations)
            if found is None:
                return
            before = state.x, self.gradient
            self.gradient = spare
            state.x, state.loss, gradient = found

    def _step(
        self, before: tuple[Array, Array] | None, first_step: float, evaluations: int
    ) -> tuple[Array, float, Array] | None:
        """Take a step: -> x, loss, gradient; or None, and why in the state."""
        state = self.state
        largest = self.memory.update(state.x, self.gradient, before, self.lower, self.upper,
                                     self.threads)  # fmt: skip
        while state.evaluations < evaluations:
            if largest == 0:
                break
            x = np.empty_like(state.x)
            steep = -first_step / largest
            slope, promised = self.memory.step(
                state.x,
                self.gradient,
                steep,
                self.lower,
                self.upper,
                self.direction,
                x,
                self.threads,
            )
            if slope < 0:
                found = self._shorten(x, promised, evaluations)
                if found is not None:
                    return found
            if not self.memory.order:
                break
            self.memory.order.clear()  # start afresh along the gradient
        state.why = "evaluations" if state.evaluations >= evaluations else "stalled"
        return None

    def _shorten(
        self, x: Array, promised: float, evaluations: int
    ) -> tuple[Array, float, Array] | None:
        """Shorten the step to x until the loss falls enough; None if it never does."""
        state, kind, length = self.state, x.dtype.type, 1.0
        for _ in range(_SHORTENINGS):
            if promised >= 0 or state.evaluations >= evaluations:
                return None
            loss, gradient = self.function(x)
            state.evaluations += 1
            if loss <= state.loss + _SUFFICIENT * promised:
                return x, loss, gradient
            # The parabola through both losses and the slope.
            bend = 2 * (loss - state.loss - promised)
            length *= min(0.5, max(0.1, -promised / bend)) if np.isfinite(bend) else 0.1
            np.multiply(self.direction, kind(length), out=x)
            x += state.x
            np.clip(x, self.lower, self.upper, out=x)
            promised = float(np.vdot(self.gradient, x - state.x))
        return None


def _kept(gradient: Array, own: Array, before: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """Copy a gradient, whose array the function may use again, into one of two that take turns."""
    np.copyto(own, gradient.reshape(own.shape))
    return own, np.empty_like(own) if before is None else before[1]


class _Memory:
    """The latest steps s and changes y of the gradient, and their inner products."""

    def __init__(self, pairs: int, x: Array) -> None:
        # One slot is free for the next pair, which may be refused.
        self._steps = np.empty((pairs + 1, x.size), x.dtype)
        self._changes = np.empty((pairs + 1, x.size), x.dtype)
        self._steps_changes = np.zeros((pairs + 1, pairs + 1))  # s_i · y_j
        self._changes_changes = np.zeros((pairs + 1, pairs + 1))  # y_i · y_j
        self._steps_gradient = np.zeros(pairs + 1)
        self._changes_gradient = np.zeros(pairs + 1)
        self.order: list[int] = []  # slots, from the oldest pair

    def update(
        self,
        x: Array,
        gradient: Array,
        before: tuple[Array, Array] | None,
        lower: Bound,
        upper: Bound,
        threads: int,
    ) -> float:
        """Take in a step and the free gradient; return the largest of that.

        A pair is kept only if the curvature along it is positive.
        """
        order, pairs = self.order, len(self._steps) - 1
        slot = next(k for k in range(pairs + 1) if k not in order)
        old_x, old_gradient = before or (None, None)
        candidates = [*order, slot] if before else order
        largest, sy, yy, steps_g, changes_g, steps_y, changes_y, changes_s = _core.lbfgs_products(
            x, gradient, old_x, old_gradient, self._steps, self._changes, slot, candidates, lower,
            upper, threads,
        )  # fmt: skip
        self._steps_gradient[candidates] = steps_g
        self._changes_gradient[candidates] = changes_g
        if before and sy > _CURVATURE * yy:
            self._steps_changes[candidates, slot] = steps_y
            self._steps_changes[slot, candidates] = changes_s
            self._changes_changes[candidates, slot] = changes_y
            self._changes_changes[slot, candidates] = changes_y
            order.append(slot)
            del order[:-pairs]
        return largest

    def step(
        self,
        x: Array,
        gradient: Array,
        steep: float,
        lower: Bound,
        upper: Bound,
        direction: Array,
        point: Array,
        threads: int,
    ) -> tuple[float, float]:
        """Write −H g, or `steep` g without memory, and where it leads; return both slopes."""
        of_steps, of_changes, scale = self._coefficients() if self.order else ([], [], steep)
        return _core.lbfgs_step(
            x, gradient, self._steps, self._changes, self.order, of_steps, of_changes, scale, lower,
            upper, direction, point, threads,
        )  # fmt: skip

    def _coefficients(self) -> tuple[list[float], list[float], float]:
        """Return the factors of s_i, of y_i and of g in −H g: the two loops."""
        sy, yy, order = self._steps_changes, self._changes_changes, self.order
        alpha, added = np.zeros(len(sy)), np.zeros(len(sy))
        for i in reversed(order):
            alpha[i] = (self._steps_gradient[i] - alpha @ sy[i]) / sy[i, i]
        newest = order[-1]
        scale = float(sy[newest, newest] / yy[newest, newest])
        for i in order:
            y_r = scale * (self._changes_gradient[i] - alpha @ yy[i]) + added @ sy[:, i]
            added[i] = alpha[i] - y_r / sy[i, i]
        return (-added[order]).tolist(), (scale * alpha[order]).tolist(), -scale
