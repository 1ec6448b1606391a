"""Long runs that make what they write: images, and samples of models."""

import csv
import json

import numpy as np
import pytest
from long_runs import IMAGE, LAW, MODEL, TABLE

import pearlite as pl
from pearlite.io import FileError

ASKED = {"statistics": IMAGE, "evaluations": 3, "seed": 4}


@pytest.mark.parametrize("chunk", [None, 3])
def test_images_are_those_of_generate(chunk, tmp_path):
    expected = pl.generation.generate(MODEL, 7, sample=2, **ASKED).images
    report = pl.batch.generate(
        tmp_path / "t.npy", 7, model=MODEL, sample=2, chunk=chunk, threads=1, **ASKED
    )
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)
    assert (report.count, report.failed) == (7, 0)


@pytest.mark.parametrize("ending", ["zarr", "h5"])
def test_stores_of_images(ending, tmp_path):
    target = tmp_path / f"t.{ending}"
    pl.batch.generate(target, 7, model=MODEL, chunk=3, volume_fraction=0.3, **ASKED)
    if ending == "zarr":
        store = pytest.importorskip("zarr").open(str(target), mode="r")
        about = store.attrs["pearlite"]
    else:
        store = pytest.importorskip("h5py").File(target)
        about = json.loads(store.attrs["pearlite"])
    expected = pl.generation.generate(MODEL, 7, volume_fraction=0.3, **ASKED).images
    np.testing.assert_array_equal(store["images"][:], expected)
    np.testing.assert_array_equal(store["index"][:], np.arange(7))
    assert (about["operation"], about["seed"], about["shape"]) == ("generate", 4, [16, 16])
    assert about["volume_fractions"] == [0.7, 0.3]


def test_a_run_of_another_model_or_seed(tmp_path):
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    def run(**options):
        asked = {"model": MODEL, **ASKED, "chunk": 3, **options}
        pl.batch.generate(tmp_path / "t.npy", 9, **asked)

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    other = pl.generation.Model.random(phases=2, channels=2, levels=1, seed=1)
    for change in ({"model": other}, {"seed": 5}, {"evaluations": 4}, {"statistics": IMAGE.T}):
        with pytest.raises(FileError, match="the unfinished run has another work"):
            run(**change, resume=True)


def test_samples_do_not_depend_on_chunks(tmp_path):
    law, values = pl.inversion.DirichletLayers(2), {"a": [1.0, 5.0], "alpha": [2.0, 3.0]}
    found = []
    for chunk in (None, 700, 1024):
        pl.batch.simulate(law, values, 2500, tmp_path / "t.npy", seed=1, chunk=chunk)
        found.append(np.load(tmp_path / "t.npy"))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    # The law: its distribution function of a sample is uniform.
    exact, _ = law.distribution(
        {name: np.array(v) for name, v in values.items()}, np.sort(found[0][:, 0])
    )
    assert np.abs(exact - (np.arange(2500) + 0.5) / 2500).max() < 1.63 / np.sqrt(2500)  # 1 %


def test_table_of_parameters(tmp_path):
    pl.batch.simulate(LAW, TABLE, 5, tmp_path / "t.csv", seed=1)
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "trial", "A11", "A22", "A12", "status"]
    assert [row["trial"] for row in rows] == ["0"] * 5 + ["1"] * 5
    samples = np.array([[float(row[name]) for name in ("A11", "A22", "A12")] for row in rows])
    for k, (low, high) in enumerate(TABLE["a"]):
        diagonal = samples[5 * k : 5 * k + 5, :2]
        assert ((diagonal > low) & (diagonal < high)).all()
    pl.batch.simulate(LAW, {"a": [1.0, 5.0], "w": [0.0, 0.1]}, 5, tmp_path / "t.npy", seed=1)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), samples[:5])


def test_models_that_measure_homogenize_cells(tmp_path):
    law = pl.inversion.StochasticMosaics(materials=2, sites=20, shape=(16, 16))
    values = {"alpha": [1.0, 2.0], "a": [1.0, 5.0]}
    pl.batch.simulate(law, values, 6, tmp_path / "t.npy", seed=1)
    samples = np.load(tmp_path / "t.npy")
    state = np.random.SeedSequence([1, 0, 0]).generate_state(1, np.uint64)[0]
    np.testing.assert_array_equal(samples, law.measure(values, 6, seed=int(state) >> 1))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": 3}, TypeError, "model is a int"),
        ({"parameters": 3}, TypeError, "parameters is a int"),
        ({"parameters": {"a": [1.0, 5.0]}}, ValueError, "parameters has"),
        ({"parameters": {"a": np.ones((2, 2)), "w": np.zeros((3, 2))}}, ValueError, "rows"),
        ({"parameters": {"a": [[1.0, -1.0]], "w": [0.0, 0.1]}}, ValueError, "parameters: a is"),
        ({"count": 0}, ValueError, "count is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"chunk": 0}, ValueError, "chunk is 0"),
        ({"target": "t.txt"}, FileError, "unknown ending"),
    ],
)
def test_errors_of_simulate(change, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"model": LAW, "parameters": TABLE, "count": 4, "target": "t.csv", "seed": 1}
    with pytest.raises(error, match=message):
        pl.batch.simulate(**{**arguments, **change})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": "t.csv"}, FileError, "unknown ending '.csv'"),
        ({"count": 0}, ValueError, "count is 0"),
        ({"model": 3}, TypeError, "model is a int"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"sample": -1}, ValueError, "sample is -1"),
        ({"padding": "none"}, ValueError, "padding is 'none'"),
        ({"shape": (3,)}, ValueError, "shape is"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"workers": 0}, ValueError, "workers is 0"),
    ],
)
def test_errors_of_generate(change, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"model": MODEL, "count": 4, "target": "t.npy", **ASKED}
    with pytest.raises(error, match=message):
        pl.batch.generate(**{**arguments, **change})
    assert not list(tmp_path.iterdir())
