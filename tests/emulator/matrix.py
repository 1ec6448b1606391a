"""Which operations run on the emulated card, in which types and dimensions, as their tests tell.

`python -m emulator.matrix` in tests/ writes the table of docs/cuda.md anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "cuda.md"
BEGIN, END = "<!-- parity: python -m emulator.matrix -->\n", "<!-- end of parity -->\n"


class Operation(NamedTuple):
    """A public function, and the test that holds it against the CPU's."""

    name: str
    test: str  # module and function
    compared: str  # how near the results are
    gradient: str = ""  # the test of its gradient
    types: tuple[str, ...] = ()  # where the test's parameters do not tell
    dimensions: tuple[int, ...] = ()


def _tests(stem: str) -> Callable[[str], str]:
    return lambda name: f"test_cuda_{stem}.test_{name}"


_LANGEVIN, _LAGUERRE, _TWO_POINT = _tests("langevin"), _tests("laguerre"), _tests("two_point")
_DESCRIPTOR, _BISPECTRUM = _tests("descriptor"), _tests("bispectrum")
_CORRECTOR, _TILES, _BOUNDS = _tests("corrector"), _tests("corrector_tiles"), _tests("bounds")
_KERNEL_LOSS, _VOXELS, _CRYSTALS = map(_tests, ("kernel_loss", "voxels", "voxel_crystals"))
_MEASURES, _FACES, _FIT = _tests("measures"), _tests("faces"), _tests("fit")
_RELAX = _LAGUERRE("relaxed_fields_and_gradients")
_NEAR = "fields 3e-5, 1e-11"
OPERATIONS = [
    Operation("homogenize", _CORRECTOR("shapes"), "`rtol`", _CORRECTOR("gradients"),
              dimensions=(2,)),
    Operation("homogenize, labels", _CORRECTOR("labels"), "`rtol`", _CORRECTOR("gradients"),
              dimensions=(2,)),
    Operation("homogenize, several blocks a cell", _TILES("shapes"), "`rtol`", _TILES("gradients"),
              dimensions=(2,)),
    Operation("bounds", _BOUNDS("fields"), "`rtol`; 3e-9", dimensions=(2,)),
    Operation("bounds, labels", _BOUNDS("labels"), "`rtol`; 1e-8", dimensions=(2,)),
    Operation("solve_correctors", _CORRECTOR("correctors"), "1e-4, 2e-5", dimensions=(2,)),
    Operation("homogenize_with_gradient", _CORRECTOR("gradients"), "`rtol`; 1e-5, 1e-7",
              _CORRECTOR("gradients"), dimensions=(2,)),
    Operation("homogenize, voxels", _VOXELS("shapes"), "`rtol`", _VOXELS("gradients"),
              dimensions=(3,)),
    Operation("homogenize, labels of voxels", _VOXELS("labels"), "`rtol`", _VOXELS("gradients"),
              dimensions=(3,)),
    Operation("solve_correctors, voxels", _VOXELS("correctors"), "1e-4, 2e-5", dimensions=(3,)),
    Operation("homogenize_with_gradient, voxels", _VOXELS("gradients"), "`rtol`; 1e-5, 1e-7",
              _VOXELS("gradients"), dimensions=(3,)),
    Operation("homogenize, tensors of voxels", _CRYSTALS("shapes"), "`rtol`",
              _CRYSTALS("gradients"), dimensions=(3,)),
    Operation("homogenize, labels of tensors", _CRYSTALS("labels"), "`rtol`",
              _CRYSTALS("gradients"), dimensions=(3,)),
    Operation("solve_correctors, tensors of voxels", _CRYSTALS("correctors"), "1e-4, 2e-5",
              dimensions=(3,)),
    Operation("homogenize_with_gradient, tensors of voxels", _CRYSTALS("gradients"),
              "`rtol`; 1e-5, 1e-7", _CRYSTALS("gradients"), dimensions=(3,)),
    Operation("bounds, voxels", _BOUNDS("voxels"), "`rtol`; 3e-9", dimensions=(3,)),
    Operation("bounds, labels of voxels", _BOUNDS("labels_of_voxels"), "3e-9", dimensions=(3,)),
    Operation("bounds, tensors of voxels", _CRYSTALS("bounds"), "3e-9", dimensions=(3,)),
    Operation("langevin.normal", _LANGEVIN("normals"), "equal bits", dimensions=(2, 3)),
    Operation("langevin.step", _LANGEVIN("steps"), "equal bits"),
    Operation("langevin.phase_counts", _LANGEVIN("steps"), "equal"),
    Operation("laguerre.assign", _LAGUERRE("labels"), "equal"),
    Operation("laguerre.relax", _RELAX, _NEAR, _RELAX),
    Operation("laguerre.relax_with_gradient", _RELAX, _NEAR, _RELAX),
    Operation("laguerre.volumes, labels", _MEASURES("volumes"), "equal bits"),
    Operation("laguerre.centroids, labels", _MEASURES("centroids"), "equal bits"),
    Operation("laguerre.face_areas, labels", _FACES("areas"), "equal pairs; areas 2e-15"),
    Operation("laguerre.neighbours, labels", _FACES("neighbours"), "equal"),
    Operation("laguerre.fit_volumes", _FIT("weights"), "equal bits"),
    Operation("laguerre.lloyd", _FIT("lloyd"), "equal bits"),
    Operation("correlation.two_point", _TWO_POINT("fields"), "1e-6, 1e-14",
              _TWO_POINT("tensors_and_their_derivatives")),
    Operation("correlation.two_point, labels", _TWO_POINT("labels"), "equal counts",
              dimensions=(2,)),
    Operation("correlation.descriptor", _DESCRIPTOR("statistics"), "3e-6, 1e-13",
              _DESCRIPTOR("gradients")),
    Operation("correlation.bispectrum", _BISPECTRUM("beside_the_cpu"), "8 ε"),
    Operation("correlation.bispectrum_loss", _BISPECTRUM("beside_the_cpu"), "20 ε; 40 ε",
              _BISPECTRUM("beside_the_cpu")),
    Operation("correlation.bispectrum_loss_with_gradient", _BISPECTRUM("beside_the_cpu"),
              "20 ε; 40 ε", _BISPECTRUM("beside_the_cpu")),
    Operation("correlation.KernelTarget", _KERNEL_LOSS("targets_of_images_on_a_card"), "equal"),
    Operation("correlation.kernel_loss", _KERNEL_LOSS("beside_the_cpu"), "1e-5, 5e-12",
              _KERNEL_LOSS("beside_the_cpu")),
    Operation("correlation.kernel_loss_with_gradient", _KERNEL_LOSS("beside_the_cpu"),
              "1e-5, 5e-12", _KERNEL_LOSS("beside_the_cpu")),
    Operation('reconstruction.match, "annealing"', _tests("annealing")("the_same_chains"),
              "equal chains", types=("labels",)),
]  # fmt: skip
# What calls return.
NO_KERNELS = [
    "laguerre.Faces", "laguerre.RelaxGradient", "laguerre.Relaxation", "correlation.Descriptor",
]  # fmt: skip


class Row(NamedTuple):
    """What the parameters of an operation's test tell."""

    operation: Operation
    types: tuple[str, ...]
    dimensions: tuple[int, ...]
    cases: int


def parameters(test: str) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Give the names and the values of each parametrization of a test."""
    module, name = test.split(".")
    function = getattr(import_module(module), name)
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize":
            names, values = mark.args
            split = tuple(names.split(",")) if isinstance(names, str) else tuple(names)
            yield split, [v if len(split) > 1 else (v,) for v in values]


def row(operation: Operation) -> Row:
    """Read a row of the matrix off a test."""
    types, dimensions = list(operation.types), set(operation.dimensions)
    cases = 1
    for names, values in parameters(operation.test):
        cases *= len(values)
        for name, *found in zip(names, *values, strict=True):
            if name == "dtype":
                types += [np.dtype(v).name for v in found]
            elif name == "kind":
                types += found
            elif name == "shape":
                dimensions |= {_dimension(v) for v in found}
    return Row(operation, tuple(types), tuple(sorted(dimensions)), cases)


def _dimension(shape: tuple[int, ...]) -> int:
    """Return the dimension of a shape, in which a middle axis of one pixel is none."""
    return 2 if len(shape) == 3 and shape[1] == 1 else len(shape)


def rows() -> list[Row]:
    """Return the matrix."""
    return [row(operation) for operation in OPERATIONS]


def table() -> str:
    """Return the matrix as the page has it."""
    lines = [
        "| operation | types | dimensions | gradient | beside the CPU's | cases, emulated |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for operation, types, dimensions, cases in rows():
        gradient = "yes" if operation.gradient else ""
        cells = (
            f"`{operation.name}`", ", ".join(types), ", ".join(map(str, dimensions)), gradient,
            operation.compared, str(cases),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page's table anew."""
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + table() + "\n" + END + after)


if __name__ == "__main__":
    main()
