"""Minimization within bounds: projected L-BFGS.

The inverse Hessian is that of L-BFGS, restricted to the unknowns that no bound holds, which is a
descent direction (D. P. Bertsekas, SIAM J. Control Optim. 20, 221 (1982)); steps are bent along
the bounds, and shortened until the loss falls enough (Armijo). The two loops of L-BFGS (J. Nocedal,
Math. Comp. 35, 773 (1980)) run on inner products, so that an iteration passes over its memory only
to form these and the direction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
# x -> loss, gradient; the gradient may be a buffer that the next call overwrites.
Function: TypeAlias = Callable[[Array], tuple[float, Array]]
# (evaluations, loss, x) -> whether to stop, after each step.
Watch: TypeAlias = Callable[[int, float, Array], bool]

_SUFFICIENT = 1e-4  # of the decrease that the slope promises
_SHORTENINGS = 12


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
    lower: float = 0.0,
    upper: float = 1.0,
    memory: int = 8,
    evaluations: int = 2000,
    tolerance: float = -np.inf,
    first_step: float = 0.25,
    watch: Watch | None = None,
) -> Minimum:
    """Minimize a function within bounds.

    Parameters
    ----------
    function : callable
        ``function(x)`` returns the loss, a float, and its gradient, an array like x.
    start : (...) array, float32 or float64
        Where to start; clipped to the bounds.
    lower, upper : float
        Bounds of every unknown.
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

    Returns
    -------
    Minimum
        Also after Ctrl-C, with ``why="interrupted"``.
    """
    state = Minimum(np.clip(start, lower, upper), np.inf, 0, "evaluations")
    try:
        _descend(function, state, lower, upper, _Memory(memory, state.x), evaluations, tolerance,
                 first_step, watch)  # fmt: skip
    except KeyboardInterrupt:
        state.why = "interrupted"
    return state


def _descend(
    function: Function,
    state: Minimum,
    lower: float,
    upper: float,
    memory: "_Memory",
    evaluations: int,
    tolerance: float,
    first_step: float,
    watch: Watch | None,
) -> None:
    """Step until something ends it; `state` always holds the best so far."""
    loss, gradient = function(state.x)
    gradient = gradient.copy()
    state.loss, state.evaluations = loss, 1
    while True:
        if state.loss <= tolerance:
            state.why = "tolerance"
            return
        if watch is not None and watch(state.evaluations, state.loss, state.x):
            state.why = "stopped"
            return
        if state.evaluations >= evaluations:
            return
        x = state.x
        held = ((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0))
        free = np.where(held, gradient.dtype.type(0), gradient)
        direction = memory.direction(free, held)
        if direction is None:
            largest = float(np.abs(free).max())
            if largest == 0:
                state.why = "stalled"
                return
            direction = free * gradient.dtype.type(-first_step / largest)
        found = _search(function, state, gradient, direction, lower, upper, evaluations)
        if found is None:
            if not memory.count:
                state.why = "evaluations" if state.evaluations >= evaluations else "stalled"
                return
            memory.count = 0  # start afresh along the gradient
            continue
        loss, x_new, new_gradient = found
        memory.add(x_new - x, new_gradient - gradient)
        state.x, state.loss = x_new, loss
        np.copyto(gradient, new_gradient)


def _search(
    function: Function,
    state: Minimum,
    gradient: Array,
    direction: Array,
    lower: float,
    upper: float,
    evaluations: int,
) -> tuple[float, Array, Array] | None:
    """Shorten the step until the loss falls enough: -> loss, x, gradient; None if it never does."""
    kind = direction.dtype.type
    step = 1.0
    for _ in range(_SHORTENINGS):
        if state.evaluations >= evaluations:
            return None
        x = direction * kind(step)
        x += state.x
        np.clip(x, lower, upper, out=x)
        promised = float(np.vdot(gradient, x - state.x))
        if promised >= 0:
            return None
        loss, new_gradient = function(x)
        state.evaluations += 1
        if loss <= state.loss + _SUFFICIENT * promised:
            return loss, x, new_gradient
        # The parabola through both losses and the slope.
        bend = 2 * (loss - state.loss - promised)
        step *= min(0.5, max(0.1, -promised / bend)) if np.isfinite(bend) else 0.1
    return None


class _Memory:
    """The latest steps s and changes y of the gradient, and their inner products."""

    def __init__(self, pairs: int, x: Array) -> None:
        self.count = 0
        self._steps = np.empty((pairs, x.size), x.dtype)
        self._changes = np.empty((pairs, x.size), x.dtype)
        self._oldest = 0
        self._steps_changes = np.zeros((pairs, pairs))  # s_i · y_j
        self._changes_changes = np.zeros((pairs, pairs))  # y_i · y_j

    def add(self, step: Array, change: Array) -> None:
        """Keep a pair, unless the curvature along it is not positive."""
        s, y = step.reshape(-1), change.reshape(-1)
        curvature, square = float(s @ y), float(y @ y)
        if not curvature > 1e-10 * square:
            return
        pairs = len(self._steps)
        if self.count == 0:
            self._oldest = 0
        if self.count < pairs:
            k = (self._oldest + self.count) % pairs
            self.count += 1
        else:
            k = self._oldest
            self._oldest = (k + 1) % pairs
        self._steps[k], self._changes[k] = s, y
        n = self.count  # all slots below are filled: slots fill in order
        with_y = self._changes[:n] @ y
        self._changes_changes[:n, k] = self._changes_changes[k, :n] = with_y
        self._steps_changes[:n, k] = self._steps[:n] @ y
        self._steps_changes[k, :n] = self._changes[:n] @ s

    def direction(self, gradient: Array, held: Array) -> Array | None:
        """Return −H g, zero where a bound holds; None without memory or where it does not fall."""
        n = self.count
        if n == 0:
            return None
        g = gradient.reshape(-1)
        steps_g, changes_g = self._steps[:n] @ g, self._changes[:n] @ g
        of_steps, of_changes, scale = self._coefficients(
            steps_g.astype(np.float64), changes_g.astype(np.float64)
        )
        kind = gradient.dtype.type
        d = of_steps.astype(gradient.dtype) @ self._steps[:n]
        d += of_changes.astype(gradient.dtype) @ self._changes[:n]
        d -= kind(scale) * g
        out: Array = d.reshape(gradient.shape)
        out[held] = 0
        if not float(np.vdot(g, d)) < 0:
            self.count = 0
            return None
        return out

    def _coefficients(
        self, steps_g: Array, changes_g: Array
    ) -> tuple[Array, Array, float]:  # of s_i and of y_i in −H g, and −that of g
        n, pairs = self.count, len(self._steps)
        order = [(self._oldest + i) % pairs for i in range(n)]  # from the oldest
        sy, yy = self._steps_changes, self._changes_changes
        alpha, beta = np.zeros(n), np.zeros(n)
        for i in reversed(order):
            alpha[i] = (steps_g[i] - alpha @ sy[i, :n]) / sy[i, i]
        newest = order[-1]
        scale = sy[newest, newest] / yy[newest, newest]
        added = np.zeros(n)  # what the second loop has added of each s
        for i in order:
            y_r = scale * (changes_g[i] - alpha @ yy[i, :n]) + added @ sy[:n, i]
            beta[i] = y_r / sy[i, i]
            added[i] = alpha[i] - beta[i]
        return -added, scale * alpha, scale
