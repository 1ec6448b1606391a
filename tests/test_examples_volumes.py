"""From a scan to tortuosity: what the example says about other boundaries and other schemes."""

import numpy as np
import pytest
import scipy.sparse as sparse
from examples import ct_to_tensor as example
from scipy.sparse.linalg import spsolve

import pearlite as pl


def closed_sides(pores):
    """Diffusivity along axis 0 by finite volumes: fixed concentrations on two faces, others closed.

    Written down from the definition: unit conductances between neighbouring pores, and twice as
    much from the centre of a voxel to a fixed face.
    """
    index = np.full(pores.shape, -1)
    index[pores == 1] = np.arange(pores.sum())
    count = int(pores.sum())
    diagonal, wanted = np.full(count, 1e-12), np.zeros(count)
    rows, columns = [], []
    for axis in range(3):
        first = index[(slice(None),) * axis + (slice(None, -1),)].ravel()
        second = index[(slice(None),) * axis + (slice(1, None),)].ravel()
        both = (first >= 0) & (second >= 0)
        rows += [first[both], second[both]]
        columns += [second[both], first[both]]
    np.add.at(diagonal, np.concatenate(rows), 1)
    ends = [side[side >= 0] for side in (index[0].ravel(), index[-1].ravel())]
    for side, value in zip(ends, (1.0, 0.0), strict=True):
        diagonal[side] += 2
        wanted[side] += 2 * value
    off = sparse.coo_array(
        (-np.ones(sum(map(len, rows))), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count, count),
    )
    found = spsolve((sparse.diags_array(diagonal) + off).tocsc(), wanted)
    n0, n1, n2 = pores.shape
    return 2 * np.sum(1 - found[ends[0]]) * n0 / (n1 * n2)


PORES = example.made(12, 0.5, 1)


def test_elements_and_volumes_bracket_each_other_with_the_same_boundaries():
    upper = [
        pl.homogenize(example.mirrored(image), phases=[0.0, 1.0], dim=3)[0, 0]
        for image in (PORES, example.divided(PORES))
    ]
    lower = [closed_sides(image) for image in (PORES, example.divided(PORES))]
    assert lower[0] < lower[1] < upper[1] < upper[0]
    assert upper[1] - lower[1] < 0.7 * (upper[0] - lower[0])
    coarse, fine = ((a + b) / 2 for a, b in zip(upper, lower, strict=True))
    assert coarse == pytest.approx(fine, rel=0.02)


def test_the_reference_is_what_taufactor_solves():
    pytest.importorskip("taufactor")
    found = example.taufactor(PORES, "Solver")
    for axis in range(3):
        wanted = closed_sides(np.moveaxis(PORES, axis, 0))
        assert found[axis] == pytest.approx(wanted, rel=5e-3)


def test_layers_are_exact():
    layers = np.zeros((8, 8, 8), np.uint8)
    layers[:, :3] = 1
    found = example.transport(layers, (2.0, 1.0, 1.0))
    np.testing.assert_allclose(found.tensor, np.diag([3 / 8, 0, 3 / 8]), atol=1e-6)
    np.testing.assert_allclose(found.voxels, 0, atol=1e-6)
    assert found.percolates.tolist() == [True, False, True]
    assert found.porosity == found.percolating == 3 / 8


def test_pores_that_lead_nowhere_do_not_count():
    pores = np.zeros((9, 9, 9), np.uint8)
    pores[:, 4, 4] = 1
    pores[2:5, 7, 7] = 1
    assert example.percolating_share(pores) == 9 / 9**3


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_the_whole_example(tmp_path, capsys, monkeypatch):
    pl.io.write_image(tmp_path / "scan.nrrd", PORES * np.uint8(7), spacing=2.0, unit="µm")
    command = ["ct_to_tensor.py", str(tmp_path / "scan.nrrd"), "--pore", "7"]
    monkeypatch.setattr("sys.argv", command)
    example.main()
    out = capsys.readouterr().out
    assert "12 × 12 × 12 voxels of 2 × 2 × 2 µm" in out
    assert "porosity 0.5000" in out
    tensor = example.transport(PORES).tensor
    assert f"D = {tensor[0, 0]:.4f}" in out
    assert f"τ = {0.5 / tensor[0, 0]:.3f}" in out
