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


# --- volumes --------------------------------------------------------------------------------

VOLUME = microstructures.thresholded_noise(1, (10, 12, 14), length=2, seed=1)[0]


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_sections_show_the_fields_of_the_volume(spacing):
    phases = np.array([1.0, 20.0])
    solution = pl.solve_correctors(VOLUME, phases=phases, dim=3, spacing=spacing, rtol=1e-9)
    whole = plot.gradients(solution.correctors, spacing or (1 / 14,) * 3)
    np.testing.assert_allclose(whole.mean(axis=(-3, -2, -1)), np.eye(3), atol=1e-12)
    flux = plot.fluxes(phases[VOLUME], whole[0])
    np.testing.assert_allclose(flux.mean(axis=(1, 2, 3)), solution.effective[:, 0], atol=2e-3)
    cells = plot.sections("a", VOLUME, solution.correctors[0], phases, spacing)
    for normal, cell in zip((2, 1, 0), cells, strict=True):
        middle = VOLUME.shape[normal] // 2
        section = VOLUME.take(middle, axis=normal)
        np.testing.assert_array_equal(cell.conductivity, phases[section])
        gradient = whole[0].take(middle, axis=normal + 1)
        np.testing.assert_allclose(cell.gradient, gradient, atol=1e-12)
        assert cell.axes == tuple(axis for axis in range(3) if axis != normal)


def test_the_flux_of_a_perfect_conductor_is_not_told():
    cell = plot.fluxes(np.array([[np.inf, 0.0]]), np.array([[[0.0, 5.0]], [[0.0, 1.0]]]))
    assert np.isnan(cell[:, 0, 0]).all()
    assert (cell[:, 0, 1] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((VOLUME.astype(float), 1), "labels is float64; expected an array of integers"),
        ((VOLUME[0], 1), "labels has shape"),
        ((VOLUME, 7), "phase is 7, which no voxel"),
    ],
)
def test_surfaces_that_cannot_be_drawn(tmp_path, arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plot.surface(tmp_path / "a.png", *arguments)
    with pytest.raises(ValueError, match="spacing is"):
        plot.surface(tmp_path / "a.png", VOLUME, 1, spacing=(1, 2))
    with pytest.raises(ValueError, match="smoothing is -1"):
        plot.surface(tmp_path / "a.png", VOLUME, 1, smoothing=-1)
    with pytest.raises(io.EndingError, match=r"expected \.png"):
        plot.surface(tmp_path / "a.pdf", VOLUME, 1)


@pytest.mark.filterwarnings("ignore")
def test_a_surface(tmp_path):
    pytest.importorskip("pyvista")
    plot.surface(tmp_path / "a.png", VOLUME, 1, spacing=(1, 1, 2))
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert pixels.shape == (1000, 1000)
    assert (pixels < 200).mean() > 0.1
