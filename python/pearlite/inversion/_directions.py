"""Directions on which samples are projected."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays

Method: TypeAlias = Literal["quasi", "random"]
_MOST_DIRECTIONS = 2**24
_MOST_COMPONENTS = 1000  # the most that Sobol sequences come for is 21,201
_UNIT = 1e-6  # a direction's length may differ from 1 by its rounding in float32
_GOLDEN = math.pi * (3 - math.sqrt(5))


def unit_directions(
    directions: int | ArrayLike, dim: int, method: Method, seed: int | None
) -> NDArray[np.float64]:
    """Return directions (L, dim): those that are given, or so many new ones."""
    if dim > _MOST_COMPONENTS:
        raise ValueError(f"y has {dim} components; expected at most {_MOST_COMPONENTS}")
    _arrays.check_choice("method", method, get_args(Method))
    if seed is not None:
        seed = _arrays.check_integer("seed", seed, 0, 2**64 - 1)
    if not isinstance(directions, int | np.integer):
        return _given(directions, dim)
    count = _arrays.check_integer("directions", directions, 1, _MOST_DIRECTIONS)
    if dim == 1:  # the sphere has two points, and both see the same
        return np.ones((1, 1))
    if method == "random":
        if seed is None:
            raise ValueError("seed is None; expected an integer >= 0 for random directions")
        return _normalized(_generator(seed).standard_normal((count, dim)))
    return _quasi(count, dim, seed)


def _given(directions: Any, dim: int) -> NDArray[np.float64]:
    array = _arrays.as_numpy("directions", directions)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(
            f"directions has dtype {array.dtype}; expected a number of them or an array of floats"
        )
    if array.ndim != 2 or array.shape[1] != dim or not 1 <= len(array) <= _MOST_DIRECTIONS:
        raise ValueError(f"directions has shape {array.shape}; expected (L, {dim}), L at least 1")
    vectors = np.ascontiguousarray(array, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors, axis=1)
        worst = int(np.argmax(np.nan_to_num(np.abs(lengths - 1), nan=np.inf)))
    if not abs(lengths[worst] - 1) <= _UNIT:
        raise ValueError(f"directions[{worst}] has length {lengths[worst]:g}; expected 1")
    return vectors


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))


def _normalized(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths)


def _quasi(count: int, dim: int, seed: int | None) -> NDArray[np.float64]:
    """Directions that cover the half sphere evenly, turned at random if there is a seed."""
    rng = None if seed is None else _generator(seed)
    index = np.arange(count)
    if dim == 2:
        shift = 0.5 if rng is None else rng.random()
        angles = np.pi * (index + shift) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if dim == 3:  # rings of equal area, each a golden angle further
        height = (index + 0.5) / count
        radius = np.sqrt(1 - height**2)
        turn = index * _GOLDEN
        points = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
        points = _balanced(points)
        return points if rng is None else _normalized(points @ _rotation(rng, 3))
    from scipy import special
    from scipy.stats import qmc

    sequence = qmc.Sobol(dim, scramble=False).random_base2(max(count - 1, 1).bit_length())
    offset = (_generator(0) if rng is None else rng).random(dim)
    inside = np.clip((sequence[:count] + offset) % 1, 2.0**-40, 1 - 2.0**-40)
    return _balanced(_normalized(special.ndtri(inside)))


def _balanced(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move directions a little until the mean of θθᵀ is I/d, where they are enough for that.

    Then a shift between two samples, Σ (θ·s)²/L = |s|²/d, is measured exactly. Source: D. E. Tyler,
    Ann. Statist. 15, 234 (1987), whose fixed-point iteration this is.
    """
    count, dim = points.shape
    if count < 3 * dim:
        return points
    for _ in range(50):
        values, vectors = np.linalg.eigh(points.T @ points * (dim / count))
        if np.abs(values - 1).max() < 1e-14 * count**0.5:
            break
        points = _normalized(points @ (vectors / np.sqrt(values)) @ vectors.T)
    return points


def _rotation(rng: np.random.Generator, dim: int) -> NDArray[np.float64]:
    """Draw a rotation (or reflection) of the uniform law, as F. Mezzadri, arXiv:math-ph/0609050."""
    q, r = np.linalg.qr(rng.standard_normal((dim, dim)))
    return np.asarray(q * np.sign(np.diagonal(r)))
