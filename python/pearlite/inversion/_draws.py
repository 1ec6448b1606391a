"""Random numbers that fill the cube more evenly than independent ones."""

from __future__ import annotations

import numpy as np

from pearlite.inversion._parameters import Floats

_BITS = 52  # the midpoints of so many intervals are exact in double precision


def even_uniforms(count: int, size: int, seed: int) -> Floats:
    """Draw (count, size) scrambled Sobol numbers in the open interval (0, 1).

    Each row is uniform in the cube; together the rows are spread evenly, so that a mean over them
    scatters less than one over independent rows.

    Notes
    -----
    Source: A. B. Owen, *Scrambled net variance for integrals of smooth functions*, Ann. Stat. 25,
    1541 (1997). The points are those of `scipy.stats.qmc`.
    """
    from scipy.stats import qmc  # takes half a second

    engine = qmc.Sobol(size, scramble=True, bits=_BITS, rng=np.random.default_rng([seed, 0x50B01]))
    points: Floats = engine.random_base2(max(0, int(count - 1).bit_length()))[:count]
    return points + 0.5 ** (_BITS + 1)


def independent_uniforms(count: int, size: int, seed: int) -> Floats:
    """Draw (count, size) independent numbers in the open interval (0, 1)."""
    rng = np.random.default_rng([seed, 0x1DD])
    return np.maximum(rng.random((count, size)), 0.5 ** (_BITS + 1))
