"""Training: the course of the paper, and continuation to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from pearlite import microstructures
from pearlite.generation import Schedule, _reference
from pearlite.generation._batches import Batches

TINY = Schedule(
    iterations=30, batch=6, patch=8, patches=40, channels=6, levels=1, sigma_max=5.0, ema=0.9
)


@pytest.fixture(scope="module")
def image():
    return microstructures.discs(1, (40, 48), number=8, fraction=0.38, seed=1)[0]


# Schedules ----------------------------------------------------------------------------------------


def test_numbers_of_the_paper():
    """Sections 4.4, 5.1 and 5.3.1, Appendices C and D."""
    two, three = Schedule.paper(2), Schedule.paper(3)
    assert (two.iterations, three.iterations) == (500_000, 750_000)
    assert (two.patch, two.patches) == (40, 4000)
    assert (three.patch, three.patches) == (64, 8000)
    assert (two.channels, two.levels, three.channels, three.levels) == (40, 1, 100, 3)
    assert (two.sigma_max, three.sigma_max, two.sigma_min) == (20, 50, 0.01)
    assert two.batch == three.batch == 128
    assert two.noise_levels == 1000
    assert (two.ema, two.clip, two.focus, two.symmetry, two.patience) == (0.999, 1, 0, "none", 0)
    assert two.rate(0) == pytest.approx(1e-3)
    assert two.rate(150_000) == pytest.approx(1e-2)
    assert two.rate(75_000) == pytest.approx(5.5e-3)
    assert two.rate(499_999) == pytest.approx(1e-5)


def test_focus_moves_levels_but_leaves_none_out():
    schedule = replace(TINY, focus=0.5, focus_range=(0.05, 2.0))
    levels = schedule.levels_at((np.arange(100_000) + 0.5) / 100_000)
    counts = np.bincount(levels, minlength=1000)
    assert counts.min() > 0
    sigma = np.geomspace(5, 0.01, 1000)
    inside = (sigma > 0.051) & (sigma < 1.98)
    share = inside.mean()
    assert counts[inside].sum() / 100_000 == pytest.approx(0.5 + 0.5 * share, abs=0.01)
    assert np.ptp(counts[inside]) <= 1 + 0.02 * counts[inside].mean()


# Training -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(image):
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train

    return train(image, schedule=TINY, seed=3, threads=1, name="discs")


def test_loss_falls(trained):
    loss, validation = trained.history["loss"], trained.history["validation_loss"]
    assert loss[:3].mean() > 0.4  # at 1/2 the network knows nothing
    assert loss[-5:].mean() < 0.75 * loss[:3].mean()
    assert validation[-1] < 0.75 * validation[0]
    assert not trained.interrupted


def test_record(trained, image):
    model = trained.model
    assert (model.phases, model.channels, model.levels, model.patch) == (2, 6, 1, 8)
    assert (model.sigma_max, model.sigma_min, model.noise_levels) == (5, 0.01, 1000)
    assert model.name == "discs"
    record = model.training
    assert record["iterations"] == 30
    assert record["batch"] == 6
    assert record["seed"] == 3
    assert record["fractions"] == pytest.approx([1 - image.mean(), image.mean()])
    assert record["reference"]["shape"] == [1, 40, 48]
    assert np.array_equal(_reference.reference(model), image)
    best = trained.history["validation_loss"].argmin()
    assert record["best_iteration"] == trained.history["iteration"][best]
    assert record["loss"] == trained.history["loss"][best]
    assert record["validation_loss"] == trained.history["validation_loss"][best]


def test_the_model_is_the_one_that_did_best_in_validation(image):
    """A rate that grows without bound ruins what was learned."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train
    from pearlite.generation._network import ScoreNetwork

    schedule = replace(TINY, iterations=60, learning_rates=(1e-2, 1e-2, 3.0), ema=0.5)
    trained = train(image, schedule=schedule, seed=3, threads=1)
    losses = trained.history["validation_loss"]
    assert losses[-1] > 1.2 * losses.min()
    assert trained.model.training["best_iteration"] < 60
    unseen = Batches(image[None], schedule, seed=3).validation()
    with torch.no_grad():
        raw = ScoreNetwork.of(trained.model).raw(torch.from_numpy(unseen.noisy)).numpy()
    assert ((raw + unseen.noise) ** 2).mean() / 2 == pytest.approx(losses.min(), rel=1e-5)


def test_the_rate_falls_where_validation_does_not_improve():
    schedule = replace(TINY, iterations=100, patience=0.1)
    assert schedule.last() == 100
    assert schedule.last(40) == 60
    assert schedule.last(90) == 100
    for step in (0, 20, 39):
        assert schedule.rate(step, 40) == schedule.rate(step)
    assert schedule.rate(40, 40) == schedule.rate(40)
    assert schedule.rate(59, 40) == schedule.learning_rates[2]
    assert (np.diff([schedule.rate(step, 40) for step in range(40, 60)]) < 0).all()


def test_a_training_that_gets_worse_goes_back_and_settles(image, tmp_path, monkeypatch):
    """And does so to the bit when it is stopped on the way down."""
    pytest.importorskip("torch", reason="torch is not installed")
    import pearlite.generation._training as training
    from pearlite.generation import train

    plan = replace(
        TINY, iterations=100, learning_rates=(1e-2, 3.0, 1e-3), rise=0.9, ema=0.5, patience=0.1
    )
    whole = train(image, schedule=plan, seed=3, threads=1)
    steps, losses = whole.history["iteration"], whole.history["validation_loss"]
    ahead = [losses[: k + 1].argmin() for k in range(len(losses))]
    fall = next(k for k in range(len(steps)) if steps[k] - steps[ahead[k]] >= 10)
    assert steps[-1] == steps[fall] + 20 < 100
    assert losses[-1] < losses[fall]
    assert whole.model.training["iterations"] == steps[-1]

    def stop(record):
        assert record.iterations == (steps[-1] if record.iteration >= steps[fall] else 100)
        if record.iteration == steps[fall] + 7:
            import signal

            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "_PROGRESS_SECONDS", 0)
    path = tmp_path / "state"
    options = {"schedule": plan, "seed": 3, "threads": 1}
    assert train(image, **options, checkpoint=path, progress=stop).interrupted
    rest = train(image, **options, resume=path)
    assert np.array_equal(rest.history["validation_loss"], losses)
    for name, tensor in whole.model.tensors.items():
        assert np.array_equal(tensor, rest.model.tensors[name]), name


def test_the_model_has_averaged_weights(image):
    """By hand: of n steps, step t counts as t^8 at first, then the older by a rate of 0.5 less."""
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import Model
    from pearlite.generation._optimizer import Optimizer

    schedule = replace(TINY, iterations=14, ema=0.5)
    optimizer = Optimizer(Model.random(phases=2, channels=6, levels=1), schedule)
    batches = Batches(image[None], schedule, seed=0)
    average = optimizer.network.tensors()["bottom.1.weight"].astype(np.float64)
    for k in range(1, 15):
        optimizer.step(batches.draw(k - 1))
        weights = optimizer.network.tensors()["bottom.1.weight"].astype(np.float64)
        rate = k / (k + 9) if k < 9 else 0.5
        average = rate * average + (1 - rate) * weights
    optimizer.loss(batches.validation())  # which leaves the weights as they are
    assert np.array_equal(optimizer.network.tensors()["bottom.1.weight"], weights.astype("f4"))
    optimizer.keep()
    found = optimizer.model().tensors["bottom.1.weight"]
    assert found == pytest.approx(average, abs=1e-6)
    assert not np.allclose(found, weights, atol=1e-6)


@pytest.mark.parametrize("phases", [2, 3])
def test_continuation_to_the_bit(phases, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train

    image = np.random.default_rng(0).integers(0, phases, (32, 32))
    schedule = replace(TINY, iterations=9)
    options = {"schedule": schedule, "seed": 7, "threads": 1}
    whole = train(image, **options)

    def stop(record):
        if record.iteration == 4:
            import signal

            signal.raise_signal(signal.SIGINT)

    path = tmp_path / "half"
    import pearlite.generation._training as training

    before, training._PROGRESS_SECONDS = training._PROGRESS_SECONDS, 0
    try:
        half = train(image, **options, checkpoint=path, progress=stop)
    finally:
        training._PROGRESS_SECONDS = before
    assert half.interrupted
    assert half.model.training["iterations"] == 4
    rest = train(image, **options, resume=path)
    assert not rest.interrupted
    for name, tensor in whole.model.tensors.items():
        assert np.array_equal(tensor, rest.model.tensors[name]), name
    assert np.array_equal(whole.history["validation_loss"], rest.history["validation_loss"])
    assert list(rest.history["iteration"]) == list(range(1, 10))
    assert rest.seconds > half.seconds


def test_a_checkpoint_of_another_training(image, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train
    from pearlite.io import FileError

    schedule = replace(TINY, iterations=2)
    path = tmp_path / "state"
    train(image, schedule=schedule, seed=1, threads=1, checkpoint=path)
    for changes in ({"seed": 2}, {"schedule": replace(schedule, batch=5)}, {"image": 1 - image}):
        arguments = {"schedule": schedule, "seed": 1, "threads": 1, "resume": path, **changes}
        reference = arguments.pop("image", image)
        with pytest.raises(ValueError, match="resume is a checkpoint of another training"):
            train(reference, **arguments)
    again = train(image, schedule=schedule, seed=1, threads=1, resume=path)
    assert again.model.training["iterations"] == 2
    (tmp_path / "text").write_text("no checkpoint")
    with pytest.raises(FileError, match="not a checkpoint of a training"):
        train(image, schedule=schedule, resume=tmp_path / "text")
    again.model.save(tmp_path / "model")
    with pytest.raises(FileError, match="not a checkpoint of a training"):
        train(image, schedule=schedule, resume=tmp_path / "model")
    with pytest.raises(FileError, match="no such file"):
        train(image, schedule=schedule, resume=tmp_path / "missing")


def test_minutes(image):
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train

    found = train(image, schedule=TINY, minutes=0.005, threads=1)
    assert found.schedule.iterations == found.model.training["iterations"] != TINY.iterations


def test_torch_is_left_as_it_was(image):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train(image, schedule=replace(TINY, iterations=1), threads=1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"reference": np.zeros((40, 40), int)}, ValueError, "reference has one phase only"),
        ({"reference": np.eye(12, dtype=int)}, ValueError, "12 x 12 pixels; expected at least 8 x"),
        ({"reference": np.eye(40)}, TypeError, "reference has dtype float64"),
        ({"reference": 2 * np.eye(40, dtype=int)}, ValueError, "but none is 1"),
        ({"reference": -np.eye(40, dtype=int)}, ValueError, "reference has labels from -1"),
        ({"reference": np.arange(1600).reshape(40, 40)}, ValueError, "N at most 16"),
        ({"reference": np.zeros(5, int)}, ValueError, r"reference has shape \(5,\)"),
        ({"schedule": "slow"}, ValueError, "schedule is 'slow'; expected 'quick'"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 1.5}, TypeError, "seed is 1.5"),
        ({"minutes": 0}, ValueError, "minutes is 0"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"name": 3}, TypeError, "name is a int"),
    ],
    ids=lambda value: str(value)[:30].replace("\n", " "),
)
def test_wrong_arguments(image, changes, error, message):
    pytest.importorskip("torch", reason="torch is not installed")
    from pearlite.generation import train

    with pytest.raises(error, match=message):
        train(**{"reference": image, "schedule": TINY, "threads": 1, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"patch": 9}, "patch is 9; expected a multiple of 2"),
        ({"sigma_min": 6.0}, "sigma_min is 6.0; expected less than 5"),
        ({"focus": 1.0}, "focus is 1.0; expected less than 1"),
        ({"learning_rates": (1e-3,)}, "learning_rates is"),
        ({"clip": float("nan")}, "clip is nan"),
        ({"symmetry": "round"}, "symmetry is 'round'; expected 'none', 'half-turn', "),
    ],
)
def test_wrong_schedules(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)
