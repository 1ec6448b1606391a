"""Matching images through the kernel identity, and what all methods share."""

import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import correlation as reference

import pearlite as pl
from pearlite import microstructures as models
from pearlite.reconstruction import _counts, match, overlap

IMAGES = {
    "checkerboard": models.checkerboard((64, 64), tiles=8),
    "noise": models.thresholded_noise(1, (64, 64), length=2, fractions=(0.6, 0.4), seed=3)[0],
    "smooth": models.thresholded_noise(1, (96, 64), length=6, seed=3)[0],
    "white": models.thresholded_noise(1, (64, 64), length=0, fractions=(0.7, 0.3), seed=4)[0],
    "odd": models.voronoi(1, (45, 51), sites=40, phases=2, seed=1)[0],
    "three phases": models.voronoi(1, (48, 48), sites=40, phases=3, seed=1)[0],
    "volume": models.thresholded_noise(1, (32, 32, 32), length=1.5, seed=1)[0],
    "rare": models.thresholded_noise(1, (64, 64), length=1, fractions=(0.97, 0.03), seed=1)[0],
    "tiny": models.thresholded_noise(1, (8, 8), length=1, seed=1)[0],
    "layers": models.laminate((32, 32), axis=0, fractions=(0.3, 0.7), periods=4),
}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("seed", range(2))
def test_images_are_found_again(name, seed):
    image = IMAGES[name]
    result = match(image, seed=seed)
    assert result.exact
    assert result.wrong_pixels == 0
    assert result.method == "identity"
    assert result.image.dtype == np.uint8
    # Exact up to a translation, pixel by pixel.
    found = overlap(result.image, image)
    assert found.best == 1
    assert not found.reflected
    moved = np.roll(result.image, found.shift, tuple(range(image.ndim)))
    np.testing.assert_array_equal(moved, image)


def test_exact_means_that_all_integer_counts_agree():
    image = models.thresholded_noise(1, (8, 9), length=1, seed=2)[0]
    result = match(image, seed=5)
    assert result.exact
    for phase in (0, 1):
        np.testing.assert_array_equal(
            reference.three_point_counts(result.image == phase),
            reference.three_point_counts(image == phase),
        )


@given(st.integers(0, 10**6), st.integers(2, 3))
def test_integer_counts(seed, phases):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 6, 2))
    a, b = rng.integers(phases, size=(2, *shape))
    distance = 0
    for i in range(phases):
        for j in range(phases):
            for k in range(phases):
                t = [triple_counts(x == i, x == j, x == k) for x in (a, b)]
                distance += int(((t[0] - t[1]) ** 2).sum())
    assert _counts.three_point_distance(a, b, phases) * a.size == distance * a.size
    seen = range(phases) if phases > 2 else (1,)
    pairs = [[reference.correlation((x == i) * 1, (x == i) * 1) for i in seen] for x in (a, b)]
    wrong = np.any(np.array(pairs[0]) != np.array(pairs[1]), axis=0).sum()
    assert _counts.wrong_two_point(a, b, phases) == wrong


def triple_counts(a, b, c):
    shifts = reference.shifts(a.shape)
    moved = [[reference.shifted(x, r).ravel() * 1 for r in shifts] for x in (b, c)]
    return np.einsum("x,rx,sx->rs", a.ravel() * 1, *map(np.array, moved))


def test_sums_of_cubes_do_not_overflow():
    values = np.array([[2**33 + 5, 2**40 - 1], [3, 0]], np.int64)
    assert _counts._sum_of_cubes(values) == sum(int(v) ** 3 for v in values.ravel())


def test_two_point_counts_cannot_tell_a_reflection_but_exactness_can():
    image = models.voronoi(1, (32, 32), sites=20, phases=2, seed=2)[0]
    turned = np.ascontiguousarray(np.flip(image))
    assert _counts.wrong_two_point(turned, image, 2) == 0
    assert _counts.three_point_distance(turned, image, 2) > 0
    assert _counts.three_point_distance(np.roll(image, (3, 5), (0, 1)), image, 2) == 0


def test_same_seed_same_result_whatever_the_threads():
    image = IMAGES["noise"]
    first, second = (match(image, seed=7, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.history.loss, second.history.loss)
    other = match(image, seed=8)
    assert other.history.loss[0] != first.history.loss[0]


def test_history_and_progress():
    records = []
    result = match(IMAGES["noise"], seed=1, progress=records.append)
    history = result.history
    assert len(history) == len(records) == len(history.loss)
    assert [r.evaluation for r in records] == history.evaluation.tolist()
    assert np.all(np.diff(history.evaluation) > 0)
    assert np.all(np.diff(history.seconds) >= 0)
    assert history.wrong[-1] == 0
    assert history.rounded_loss[-1] == 0
    counted = history.wrong > 0
    assert np.all(np.isfinite(history.rounded_loss[counted]))
    assert result.seconds == history.seconds[-1]


def test_several_images_are_a_compromise():
    images = list(models.thresholded_noise(2, (32, 32), length=2, seed=1))
    result = match(images, seed=1, evaluations=200)
    assert not result.exact
    assert result.wrong_pixels is None
    # No worse than either image by itself.
    target = pl.correlation.KernelTarget(images)
    losses = [pl.correlation.kernel_loss(x.astype(np.float32), target) for x in images]
    assert result.loss < min(losses)
    assert "2 images" in result.why


def test_auto_says_what_it_chose():
    assert "Chose 'identity', since images are given." in match(IMAGES["tiny"], seed=0).why
    assert "Chose" not in match(IMAGES["tiny"], seed=0, method="identity").why


def test_limit_of_evaluations():
    result = match(IMAGES["noise"], seed=1, evaluations=5)
    assert not result.exact
    assert result.image.shape == (64, 64)
    assert result.history.evaluation[-1] <= 5
    assert "5 evaluations" in result.why
    assert result.wrong_pixels > 0


def stop_at(count):
    seen = []

    def progress(record):
        seen.append(record)
        if len(seen) == count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("count", [1, 20, 33])
def test_ctrl_c_returns_the_best_so_far_and_it_can_be_resumed(tmp_path, count):
    image, path = IMAGES["noise"], tmp_path / "state.npz"
    result = match(image, seed=1, progress=stop_at(count), checkpoint=path)
    assert result.interrupted
    assert not result.exact
    assert len(result.history) == count
    assert "Ctrl-C" in result.why
    assert result.image.shape == image.shape
    again = match(image, seed=1, resume=path, checkpoint=path)
    assert again.exact
    assert not again.interrupted
    assert len(again.history) > count
    np.testing.assert_array_equal(again.history.loss[:count], result.history.loss)
    assert again.seconds >= result.seconds


def test_a_real_signal():
    image = models.thresholded_noise(1, (512, 512), length=3, seed=1)[0]
    sent = []
    timer = threading.Timer(0.02, lambda: (sent.append(1), signal.raise_signal(signal.SIGINT)))
    timer.start()
    try:
        result = match(image, seed=1)
        finished = not sent
    except KeyboardInterrupt:  # before the search began
        return
    finally:
        timer.cancel()
        timer.join()
    assert result.interrupted or finished
    assert result.image.shape == image.shape


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    match(IMAGES["tiny"], seed=1, checkpoint=path)
    with pytest.raises(ValueError, match="another run"):
        match(IMAGES["tiny"], seed=2, resume=path)
    with pytest.raises(ValueError, match="another run"):
        match(IMAGES["layers"], seed=1, resume=path)
    with pytest.raises(ValueError, match="no such file"):
        match(IMAGES["tiny"], seed=1, resume=tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a checkpoint"):
        match(IMAGES["tiny"], seed=1, resume=tmp_path / "bad.npz")


def test_report(tmp_path):
    pytest.importorskip("matplotlib")
    for name, image in (("a", IMAGES["tiny"]), ("b", IMAGES["volume"])):
        path = tmp_path / f"{name}.html"
        match(image, seed=1).report(path)
        page = path.read_text(encoding="utf-8")
        assert "The original." in page
        assert "wrong pixels" in page
        assert "overlap by chance" in page


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (np.zeros((8, 8), int), {}, "one phase only, 0"),
        (np.ones((8, 8), int), {}, "one phase only, 1"),
        ([np.zeros((4, 4), int), np.eye(5, dtype=int)], {}, "expected one shape"),
        ([], {}, "target is empty"),
        (np.eye(4), {}, "Correlations"),
        (np.eye(4, dtype=complex), {}, "target has dtype complex128"),
        (np.arange(8), {}, r"target has shape \(8,\)"),
        (-np.eye(4, dtype=int), {}, "labels from -1"),
        (np.eye(4, dtype=int) * 300, {}, "to 300"),
        ("image.png", {}, "target"),
        (None, {}, "target"),
        (
            np.eye(4, dtype=int),
            {"method": "magic"},
            "method is 'magic'; expected 'auto', ",
        ),
        (np.eye(4, dtype=int), {"shape": (8, 8)}, "shape is"),
        (np.eye(4, dtype=int), {"shape": 8}, "shape is 8"),
        (np.eye(4, dtype=int), {"seed": -1}, "seed is -1"),
        (np.eye(4, dtype=int), {"seed": 1.5}, "seed is 1.5"),
        (np.eye(4, dtype=int), {"phases": 1}, "phases is 1"),
        (np.eye(4, dtype=int), {"evaluations": 0}, "evaluations is 0"),
        (np.eye(4, dtype=int), {"tolerance": 0}, "tolerance is 0"),
        (np.eye(4, dtype=int), {"threads": 0}, "threads is 0"),
        (np.eye(4, dtype=int), {"radius": 3}, "radius is no option of method='identity'"),
    ],
)
def test_bad_input_is_named(target, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        match(target, **({"seed": 0} | options))


# Overlap -----------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(2, 3))
def test_overlap_is_the_best_of_all_places(seed, phases):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 8, 2))
    a, b = rng.integers(phases, size=(2, *shape))
    found = overlap(a, b)
    assert found.best == 1 - reference.wrong_pixels(a, b) / a.size
    moved = np.roll(np.flip(a) if found.reflected else a, found.shift, (0, 1))
    assert np.mean(moved == b) == pytest.approx(found.best)


def test_chance_is_the_overlap_of_independent_images():
    images = models.thresholded_noise(9, (64, 64), length=3, fractions=(0.7, 0.3), seed=5)
    found = [overlap(image, images[0]) for image in images[1:]]
    best, chance = (np.array([getattr(f, name) for f in found]) for name in ("best", "chance"))
    assert abs(best.mean() - chance.mean()) < 3 * best.std() / np.sqrt(len(best)) + 0.005
    copy = overlap(np.roll(images[0], 5, 0), images[0])
    assert copy.best == 1
    # Its spectrum fluctuates with that of the original, where others' do so independently.
    assert abs(copy.chance - chance.mean()) < 0.04


def test_overlap_of_other_shapes():
    image = models.thresholded_noise(1, (48, 40), length=2, seed=5)[0]
    window = np.roll(image, (-3, -5), (0, 1))[:16, :20]
    found = overlap(image, window)
    assert found.best == 1
    moved = np.roll(np.flip(image) if found.reflected else image, found.shift, (0, 1))
    np.testing.assert_array_equal(moved[:16, :20], window)
    assert found.chance < 0.95
    larger = overlap(image[:20, :16], image)
    assert larger.best == 1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.eye(4), np.eye(4, dtype=int), "image has dtype float64"),
        (np.eye(4, dtype=int), np.ones((4, 4, 4), int), "reference has 3 axes"),
        (np.ones(4, int), np.eye(4, dtype=int), "image has shape"),
    ],
)
def test_overlap_names_bad_input(a, b, message):
    with pytest.raises((TypeError, ValueError), match=message):
        overlap(a, b)


def test_grey_values_are_phases():
    image = pl.microstructures.checkerboard((16, 16), tiles=4)
    result = pl.reconstruction.match(np.where(image, 255, 7).astype(np.uint8), seed=1)
    assert result.exact
    assert set(np.unique(result.image)) == {7, 255}
    assert set(np.unique(result.references[0])) == {7, 255}
