"""What a score network is trained with: the numbers of the paper, and those for a coffee break."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pearlite._arrays import check_choice, check_integer, check_positive
from pearlite._errors import brief
from pearlite.generation import _layout

# What may be done to a patch: bits 0 and 1 reverse an axis, bit 2 exchanges them; see `turned`.
SYMMETRIES = {
    "none": (0,),
    "half-turn": (0, 3),
    "mirrors": (0, 1, 2, 3),
    "square": (0, 1, 2, 3, 4, 5, 6, 7),
}


@dataclass(frozen=True)
class Schedule:
    """Size of a network and the course of its training.

    `Schedule.quick` and `Schedule.paper` give whole schedules; `dataclasses.replace` changes one.

    Attributes
    ----------
    iterations, batch : int
        Steps, and patches in each.
    patch, patches : int
        Side of the patches in pixels, and how many are cut from the reference.
    channels, levels : int
        Size of the network, see `Model`.
    sigma_max, sigma_min : float
        Largest and smallest noise.
    noise_levels : int
        Levels between them, geometric.
    focus : float
        Share of the noise levels drawn from `focus_range`, beyond what a uniform choice would; 0 is
        the uniform choice.
    focus_range : (float, float)
        Noise at which an image is decided.
    learning_rates : (float, float, float)
        First, largest and last rate of a cosine one-cycle.
    rise : float
        Share of the steps until the largest.
    patience : float
        Share of the steps, ten of them at least, without a lower loss in validation after which
        the rate falls at once, from the best weights on and within twice as many; 0: never.
    ema : float
        Rate of the moving average of the weights.
    clip : float
        Largest norm of a gradient of the loss per pixel.
    dequantization : float
        Half-width of the uniform noise on the indicators.
    validation : float
        Share of the reference that is kept for validation.
    symmetry : {"none", "half-turn", "mirrors", "square"}
        What may be done to a patch, at random: nothing; a turn by 180°; that, and mirrors along
        both axes; all eight symmetries of the square. It is for materials that have the symmetry:
        the network generates what it has seen. It makes more of one image.

    Examples
    --------
    >>> Schedule.paper(2).iterations, Schedule.paper(3).patch
    (500000, 64)
    """

    iterations: int
    batch: int
    patch: int
    patches: int
    channels: int
    levels: int
    sigma_max: float
    sigma_min: float = 0.01
    noise_levels: int = 1000
    focus: float = 0.0
    focus_range: tuple[float, float] = (0.05, 2.0)
    learning_rates: tuple[float, float, float] = (1e-3, 1e-2, 1e-5)
    rise: float = 0.3
    patience: float = 0.0
    ema: float = 0.999
    clip: float = 1.0
    dequantization: float = 0.005
    validation: float = 0.15
    symmetry: str = "none"

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "patch", "patches", "noise_levels"):
            check_integer(name, getattr(self, name), 1)
        check_integer("channels", self.channels, 2, _layout.MOST_CHANNELS)
        check_integer("levels", self.levels, 1, _layout.MOST_LEVELS)
        for name in ("sigma_max", "sigma_min", "clip"):
            check_positive(name, getattr(self, name))
        check_positive("dequantization", self.dequantization, zero=True)
        for name in ("focus", "rise", "patience", "ema", "validation"):
            if check_positive(name, getattr(self, name), zero=True) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected less than 1")
        for name, length in (("learning_rates", 3), ("focus_range", 2)):
            values = getattr(self, name)
            if not isinstance(values, tuple | list) or len(values) != length:
                raise ValueError(f"{name} is {brief(values)}; expected {length} numbers")
            for value in values:
                check_positive(name, value)
        check_choice("symmetry", self.symmetry, SYMMETRIES)
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min is {self.sigma_min}; expected less than {self.sigma_max}")
        if self.patch % 2**self.levels:
            raise ValueError(
                f"patch is {self.patch}; expected a multiple of {2**self.levels}, 2^levels"
            )

    @classmethod
    def paper(cls, phases: int) -> Schedule:
        """Return the schedule of the paper's case study of two phases, or of three and more.

        A. E. Robertson et al., "Local–global decompositions for conditional microstructure
        generation", Acta Materialia (2023): Section 4.4, Appendices C and D. That is some days on a
        graphics card.
        """
        if check_integer("phases", phases, 2, _layout.MOST_PHASES) == 2:
            return cls(500_000, 128, 40, 4000, 40, 1, 20.0)
        return cls(750_000, 128, 64, 8000, 100, 3, 50.0)

    @classmethod
    def quick(cls, phases: int) -> Schedule:
        """Return a schedule of half an hour of one core: 120,000 patches, not 64 million.

        A narrow network of two levels sees as far as it is trained, and costs what one level does.
        Half of the noise levels are drawn where an image is decided, from σ = 2 to 0.05.
        """
        check_integer("phases", phases, 2, _layout.MOST_PHASES)
        return cls(
            iterations=10_000,
            batch=12,
            patch=48,
            patches=4000 if phases == 2 else 8000,
            channels=32,
            levels=2,
            sigma_max=20.0 if phases == 2 else 50.0,
            focus=0.5,
            learning_rates=(1e-3, 5e-3, 1e-5),
            ema=0.998,
            patience=0.1,
        )

    @property
    def wait(self) -> float:
        """The number of steps without progress after which the rate falls."""
        return max(10, self.patience * self.iterations) if self.patience > 0 else math.inf

    def last(self, fall: int | None = None) -> int:
        """Return the number of steps, of which the rate falls from step `fall` on, if it does."""
        if fall is None:
            return self.iterations
        return min(self.iterations, fall + round(2 * self.wait))

    def rate(self, iteration: int, fall: int | None = None) -> float:
        """Return the learning rate of a step; from step `fall` on it falls to its last."""
        first, largest, last = self.learning_rates
        peak = self.rise * self.iterations
        if fall is not None and iteration >= fall:
            start, end = self.rate(fall), last
            way = (iteration - fall) / max(self.last(fall) - 1 - fall, 1)
        elif iteration < peak:
            start, end, way = first, largest, iteration / peak
        else:
            start, end = largest, last
            way = (iteration - peak) / max(self.iterations - 1 - peak, 1)
        return end + (start - end) * (1 + math.cos(math.pi * min(way, 1.0))) / 2

    def levels_at(self, quantiles: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the noise levels of uniform numbers in [0, 1), in the order of `Model.sigmas`."""
        spread = math.log(self.sigma_max / self.sigma_min)
        ends = [math.log(self.sigma_max / sigma) / spread for sigma in self.focus_range]
        first, last = sorted(min(max(end, 0.0), 1.0) for end in ends)
        rest = 1 - self.focus  # of which each level has the same share
        marks = [0.0, rest * first, rest * last + self.focus, 1.0]
        if last == first:
            marks = [0.0, first, last, 1.0]
        level = np.interp(quantiles, marks, [0.0, first, last, 1.0]) * self.noise_levels
        return np.minimum(level.astype(np.int64), self.noise_levels - 1)

    def as_dict(self) -> dict[str, object]:
        """Return the numbers by name, as JSON keeps them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
