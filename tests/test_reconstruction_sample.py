"""New structures: exact counts, any size, several phases, and what a user may do wrong."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.reconstruction import overlap, sample


def level_set(shape, length=2.0, fractions=(0.6, 0.4), seed=1):
    return pl.microstructures.thresholded_noise(
        1, shape, length=length, fractions=fractions, seed=seed
    )[0]


def counts(image, phases):
    return np.bincount(image.ravel(), minlength=phases).tolist()


@pytest.fixture(scope="module")
def reference():
    return level_set((128, 128), 3.0)


@pytest.fixture(scope="module")
def result(reference):
    return sample(reference, seed=3)


def test_statistics_lie_within_the_natural_scatter(result):
    found = result.details["comparison"]
    assert found.within
    assert found.s2_error > 0
    assert "total variation" in result.why


def test_fractions_are_exact_and_labels_the_references_own(result, reference):
    assert counts(result.image, 2) == counts(reference, 2)
    assert result.image.dtype == np.uint8
    assert result.method == "sample"


def test_it_is_no_copy(result, reference):
    found = overlap(result.image, reference)
    assert abs(found.best - found.chance) < 0.03  # 128² pixels hold few correlation lengths
    assert found.best < 0.75


def test_connectivity_that_no_term_asks_for_is_met(result, reference):
    # Held out: the conductivity at high contrast depends on necks and clusters.
    values = [
        np.trace(pl.homogenize(image, phases=[1.0, 100.0]))
        for image in (reference, result.image, level_set((128, 128), 3.0, seed=2))
    ]
    assert abs(np.log(values[1] / values[0])) < 0.35


def test_report_is_one_page(result, tmp_path):
    result.report(tmp_path / "sample.html")
    page = (tmp_path / "sample.html").read_text()
    assert "overlap by chance" in page


def test_history_tells_of_both_parts(result):
    assert np.all(np.diff(result.history.evaluation) == 1)
    energies = result.history.rounded_loss[np.isfinite(result.history.rounded_loss)]
    assert len(energies) == 5
    assert energies[-1] < energies[0]


def test_the_seed_alone_decides():
    image = level_set((40, 52))
    first, again = (sample(image, seed=5, threads=threads).image for threads in (1, 3))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, sample(image, seed=6).image)


def test_any_size_and_labels():
    image = np.where(level_set((64, 64), fractions=(0.75, 0.25)), 255, 7).astype(np.uint8)
    made = sample(image, shape=(97, 131), seed=0).image
    assert made.shape == (97, 131)
    assert set(np.unique(made)) == {7, 255}
    assert (made == 255).sum() == round(97 * 131 * 0.25)


def test_booleans_and_references_of_two_sizes():
    images = [level_set((48, 60), seed=1) == 1, level_set((70, 40), seed=2) == 1]
    made = sample(images, shape=(64, 64), seed=0).image
    share = sum(image.sum() for image in images) / sum(image.size for image in images)
    assert abs(made.sum() - share * made.size) <= 0.5


def test_three_phases_have_exact_counts():
    image = level_set((64, 64), fractions=(0.5, 0.3, 0.2))
    made = sample(image, shape=(80, 64), seed=0)
    wanted = np.array(counts(image, 3)) * 80 / 64
    assert np.abs(np.array(counts(made.image, 3)) - wanted).max() < 1
    assert made.details["comparison"].chord_error.shape == (3,)


def test_a_solid_from_one_section():
    image = level_set((64, 64))
    made = sample(image, shape=(32, 32, 32), seed=0)
    assert made.image.shape == (32, 32, 32)
    assert abs(made.image.mean() - image.mean()) * made.image.size <= 0.5
    assert made.details["comparison"].s2_error < 0.02


def test_a_solid_from_sections_of_each_axis_is_as_anisotropic_as_these():
    # Layers normal to axis 0: sections normal to axes 1 and 2 show them, one normal to 0 does not.
    seen = level_set((64, 64))
    seen = np.repeat(seen[:, :1], 64, axis=1)
    plain = level_set((64, 64), length=0.0)
    made = sample({0: plain, 1: seen, 2: [seen]}, shape=(24, 24, 24), seed=0).image.astype(float)
    along = [np.mean(made == np.roll(made, 1, axis)) for axis in range(3)]
    assert min(along[1], along[2]) > 0.75


def test_a_solid_from_a_solid():
    solid = level_set((24, 28, 32))
    made = sample(solid, seed=0)
    assert made.image.shape == solid.shape
    assert counts(made.image, 2) == counts(solid, 2)


def test_layers_stay_layers():
    image = np.kron(np.arange(64) // 4 % 2, np.ones((64, 1))).astype(np.uint8)
    made = sample(image, seed=0).image
    assert np.mean(made == np.roll(made, 1, 0)) > 0.95


def test_effort_is_what_is_done():
    image = level_set((64, 64))
    little, more = (sample(image, seed=0, effort=effort) for effort in (0.2, 2.0))
    assert len(little.history) < len(more.history)
    assert more.rounded_loss < little.rounded_loss


class Stop:
    """Raises KeyboardInterrupt at a record, as Ctrl-C does."""

    def __init__(self, at):
        self.at, self.seen = at, 0

    def __call__(self, record):
        self.seen += 1
        if self.seen == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [1, 9, 12])
def test_ctrl_c_returns_the_best_so_far(at):
    image = level_set((64, 64))
    made = sample(image, seed=1, progress=Stop(at))
    assert made.interrupted
    assert len(made.history) == at
    assert counts(made.image, 2) == counts(image, 2)


@pytest.mark.parametrize("at", [5, 9, 12])
def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path, monkeypatch, at):
    from pearlite.reconstruction import _watch

    monkeypatch.setattr(_watch, "_CHECKPOINT_SECONDS", 0.0)
    image = level_set((64, 64))
    path = tmp_path / "state.npz"
    sample(image, seed=1, progress=Stop(at), checkpoint=path)
    whole, resumed = sample(image, seed=1), sample(image, seed=1, resume=path)
    assert np.array_equal(whole.image, resumed.image)
    assert len(whole.history) == len(resumed.history)
    with pytest.raises(ValueError, match="resume"):
        sample(image, seed=2, resume=path)


GOOD = level_set((32, 32))


@pytest.mark.parametrize(
    ("references", "options", "message"),
    [
        (np.zeros((32, 32), np.uint8), {}, r"references have the label 0 only"),
        (np.full((32, 32), 3), {}, r"the label 3 only"),
        (GOOD[:8], {}, r"references has shape \(8, 32\); expected at least 16"),
        ([GOOD, GOOD[:, :9]], {}, r"references\[1\] has shape \(32, 9\)"),
        ([GOOD, level_set((16, 16, 16))], {}, r"references\[1\] has 3 axes; expected 2"),
        (GOOD, {"shape": (32,)}, "shape"),
        (GOOD, {"shape": (32, 8)}, "shape .* at least 16"),
        (level_set((16, 16, 16)), {"shape": (32, 32)}, "shape .* expected 3 axes"),
        ({0: GOOD, 1: GOOD}, {"shape": (32, 32, 32)}, r"axes \[0, 1\]"),
        ({0: GOOD, 1: GOOD, 2: GOOD}, {"shape": (32, 32)}, "3 axes"),
        ({3: GOOD}, {}, "key 3"),
        ({}, {}, "empty mapping"),
        ([], {}, "references"),
        (GOOD.astype(float), {}, "references has dtype float64"),
        (np.int64(GOOD) * 300, {}, "labels from 0 to 300"),
        (GOOD, {"shape": (2**16, 2**16)}, "at most 2.31 pixels"),
        (GOOD, {"seed": -1}, "seed"),
        (GOOD, {"effort": 0}, "effort is 0"),
        (GOOD, {"effort": np.nan}, "effort is nan"),
        (GOOD, {"threads": 0}, "threads"),
    ],
)
def test_bad_input(references, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sample(references, **{"seed": 0, **options})
