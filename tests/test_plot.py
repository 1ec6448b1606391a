"""Fields at pixel centres, and pictures that are there and show something."""

import numpy as np
import pytest
from PIL import Image

import pearlite as pl
from pearlite import io, microstructures, plot

LABELS = microstructures.voronoi(1, (16, 24), sites=8, phases=3, seed=1)[0]
PHASES = np.array([1.0, 5.0, 20.0])


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
@pytest.mark.parametrize("tensors", [False, True])
def test_the_mean_flux_is_the_effective_conductivity(spacing, tensors):
    phases = np.multiply.outer(PHASES, [[1.0, 0.3], [0.3, 0.5]]) if tensors else PHASES
    solution = pl.solve_correctors(
        LABELS, phases=phases, tensor=tensors, spacing=spacing, rtol=1e-10
    )
    gradients = plot.gradients(solution.correctors, spacing)
    np.testing.assert_allclose(gradients.mean(axis=(-2, -1)), np.eye(2), atol=1e-12)
    for k in (0, 1):
        flux = plot.fluxes(phases[LABELS], gradients[k])
        np.testing.assert_allclose(
            flux.mean(axis=(-2, -1)), solution.effective[:, k], rtol=1e-4, atol=1e-4
        )


def test_gradient_in_layers():
    layers = microstructures.laminate((8, 4))
    cell = plot.solved_cell("layers", layers, np.array([1.0, 4.0]))
    np.testing.assert_allclose(cell.gradient[0], np.where(layers, 0.4, 1.6), rtol=1e-3)
    np.testing.assert_allclose(cell.gradient[1], 0, atol=1e-3)
    np.testing.assert_allclose(cell.flux[0], 1.6, rtol=1e-3)


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_picture(tmp_path, ending):
    tensors = np.random.default_rng(0).random((200, 2, 2)) + 1
    tensors[3] = np.nan
    path = tmp_path / f"a.{ending}"
    cells = [plot.solved_cell("three phases", LABELS, PHASES, spacing=(1.0, 0.5))]
    plot.save(path, cells, [("all", tensors)], unit="W m⁻¹ K⁻¹")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if ending == "png":
        with Image.open(path) as picture:
            assert min(picture.size) > 600
            assert len(picture.getcolors(1 << 20)) > 500


@pytest.mark.parametrize(
    "conductivity",
    [
        np.random.default_rng(0).random((9, 13)) + 0.5,
        np.ones((2, 2)),
        np.full((5, 4), 3.0, np.float32),
    ],
    ids=["many levels", "smallest", "homogeneous"],
)
def test_picture_of_any_field(tmp_path, conductivity):
    plot.save(tmp_path / "a.png", [plot.solved_cell("a", conductivity)])
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_picture_of_tensors(tmp_path):
    phases = np.multiply.outer(PHASES, [[1.0, 0.3], [0.3, 0.5]])
    plot.save(tmp_path / "a.png", [plot.solved_cell("a", LABELS, phases)])
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_picture_of_unknown_ending(tmp_path):
    with pytest.raises(io.EndingError, match=r"unknown ending '\.bmp'; expected one of \.png"):
        plot.save(tmp_path / "a.bmp", [])
