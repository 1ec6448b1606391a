"""Parameters in named blocks, and the unconstrained vector that an optimizer moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from pearlite._arrays import as_numpy, check_choice, check_integer, flag
from pearlite._errors import brief

Floats: TypeAlias = npt.NDArray[np.float64]
Constraint: TypeAlias = Literal["free", "positive", "simplex", "parts"]

_FAR = 300.0  # of logarithms, where exponentials are still numbers


@dataclass(frozen=True)
class Block:
    """Parameters of one name.

    Parameters
    ----------
    name : str
        The name, such as "a".
    size : int
        The number of entries.
    constraint : {"free", "positive", "simplex", "parts"}
        Any numbers; numbers > 0; numbers > 0 that sum to 1, or to less than 1.
    gauge : bool
        Whether only differences of entries matter. The first entry is then 0. Only of free blocks.
    materials : bool
        Whether the entries belong to the materials and are sorted with them.

    Examples
    --------
    >>> Block("w", 3, gauge=True)
    Block(name='w', size=3, constraint='free', gauge=True, materials=True)
    """

    name: str
    size: int
    constraint: Constraint = "free"
    gauge: bool = False
    materials: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name is {brief(self.name)}; expected a str")
        check_choice("constraint", self.constraint, get_args(Constraint))
        flag("gauge", self.gauge)
        flag("materials", self.materials)
        if self.gauge and self.constraint != "free":
            raise ValueError(f"gauge is True of a {self.constraint} block; expected a free one")
        check_integer("size", self.size, 1, 2**31)

    @property
    def free(self) -> int:
        """The number of unconstrained coordinates."""
        return self.size - (self.gauge or self.constraint == "simplex")

    def values(self, coordinates: Floats) -> Floats:
        """Turn unconstrained coordinates (free,) into entries (size,)."""
        if self.constraint == "positive":
            return np.exp(np.clip(coordinates, -_FAR, _FAR))
        if self.constraint in ("simplex", "parts"):  # logarithms of the ratios to the last share
            logs = np.append(coordinates, 0.0)
            shares = np.exp(logs - logs.max())
            return np.asarray(shares / shares.sum())[: self.size]
        return np.append(0.0, coordinates) if self.gauge else coordinates.copy()

    def coordinates(self, values: Floats) -> Floats:
        """Turn entries (size,) into unconstrained coordinates (free,)."""
        if self.constraint == "positive":
            return np.log(values)
        if self.constraint == "simplex":
            return np.asarray(np.log(values[:-1] / values[-1]))
        if self.constraint == "parts":
            return np.asarray(np.log(values / (1 - values.sum())))
        return values[1:] - values[0] if self.gauge else values.copy()

    def jacobian(self, coordinates: Floats) -> Floats:
        """Differentiate: (size, free) derivatives of the entries in the coordinates."""
        if self.constraint == "positive":
            return np.diag(np.exp(np.clip(coordinates, -_FAR, _FAR)))
        if self.constraint in ("simplex", "parts"):
            shares = self.values(coordinates)
            return np.asarray((np.diag(shares) - np.outer(shares, shares))[:, : self.free])
        return np.eye(self.size)[:, 1:] if self.gauge else np.eye(self.size)

    def check(self, values: npt.ArrayLike, argument: str = "") -> Floats:
        """Return the entries as (size,) floats that keep the constraint, or raise.

        An error names the block, and before it the `argument` that it came in.
        """
        try:
            return self._checked(values)
        except ValueError as error:
            raise ValueError(f"{argument}: {error}" if argument else str(error)) from None

    def _checked(self, values: npt.ArrayLike) -> Floats:
        given = as_numpy(self.name, values)
        if (
            given.dtype.kind not in "iuf"
            or given.dtype == np.longdouble
            or given.shape != (self.size,)
        ):
            raise ValueError(f"{self.name} is {brief(values)}; expected {self.size} numbers")
        entries: Floats = given.astype(np.float64)
        if not np.isfinite(entries).all():
            raise ValueError(f"{self.name} is {brief(values)}; expected finite numbers")
        if self.constraint != "free" and not (entries > 0).all():
            raise ValueError(f"{self.name} is {brief(values)}; expected numbers > 0")
        if self.constraint == "simplex" and abs(entries.sum() - 1) > 1e-9:
            raise ValueError(f"{self.name} is {brief(values)}; expected numbers that sum to 1")
        if self.constraint == "parts" and not entries.sum() < 1:
            raise ValueError(
                f"{self.name} is {brief(values)}; expected numbers that sum to less than 1"
            )
        return entries


@dataclass(frozen=True)
class Layout:
    """Blocks of parameters side by side in a vector.

    Parameters
    ----------
    blocks : sequence of Block
        The blocks.
    order : str, optional
        The block of materials that is ascending once the materials are sorted.
    known : mapping of str to array
        Blocks whose values are known; they have no coordinates. Nothing is sorted then.

    Examples
    --------
    >>> import numpy as np
    >>> layout = Layout((Block("a", 2, "positive"), Block("w", 2, gauge=True)), order="a")
    >>> layout.parameters(np.array([np.log(4.0), 0.0, 0.1]))
    {'a': array([4., 1.]), 'w': array([0. , 0.1])}
    >>> layout.sorted({"a": np.array([4.0, 1.0]), "w": np.array([0.0, 0.1])})
    {'a': array([1., 4.]), 'w': array([ 0. , -0.1])}
    """

    blocks: tuple[Block, ...]
    order: str | None = None
    known: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number P of entries of all blocks."""
        return sum(block.size for block in self.blocks)

    @property
    def free(self) -> int:
        """The number Q of unconstrained coordinates."""
        return sum(block.free for block in self.blocks if block.name not in self.known)

    @property
    def names(self) -> list[str]:
        """Names of the P entries, such as "a_1"."""
        return [
            f"{block.name}_{k + 1}" if block.size > 1 else block.name
            for block in self.blocks
            for k in range(block.size)
        ]

    def slices(self) -> dict[str, slice]:
        """Where each block's entries are among the P."""
        ends = np.cumsum([0, *(block.size for block in self.blocks)])
        return {
            b.name: slice(int(i), int(i) + b.size)
            for b, i in zip(self.blocks, ends[:-1], strict=True)
        }

    def parameters(self, coordinates: Floats) -> dict[str, Floats]:
        """Turn unconstrained coordinates (Q,) into parameters."""
        return {
            block.name: np.asarray(self.known[block.name], np.float64)
            if part is None
            else block.values(part)
            for block, part in self._parts(coordinates)
        }

    def coordinates(self, parameters: Mapping[str, Floats]) -> Floats:
        """Turn parameters into unconstrained coordinates (Q,)."""
        free = [block for block in self.blocks if block.name not in self.known]
        return np.concatenate([b.coordinates(np.asarray(parameters[b.name])) for b in free])

    def jacobian(self, coordinates: Floats) -> Floats:
        """Differentiate: (P, Q) derivatives of the entries of all blocks in the coordinates."""
        matrix = np.zeros((self.size, self.free))
        row = column = 0
        for block, part in self._parts(coordinates):
            if part is not None:
                rows, columns = slice(row, row + block.size), slice(column, column + block.free)
                matrix[rows, columns] = block.jacobian(part)
                column += block.free
            row += block.size
        return matrix

    def flat(self, parameters: Mapping[str, Floats]) -> Floats:
        """Concatenate the entries (P,) of all blocks."""
        return np.concatenate([np.asarray(parameters[b.name], np.float64) for b in self.blocks])

    def split(self, entries: Floats) -> dict[str, Floats]:
        """Cut entries (P,) into blocks."""
        return {name: entries[part] for name, part in self.slices().items()}

    def sorted(self, parameters: Mapping[str, Floats]) -> dict[str, Floats]:
        """Sort the materials, and restore the gauge."""
        values = {block.name: np.asarray(parameters[block.name]) for block in self.blocks}
        if self.order is None or self.known:
            return values
        rank = np.argsort(values[self.order], kind="stable")
        for block in self.blocks:
            if block.materials:
                values[block.name] = values[block.name][rank]
            if block.gauge:
                values[block.name] = values[block.name] - values[block.name][0]
        return values

    def check(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, Floats]:
        """Return parameters as arrays, or raise: names, sizes and constraints are checked."""
        names = [block.name for block in self.blocks]
        if not isinstance(parameters, Mapping) or set(parameters) != set(names):
            given = list(parameters) if isinstance(parameters, Mapping) else parameters
            raise ValueError(f"parameters has {brief(given)}; expected a mapping with {names}")
        return {
            block.name: block.check(parameters[block.name], "parameters") for block in self.blocks
        }

    def _parts(self, coordinates: Floats) -> list[tuple[Block, Floats | None]]:
        """Each block with its own coordinates, None if it is known."""
        parts: list[tuple[Block, Floats | None]] = []
        start = 0
        for block in self.blocks:
            if block.name in self.known:
                parts.append((block, None))
            else:
                parts.append((block, coordinates[start : start + block.free]))
                start += block.free
        return parts
