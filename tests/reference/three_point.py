"""Three-point correlations by their definition."""

import numpy as np


def three_point(field):
    """T(r, s) = ⟨M(x) M(x + r) M(x + s)⟩ of a periodic field, all r and s."""
    axes = tuple(range(field.ndim))
    moved = {r: np.roll(field, [-d for d in r], axes) for r in np.ndindex(field.shape)}
    out = np.empty(field.shape * 2)
    for r, a in moved.items():
        for s, b in moved.items():
            out[r + s] = (field * a * b).mean()
    return out
