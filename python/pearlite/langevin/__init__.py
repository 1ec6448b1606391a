"""Langevin steps of batches of images, and the normal numbers that drive them.

- `step`: one step of annealed Langevin dynamics in place: score, noise, volume fractions, clamp and
  periodic padding in one pass.
- `normal`: its noise, normal numbers that depend on their place alone.
- `phase_counts`: pixels of each phase of images whose indicators are still any numbers.
"""

from pearlite.langevin._normal import normal
from pearlite.langevin._step import phase_counts, step

__all__ = ["normal", "phase_counts", "step"]
