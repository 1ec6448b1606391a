import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import descriptor as reference

import pearlite as pl
from pearlite.correlation import _window
from pearlite.io.errors import FileError

FORMS = ("centred", "product", "logistic")


def image(shape=(16, 12), seed=0, phases=2):
    return np.random.default_rng(seed).integers(phases, size=shape, dtype=np.uint8)


def expected(field, radius, form):
    """-> gram, s2 of one level, by direct sums."""
    field = field - field.mean() if form == "centred" else field
    gram, means = reference.descriptor(field, reference.half_window(radius), form)
    if form == "logistic":
        means = _window.corrected_s2(gram)
    return gram, means


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "radius"),
    [
        ((64, 64), (5, 7)),
        ((7, 11), (3, 4)),  # primes, less than a tile
        ((5, 3), (6, 2)),  # vectors that reach around
        ((2, 70), (0, 40)),
        ((70, 2), (9, 0)),
        ((9, 10, 12), (2, 3, 1)),
        ((1, 5, 70), (1, 0, 9)),
        ((40, 40), (15, 15)),  # several blocks of columns
    ],
)
def test_against_direct_sums(shape, radius, form, dtype):
    field = np.random.default_rng(1).random(shape).astype(dtype)
    found = pl.correlation.descriptor(field, radius=radius, levels=1, form=form)
    gram, s2 = expected(field.astype(np.float64), radius, form)
    tolerance = 1e-12 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(found.gram[0], gram, atol=tolerance)
    np.testing.assert_allclose(found.s2[0], s2, atol=tolerance)
    assert found.gram.dtype == found.s2.dtype == dtype
    np.testing.assert_array_equal(found.gram[0], found.gram[0].T)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "radius"), [((20, 37), (5, 4)), ((7, 6, 5), (2, 1, 2)), ((34, 33), (14, 14))]
)
def test_gradient_by_differences(shape, radius, form, dtype):
    rng = np.random.default_rng(2)
    values, direction = rng.random(shape).astype(dtype), rng.standard_normal(shape)
    vectors = reference.half_window(radius)
    of_gram = rng.standard_normal((len(vectors),) * 2).astype(dtype)  # need not be symmetric
    of_s2 = rng.standard_normal(len(vectors)).astype(dtype)
    gradient = _window.pull_back(values, vectors, form, of_gram, of_s2, 2)

    def weighted(step):
        field = values.astype(np.float64) + step * direction
        gram, s2 = reference.descriptor(field, vectors, form)
        if form == "logistic":
            s2 = _window.corrected_s2(gram)
        return (of_gram * gram).sum() + (of_s2 * s2).sum()

    slope = (weighted(1e-5) - weighted(-1e-5)) / 2e-5
    error = abs((gradient * direction).sum() - slope)
    assert error < (1e-7 if dtype == np.float64 else 2e-5) * np.abs(gradient * direction).sum()


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 40)),
    radius=st.tuples(st.integers(0, 4), st.integers(1, 6)),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_any_shape(shape, radius, form, seed):
    field = np.random.default_rng(seed).random(shape)
    found = pl.correlation.descriptor(field, radius=radius, levels=1, form=form)
    np.testing.assert_allclose(found.gram[0], expected(field, radius, form)[0], atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_does_not_depend_on_threads_or_translation(form):
    field = np.random.default_rng(3).random((48, 40))
    one, four = (pl.correlation.descriptor(field, radius=9, form=form, threads=t) for t in (1, 4))
    np.testing.assert_array_equal(one.gram, four.gram)
    moved = pl.correlation.descriptor(np.roll(field, (8, 16), (0, 1)), radius=9, form=form)
    np.testing.assert_allclose(one.gram, moved.gram, atol=1e-13)
    weights = np.ones_like(one.gram[0])
    gradients = [
        _window.pull_back(field, one.vectors, form, weights, weights[0], t) for t in (1, 4)
    ]
    np.testing.assert_array_equal(*gradients)


def test_product_counts_labels():
    """N G(r, s) is the number of pixels with phase 1 at x, x + r and x + s."""
    labels = image((10, 14))
    found = pl.correlation.descriptor(labels, radius=2, levels=1, form="product")
    shifted = [reference.shifted(labels, v).astype(bool) for v in found.vectors]
    here = labels.astype(bool)
    counts = [[(here & a & b).sum() for b in shifted] for a in shifted]
    np.testing.assert_array_equal(np.rint(found.gram[0] * labels.size), counts)
    np.testing.assert_allclose(found.gram[0] * labels.size, counts, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_correlations_are_those_of_labels(form):
    """Eqs. (29) to (31), and what centring takes away."""
    labels = image((14, 10), seed=4)
    exact = pl.correlation.descriptor(labels, radius=3, levels=1, form="product")
    s2, s3 = pl.correlation.descriptor(labels, radius=3, levels=1, form=form).correlations()
    known = ~np.isnan(s3)
    np.testing.assert_allclose(s2, exact.s2[0], atol=1e-12)
    np.testing.assert_allclose(s3[known], exact.gram[0][known], atol=1e-12)
    # Of r and s the difference must lie in the window.
    apart = np.abs(exact.vectors[:, None] - exact.vectors[None]).max(-1)
    if form != "product":
        assert known[apart <= 3].all()
    assert known.mean() > 0.5


def test_threshold():
    """f(1/2) = .08154 at steepness 10; f(0) = 0, f(1) = 1 and the inflection at 3/4."""
    assert _window.half_value() == pytest.approx(0.08154, abs=5e-6)
    for value in (0.0, 0.5, 1.0):
        field = np.full((4, 4), value)
        found = pl.correlation.descriptor(field, radius=1, levels=1, form="logistic")
        np.testing.assert_allclose(found.gram[0], reference.threshold(value) ** 2, atol=1e-14)
    steps = reference.threshold(0.75 + np.array([-1e-3, 0, 1e-3]))
    assert np.diff(steps, 2)[0] == pytest.approx(0, abs=1e-12)


def test_levels_are_means_of_pixels():
    labels = image((32, 64))
    found = pl.correlation.descriptor(labels, radius=6, form="product")
    assert found.levels == 4  # 64 → 8 pixels, which a window of 13 covers
    np.testing.assert_array_equal(found.weights, [1, 2, 4, 8])
    pooled = labels.reshape(8, 4, 16, 4).mean((1, 3))
    gram, s2 = expected(pooled, (6, 6), "product")
    np.testing.assert_allclose(found.gram[2], gram, atol=1e-13)
    np.testing.assert_allclose(found.s2[2], s2, atol=1e-13)


def test_default_levels_are_those_of_the_paper():
    for n, levels in ((64, 1), (128, 2), (256, 3)):
        assert _window.level_count(None, (n, n), (31, 31)) == levels


def test_checkerboard_has_no_centred_three_point_correlations():
    found = pl.correlation.descriptor(pl.microstructures.checkerboard((16, 16), tiles=4), radius=3)
    assert np.abs(found.gram[0]).max() < 1e-15
    assert found.s2[0][0] == 0.25


def test_phases_are_spread_over_the_unit_interval():
    labels = image((12, 12), phases=3)
    found = pl.correlation.descriptor(labels, radius=2)
    np.testing.assert_allclose(found.fractions, [(labels == k).mean() for k in range(3)])
    field = labels / 2
    same = pl.correlation.descriptor(field, radius=2)
    np.testing.assert_allclose(found.gram, same.gram, atol=1e-15)
    assert found.mean == pytest.approx(field.mean())


def test_saves_and_loads(tmp_path):
    found = pl.correlation.descriptor(image(), radius=(2, 1))
    found.save(tmp_path / "found.npz")
    again = pl.correlation.Descriptor.load(tmp_path / "found.npz")
    for name in ("vectors", "weights", "fractions", "s2", "gram", "shape", "radius"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert again.form == "centred"
    assert [path.name for path in tmp_path.iterdir()] == ["found.npz"]


def test_damaged_files(tmp_path):
    path = tmp_path / "found.npz"
    with pytest.raises(FileError, match="no such file"):
        pl.correlation.Descriptor.load(path)
    path.write_bytes(b"PK\x03\x04 not a descriptor")
    with pytest.raises(FileError, match="not a descriptor"):
        pl.correlation.Descriptor.load(path)
    found = pl.correlation.descriptor(image(), radius=1)
    np.savez(path, **{**vars(found), "s2": found.s2[:, :-1]})
    with pytest.raises(FileError, match="do not fit"):
        pl.correlation.Descriptor.load(path)
    np.savez(path, **{**vars(found), "gram": np.array([{}], object)})
    with pytest.raises(FileError, match="not a descriptor"):
        pl.correlation.Descriptor.load(path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"radius": 0}, ValueError, "radius is 0"),
        ({"radius": (1, 2, 3)}, ValueError, "radius is"),
        ({"radius": (2, -1)}, ValueError, "radius is"),
        ({"radius": 1.5}, TypeError, "radius is 1.5"),
        ({"radius": 200}, ValueError, "80401 vectors"),
        ({"form": "raw"}, ValueError, "form is 'raw'"),
        ({"levels": 0}, ValueError, "levels is 0"),
        ({"levels": 3, "field": np.zeros((6, 6))}, ValueError, "expected 1 to 2"),
        ({"levels": True}, TypeError, "levels is True"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"field": np.zeros(5)}, ValueError, r"field has shape \(5,\)"),
        ({"field": np.zeros((0, 5))}, ValueError, "field has shape"),
        ({"field": np.zeros((4, 4), complex)}, TypeError, "field has dtype complex128"),
        ({"field": np.zeros((4, 4), np.float16)}, TypeError, "field has dtype float16"),
        ({"field": np.full((4, 4), np.nan)}, ValueError, "not finite"),
        ({"field": np.full((4, 4), -1)}, ValueError, "labels from -1"),
        ({"field": np.full((4, 4), 300)}, ValueError, "to 300"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"field": image(), "radius": 2} | change
    with pytest.raises(error, match=message):
        pl.correlation.descriptor(arguments.pop("field"), **arguments)
