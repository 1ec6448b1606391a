"""Any argument of Gaussian fields gives a result, or an error that names it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

import pearlite as pl

GaussianField = pl.microstructures.GaussianField
IMAGES = pl.microstructures.voronoi(2, (6, 7), sites=5, phases=3, seed=1)
MAPS = pl.correlation.two_point(IMAGES[0], phases=range(3))
FIELD = GaussianField.from_images(IMAGES)
OTHER = GaussianField.from_images(IMAGES[0])
BATCH = {"count": 2, "seed": 1, "sample": 0, "threads": 1}

CALLS = {
    "from_images": (
        GaussianField.from_images,
        {"labels": IMAGES, "phases": 3, "dim": 2, "shape": (5, 8), "periodic": True},
    ),
    "from_statistics": (
        GaussianField.from_statistics,
        {
            "statistics": MAPS,
            "means": (0.2, 0.3, 0.5),
            "shape": (9, 6),
            "periodic": True,
            "project": True,
        },
    ),
    "from_autocorrelation": (
        GaussianField.from_statistics,
        {"statistics": MAPS[1, 1], "means": None, "shape": None, "project": False},
    ),
    "interpolate": (
        GaussianField.interpolate,
        {"a": FIELD, "b": OTHER, "t": 0.5, "project": False},
    ),
    "sample": (FIELD.sample, BATCH),
    "labels": (FIELD.labels, {**BATCH, "fractions": (0.2, 0.3, 0.5), "smoothing": 0.35}),
    "segment": (
        FIELD.segment,
        {
            "fields": FIELD.sample(2, seed=1),
            "fractions": None,
            "smoothing": 0.1,
            "threads": 1,
        },
    ),
}


@pytest.mark.parametrize("name", CALLS)
@quick
@given(st.data())
def test_any_argument(name, data):
    function, arguments = CALLS[name]
    arguments = dict(arguments)
    replace(data.draw, arguments)
    result = called(function, list(arguments), [], **arguments)
    if isinstance(result, GaussianField):
        fields = result.sample(1, seed=1, threads=1)
        assert np.isfinite(fields).all()
        assert result.labels(1, seed=1, threads=1).shape == (1, *result.shape)
    elif result is not None:
        assert np.isfinite(result).all()


@st.composite
def pictures(draw):
    """Images of any small shape and number of phases, some of which are nowhere."""
    shape = tuple(draw(st.lists(st.integers(2, 9), min_size=2, max_size=3)))
    phases = draw(st.integers(2, 5))
    count = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 100))
    present = draw(st.lists(st.integers(0, phases - 1), min_size=1, max_size=3))
    labels = np.random.default_rng(seed).choice(present, (count, *shape))
    return (
        labels,
        phases,
        draw(st.sampled_from([None, tuple(n + 3 for n in shape), (2,) * len(shape)])),
    )


@quick
@given(pictures(), st.booleans())
def test_any_picture(picture, periodic):
    """Means and exact counts hold, whatever the picture."""
    labels, phases, shape = picture
    dim = labels.ndim - 1
    field = GaussianField.from_images(
        labels, phases=phases, dim=dim, shape=shape, periodic=periodic
    )
    fractions = np.bincount(labels.ravel(), minlength=phases) / labels.size
    np.testing.assert_allclose(field.means, fractions, atol=1e-12)
    fields = field.sample(2, seed=1, threads=2)
    means = fields.mean(axis=tuple(range(2, fields.ndim)), dtype=np.float64)
    expected = fractions[1:] if phases == 2 else fractions
    np.testing.assert_allclose(means, [expected] * 2, atol=1e-5)
    for image in field.labels(2, seed=1, threads=2):
        counts = np.bincount(image.ravel(), minlength=phases)
        assert np.abs(counts - fractions * image.size).max() < 1
