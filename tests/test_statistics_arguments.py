"""Bad input gets an error that names it; characterizations and their pages."""

import base64
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from odd_arguments import called, quick, replace

import pearlite as pl
from pearlite import _core

stats = pl.statistics
few = settings(quick, max_examples=40)
IMAGE = pl.microstructures.thresholded_noise(2, (6, 8), length=1, seed=1)

CALLS = {
    "volume_fractions": {"labels": IMAGE, "phases": None, "dim": 2},
    "three_point": {
        "field": IMAGE, "vectors": [[(0, 1), (1, 1)]], "phases": 1, "periodic": True, "dim": 2,
    },
    "chord_lengths": {
        "labels": IMAGE, "phases": [1], "directions": [(1, 0)], "periodic": False, "spacing": None,
        "dim": 2, "threads": 1,
    },
    "lineal_path": {
        "labels": IMAGE, "phases": [1], "directions": [(1, 0)], "steps": 4, "periodic": True,
        "spacing": 2.0, "dim": 2, "threads": 1,
    },
    "surface_area": {
        "labels": IMAGE, "phases": [0, 1], "method": "crofton", "periodic": True,
        "spacing": (1.0, 2.0), "dim": 2, "threads": 1,
    },
    "interface_area": {
        "labels": IMAGE, "phases": None, "method": "faces", "periodic": True, "spacing": 1.0,
        "dim": 2, "threads": 1,
    },
    "percolates": {
        "labels": IMAGE, "phase": 1, "connectivity": "edges", "periodic": True, "dim": 2,
        "threads": 1,
    },
    "components": {
        "labels": IMAGE, "phase": 1, "connectivity": "edges", "periodic": True, "dim": 2,
        "threads": 1,
    },
    "two_point_cluster": {
        "labels": IMAGE, "phase": 1, "connectivity": "faces", "periodic": False, "dim": 2,
        "threads": 1,
    },
    "radial_average": {
        "correlation": IMAGE * 0.5, "periodic": True, "spacing": 1.0, "edges": None, "dim": 2,
    },
    "directional_profile": {
        "correlation": IMAGE * 0.5, "direction": (1, 2), "periodic": True, "spacing": 1.0,
        "dim": 2,
    },
    "ensemble": {"values": IMAGE * 1.0, "axis": 0},
    "principal_components": {"values": IMAGE * 1.0, "count": 1},
    "total_variation": {"first": [1, 2], "second": [1, 2]},
    "rms_difference": {"first": IMAGE * 1.0, "second": IMAGE * 2.0, "axes": 2},
    "compare": {
        "first": IMAGE, "second": IMAGE, "phases": [1], "radius": 2, "periodic": True, "dim": 2,
        "threads": 1,
    },
    "natural_scatter": {
        "labels": IMAGE, "phases": [1], "radius": 1, "axis": 0, "dim": 2, "threads": 1,
    },
    "characterize": {
        "labels": IMAGE, "phases": [0, 1], "periodic": True, "spacing": None,
        "connectivity": "faces", "dim": 2, "threads": 1,
    },
}  # fmt: skip

PARTNERS = {"labels", "field", "correlation", "values", "first", "second", "phases"}
PARTNERS |= {"radius", "axis", "axes", "count", "direction", "directions", "vectors"}


@pytest.mark.parametrize("name", CALLS)
@few
@given(st.data())
def test_any_argument_is_answered_or_named(name, data):
    arguments = dict(CALLS[name])
    replaced = replace(data.draw, arguments)
    # What an argument means depends on these, so that either of two may be the one to blame.
    replaced += list(arguments) if "dim" in replaced else set(arguments) & PARTNERS
    positional = [next(iter(arguments))]
    if name in (
        "three_point",
        "directional_profile",
        "total_variation",
        "rms_difference",
        "compare",
    ):
        positional = list(arguments)[:2]
    called(getattr(stats, name), replaced, positional, **arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.volume_fractions(np.ones((4, 4))), "labels has dtype float64"),
        (lambda: stats.volume_fractions(np.ones((4, 4), int), dim=3), "labels has shape"),
        (lambda: stats.volume_fractions(IMAGE, [1, 1]), "phases is"),
        (lambda: stats.volume_fractions(np.arange(400).reshape(20, 20)), "400 distinct values"),
        (lambda: stats.characterize(np.arange(36).reshape(6, 6)), "labels has 36 phases"),
        (lambda: stats.components(IMAGE), "phase is None"),
        (lambda: stats.components(IMAGE, 1, connectivity="sides"), "connectivity is 'sides'"),
        (lambda: stats.chord_lengths(IMAGE, directions=[(0, 0)]), "directions"),
        (lambda: stats.chord_lengths(IMAGE, directions=[(0.5, 0)]), "directions has dtype"),
        (lambda: stats.chord_lengths(IMAGE, spacing=(1, 2, 3)), "spacing has shape"),
        (lambda: stats.lineal_path(IMAGE, steps=0), "steps is 0"),
        (lambda: stats.surface_area(IMAGE, method="best"), "method is 'best'"),
        (lambda: stats.three_point(IMAGE, [[(0, 1), (1, 1)]]), "labels need phases"),
        (
            lambda: stats.three_point(IMAGE == 1, [[(5, 0), (-1, 0)]], periodic=False),
            "fits nowhere",
        ),
        (lambda: stats.radial_average(np.ones((4, 5)), periodic=False), "odd sizes"),
        (lambda: stats.directional_profile(np.ones((4, 4)), (0, 0)), "direction"),
        (lambda: stats.principal_components(np.ones((1, 4))), "values has shape"),
        (lambda: stats.principal_components([[1.0], [np.nan]]), "not finite"),
        (lambda: stats.total_variation([-1, 2], [1]), "first has shape"),
        (lambda: stats.compare(IMAGE, IMAGE, radius=9), "radius is 9"),
        (lambda: stats.natural_scatter(IMAGE, axis=2), "axis is 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages(call, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        call()


def test_the_kernels_check_shapes():
    mask, steps = np.ones((1, 4, 4), np.uint8), np.eye(3, dtype=np.int64)
    places = np.zeros(256, np.uint8)
    for call in (
        lambda: _core.windings(mask[0], 1, 1),
        lambda: _core.components(mask[0], 1, True, 1),
        lambda: _core.chords(mask, places, 1, steps, True, 1),
        lambda: _core.interface_counts(mask[0], places, 1, steps, True, 1),
        lambda: _core.chords(mask, places + np.uint8(9), 1, steps[:2, :2].copy(), True, 1),
        lambda: _core.chords(mask, places[:9], 1, steps[:2, :2].copy(), True, 1),
        lambda: _core.cluster_pairs(mask[0].astype(np.int32), 1, 1, True, 1),
    ):
        with pytest.raises(ValueError, match=r"wrong|beyond"):
            call()


# Characterizations -------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
def test_a_characterization_is_its_functions(dim, periodic):
    batch = pl.microstructures.thresholded_noise(
        3, (12, 10, 9)[:dim], length=1, fractions=(0.2, 0.3, 0.5), seed=1
    )
    labels = np.array([7, 3, 9], np.uint16)[batch]
    found = stats.characterize(labels, periodic=periodic, spacing=0.5, dim=dim)
    assert found.phases == (3, 7, 9)
    options = {"periodic": periodic, "dim": dim}
    assert_array_equal(found.fractions, stats.volume_fractions(labels, dim=dim))
    assert_array_equal(found.surface, stats.surface_area(labels, spacing=0.5, **options))
    s2 = stats.two_point_cluster(labels == 7, connectivity="faces", **options)
    radial = stats.radial_average(s2, spacing=0.5, **options)
    assert_array_equal(found.cluster_radial.values[:, 1], radial.values)
    counts = pl.correlation.two_point(labels, phases=[3, 7, 9], counts=True, **options)
    zero = (...,) + ((0,) * dim if periodic else tuple(n - 1 for n in labels.shape[1:]))
    assert_array_equal(found.two_point[zero] * labels[0].size, counts[zero])
    assert_array_equal(found.clusters[:, 2], stats.components(labels, 9, **options).counts)
    assert_array_equal(
        found.percolates[:, 0], stats.percolates(labels, 3, connectivity="faces", **options)
    )
    assert_array_equal(
        found.chords.counts, stats.chord_lengths(labels, spacing=0.5, **options).counts
    )
    columns = found.columns()
    assert columns["phase"] == [3, 7, 9] * 3
    assert columns["image"] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert {len(column) for column in columns.values()} == {9}
    json.dumps(columns)
    arrays = found.arrays()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert_array_equal(arrays["two_point"], found.two_point)


@pytest.mark.parametrize(
    "labels",
    [
        IMAGE[0],
        IMAGE,
        np.zeros((4, 5), int),  # one phase: no chord, no interface
        np.arange(30).reshape(5, 6) % 12,  # more phases than colours
        pl.microstructures.thresholded_noise(1, (8, 6, 7), length=1, seed=1)[0],
    ],
    ids=["one", "batch", "empty", "phases", "volume"],
)
def test_reports(labels, tmp_path):
    dim = 3 if labels.shape == (8, 6, 7) else 2
    found = stats.characterize(labels, dim=dim, periodic=labels.shape != (6, 8))
    found.report(tmp_path / "page.html", title="<Stripes>")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>&lt;Stripes&gt;</h1>" in page
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) >= 7
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
