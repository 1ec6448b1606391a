"""Random microstructures at the edges of what their arguments may be."""

import numpy as np
import pytest

import pearlite as pl

models = pl.microstructures


@pytest.mark.parametrize("cells", [(1, 3), (3, 1), (1, 1)])
def test_a_specimen_may_be_one_cell_wide(cells: tuple[int, int]) -> None:
    specimen = models.LocallyPeriodic(models.LaguerreCells((8, 8), materials=3), cells)
    normals = specimen.draw(1, seed=1)[0]
    sites = specimen.sites(normals)
    centres = (np.moveaxis(np.indices(cells), 0, -1).reshape(-1, 2) + 0.5) / cells
    np.testing.assert_allclose(
        sites.reshape(-1, 3, 2), specimen.sites(normals, centres), rtol=0, atol=1e-12
    )
    assert specimen.labels(normals).shape == (*cells, 8, 8)


def test_parameters_that_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="alpha has an entry"):
        models.dirichlet([1e-309, 1e-309], [0.2, 0.5])
    assert models.dirichlet([1e-300, 1e-300], [0.2, 0.5]).tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 2), (3, 3), (3,)])
def test_cells_want_one_seed_a_material(shape: tuple[int, ...]) -> None:
    cells, sites = models.LaguerreCells((8, 8), materials=3), np.full(shape, 0.5)
    with pytest.raises(ValueError, match="sites has shape"):
        cells.labels(sites)
    with pytest.raises(ValueError, match="sites has shape"):
        cells.field(sites, [1.0, 2.0, 3.0], epsilon=0.1)
