"""`torch.export` takes the operators, and the functions that are made of them."""

import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pearlite as pl  # noqa: E402
from pearlite import (  # noqa: E402, F401 (each registers operators)
    _bispectrum_operators,
    _correlation_operators,
    _descriptor_operators,
    _laguerre_operators,
    _langevin_operators,
    _operators,
    _two_point_operators,
    _voxel_operators,
)
from pearlite.correlation import KernelTarget, kernel_loss  # noqa: E402
from pearlite.inversion import (  # noqa: E402, F401
    SortedProjections,
    _transport_operators,
    sliced_wasserstein,
)

OPERATORS = torch.ops.pearlite
SOLVE = (None, 1e-6, 1, "raise", 1e-4)  # spacing, rtol, threads, on_failure, gradient_rtol
PIXEL, VOXEL = (0.1, 0.2), (0.1, 0.2, 0.3)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own


def numbers(*shape):
    return torch.from_numpy(np.random.default_rng(len(shape)).uniform(1, 5, shape))


def labels(*shape):
    return torch.from_numpy(np.random.default_rng(1).integers(2, size=shape).astype(np.int32))


PHASES = torch.tensor([1.0, 10.0], dtype=torch.float64)
CELLS, VOLUMES = numbers(2, 4, 6), numbers(2, 4, 3, 2)
FIELDS, LOADS = numbers(2, 2, 4, 6), numbers(2, 3, 4, 3, 2)
SITES, WEIGHTS, VALUES = numbers(3, 2) / 6, numbers(3) / 100, numbers(3)
WIDTH = torch.tensor(0.02, dtype=torch.float64)
TARGET = KernelTarget(np.random.default_rng(2).random((4, 6)), dtype=np.float64)
PROJECTED = SortedProjections(np.random.default_rng(3).random((5, 2)), directions=3)
SAMPLE, ONES = numbers(6, 2), torch.ones(6, dtype=torch.float64)
NUMBER, IMAGES = torch.tensor(0.1, dtype=torch.float64), numbers(2, 1, 6, 7)


def kernel_arguments():
    p = TARGET.prepared
    given = (
        torch.from_numpy(p.spectra),
        None if p.weights is None else torch.from_numpy(p.weights),
        p.mean,
        p.power,
        p.scale,
    )
    return (CELLS[0], *given, p.constant, list(TARGET.field_shape), True, 1)


DIRECT = {
    "solve_correctors": lambda: (CELLS, None, False, *SOLVE, True, True),
    "solve_voxels": lambda: (labels(2, 4, 3, 2), PHASES, False, *SOLVE, False, True),
    "phase_indices": lambda: (labels(2, 4, 6), PHASES, False, 1),
    "pull_back": lambda: (FIELDS, None, numbers(2, 2, 2), False, PIXEL, 1),
    "pull_back_voxels": lambda: (LOADS, numbers(2, 3, 3), True, VOXEL, 1),
    "push_forward": lambda: (FIELDS, CELLS, False, PIXEL, 1),
    "direction_loads": lambda: (FIELDS, CELLS, False, PIXEL, 1),
    "solve_loads": lambda: (CELLS, FIELDS - FIELDS.mean((-2, -1), True), False, *SOLVE),
    "sum_over_phases": lambda: (VOLUMES, labels(2, 4, 3, 2), PHASES, False),
    "relax": lambda: (SITES, WEIGHTS, VALUES, WIDTH, [4, 5], "power", True, 1),
    "relax_gradient": lambda: (
        SITES, WEIGHTS, VALUES, WIDTH, numbers(4, 5), "power", True, 1
    ),
    "two_point": lambda: (CELLS, CELLS, 2, 1),
    "descriptor": lambda: (CELLS[0] / 5, [1, 2], "product", 1),
    "descriptor_pull_back": lambda: (
        CELLS[0] / 5, [1, 2], "product", numbers(8, 8), numbers(8), 1
    ),
    "bispectrum_loss": lambda: (CELLS[0], numbers(4, 1, 4, 2, 4, 1, 6), 1),
    "kernel_loss": kernel_arguments,
    "sliced_wasserstein": lambda: (
        SAMPLE, SAMPLE[:5], torch.from_numpy(PROJECTED.directions), ONES, None, 2, False, True, 1
    ),
    "sliced_wasserstein_sorted": lambda: (
        SAMPLE, torch.from_numpy(PROJECTED.directions), torch.from_numpy(PROJECTED.sorted), None,
        None, 0.0, ONES, 2, True, True, 1,
    ),
    "langevin_step": lambda: (
        IMAGES.clone(), IMAGES, NUMBER, NUMBER, NUMBER, torch.tensor(3), -5, 2, [1, 1],
        [-3.0, 3.0], 1.0, None,
    ),
    "phase_counts": lambda: (IMAGES, [0, 0], 1),
}  # fmt: skip


class Module(torch.nn.Module):
    """A function as what `export` takes; arguments that are no tensors are part of it."""

    def __init__(self, function, arguments):
        super().__init__()
        self.function, self.arguments = function, arguments

    def forward(self, *tensors):
        given = iter(tensors)
        return self.function(
            *(next(given) if isinstance(a, torch.Tensor) else a for a in self.arguments)
        )


def exported(function, arguments):
    """Export, write, read, and return the program with its inputs."""
    tensors = tuple(a for a in arguments if isinstance(a, torch.Tensor))
    program = torch.export.export(Module(function, arguments), tensors)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file), tensors


def compare(function, arguments):
    program, tensors = exported(function, arguments)
    found = program.module()(*(t.clone() for t in tensors))
    copied = [a.clone() if isinstance(a, torch.Tensor) else a for a in arguments]
    torch.testing.assert_close(found, function(*copied), equal_nan=True)
    return {str(node.target) for node in program.graph.nodes if node.op == "call_function"}


def test_all_operators_are_here():
    every = [name for name in torch._C._dispatch_get_all_op_names() if "pearlite::" in name]
    assert {name.partition("::")[2] for name in every} == set(DIRECT)


@pytest.mark.parametrize("name", DIRECT)
def test_operator(name):
    called = compare(getattr(OPERATORS, name), DIRECT[name]())
    assert f"pearlite.{name}.default" in called or any("auto_functionalized" in c for c in called)


FUNCTIONS = {
    "homogenize": (lambda a: pl.homogenize(a), lambda: (CELLS,)),
    "labels": (lambda m, p: pl.homogenize(m, phases=p), lambda: (labels(2, 4, 6), PHASES)),
    "bracketed": (lambda a: pl.homogenize(a, estimate="bracketed"), lambda: (CELLS,)),
    "voxels": (lambda a: pl.homogenize(a, dim=3), lambda: (VOLUMES,)),
    "crystals": (
        lambda m, p: pl.homogenize(m, phases=p, dim=3, tensor=True),
        lambda: (labels(2, 4, 3, 2), PHASES[:, None, None] * torch.eye(3, dtype=torch.float64)),
    ),
    "correctors": (lambda a: pl.solve_correctors(a).correctors, lambda: (CELLS,)),
    "relax": (
        lambda s, w, v: pl.laguerre.relax(s, w, v, shape=(4, 5), epsilon=0.02),
        lambda: (SITES, WEIGHTS, VALUES),
    ),
    "two_point": (lambda a: pl.correlation.two_point(a), lambda: (CELLS,)),
    "descriptor": (
        lambda a: pl.correlation.descriptor(a, radius=1, form="product").gram,
        lambda: (CELLS[0] / 5,),
    ),
    "bispectrum_loss": (
        pl.correlation.bispectrum_loss, lambda: (CELLS[0], numbers(4, 1, 4, 2, 4, 1, 6))
    ),
    "kernel_loss": (lambda a: kernel_loss(a, TARGET), lambda: (CELLS[0],)),
    "sliced_wasserstein": (
        lambda x, y: sliced_wasserstein(x, y, directions=3), lambda: (SAMPLE, SAMPLE + 1)
    ),
    "sorted": (lambda x: sliced_wasserstein(x, PROJECTED), lambda: (SAMPLE,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name):
    function, arguments = FUNCTIONS[name]
    assert any("pearlite." in call for call in compare(function, arguments()))
