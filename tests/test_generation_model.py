"""Model files: what is written is read, and what is no model is refused."""

import json
from dataclasses import fields

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pearlite.generation import Model
from pearlite.io import FileError


@pytest.fixture(scope="module")
def model():
    training = {"iterations": np.int64(3), "fractions": np.array([0.25, 0.75])}
    return Model.random(phases=2, channels=4, levels=1, seed=5, name="dots", training=training)


@pytest.fixture
def path(tmp_path, model):
    model.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize(
    ("phases", "channels", "levels", "parameters"), [(2, 40, 1, 105_121), (3, 100, 3, 1_215_403)]
)
def test_sizes_of_the_paper(phases, channels, levels, parameters):
    """A. E. Robertson et al.: "totaling ≈ 100,000" and "≈ 1,000,000" parameters."""
    model = Model.random(phases=phases, channels=channels, levels=levels)
    assert model.parameters == parameters == sum(t.size for t in model.tensors.values())


def test_flops_of_the_paper():
    """Twice the multiplications at 288²: 11.9 and 79 GFlop."""

    def flops(model, side):
        total, pixels = 0, side * side
        for layer in model.layers:
            pixels = pixels // 4 if layer.startswith("down") else pixels
            # Each position of a transposed convolution makes four pixels, of one weight each.
            total += 2 * pixels * model.tensors[f"{layer}.weight"].size
            pixels = pixels * 4 if layer.startswith("up") else pixels
        return total

    assert flops(Model.random(phases=2, channels=40, levels=1), 288) == pytest.approx(11.9e9, 0.01)
    assert flops(Model.random(phases=3, channels=100, levels=3), 288) == pytest.approx(79e9, 0.01)


def test_what_is_saved_is_loaded(model, path):
    again = Model.load(path)
    assert list(again.tensors) == list(model.tensors)
    for name, tensor in model.tensors.items():
        assert np.array_equal(again.tensors[name], tensor)
        assert not again.tensors[name].flags.writeable
    for item in fields(Model):
        if item.name not in ("tensors", "training"):
            assert getattr(again, item.name) == getattr(model, item.name), item.name
    assert dict(again.training) == {"iterations": 3, "fractions": [0.25, 0.75]}
    assert again.sigmas()[[0, -1]] == pytest.approx([20, 0.01])
    assert len(again.sigmas()) == 1000


def test_layers_in_order():
    model = Model.random(phases=3, channels=4, levels=2)
    names = (
        "lift encode.0.0 encode.0.1 down.0 encode.1.0 down.1 bottom.0 bottom.1 "
        "up.1 merge.1 decode.1.0 up.0 merge.0 decode.0.0 decode.0.1 out"
    )
    assert model.layers == names.split()
    assert list(dict.fromkeys(k.split(".weight")[0] for k in model.tensors if "weight" in k)) == (
        model.layers
    )
    assert model.inputs == 3
    assert model.multiple == 4
    assert model.tensors["lift.weight"].shape == (4, 3, 3, 3)
    assert model.tensors["out.weight"].shape == (3, 4, 3, 3)


def test_volumes():
    model = Model.random(phases=2, channels=4, levels=1, dim=3)
    assert model.tensors["down.0.weight"].shape == (4, 4, 2, 2, 2)


def rewrite(path, about=None, drop=None, **tensors):
    """Change a model file behind the model's back."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["pearlite"])
    record.update(about or {})
    if drop:
        record.pop(drop, None)
    stored = {k: v for k, v in {**load_file(path), **tensors}.items() if v is not None}
    save_file(stored, path, {"pearlite": json.dumps(record)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lift.bias": None}, "lacks 'lift.bias'"),
        ({"more": np.zeros(3, np.float32)}, "has the unknown 'more'"),
        ({"out.bias": np.zeros(3, np.float32)}, r"'out.bias'\] has shape \(3,\); expected \(1,\)"),
        ({"out.bias": np.zeros(1)}, "is float64; expected a float32"),
        ({"out.bias": np.full(1, np.nan, np.float32)}, "not finite"),
        ({"about": {"format": 2}}, "a model of format 2; this version of pearlite reads 1"),
        ({"about": {"channels": 8}}, "has shape"),
        ({"about": {"channels": 10**9}}, "channels is 1000000000; expected an integer from"),
        ({"about": {"phases": "two"}}, "phases is 'two'; expected an integer from 2"),
        ({"about": {"sigma_min": 50.0}}, "sigma_min is 50.0; expected at most 20"),
        ({"about": {"sigma_max": None}}, "sigma_max is None; expected a number"),
        ({"about": {"training": 3}}, "training is a int; expected a mapping"),
        ({"about": {"name": 3}}, "name is 3; expected a str"),
        ({"drop": "patch"}, "a model without patch"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_models(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(FileError, match=message) as caught:
        Model.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_files(tmp_path, path):
    (tmp_path / "text").write_text("a text that is no model at all")
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-1])
    (tmp_path / "empty").write_bytes(b"")
    save_file({"a": np.zeros(3)}, tmp_path / "other")
    save_file({"a": np.zeros(3)}, tmp_path / "garbled", {"pearlite": "{"})
    save_file({"a": np.zeros(3)}, tmp_path / "list", {"pearlite": "[1]"})
    for name, message in {
        "text": "not a readable safetensors",
        "cut": "not a readable safetensors",
        "empty": "not a readable safetensors",
        "other": "no model of pearlite",
        "garbled": "is no JSON",
        "list": "a model of format None",
        "missing": "no such file",
        ".": "is a folder",
    }.items():
        with pytest.raises(FileError, match=message):
            Model.load(tmp_path / name)


def test_a_pickle_is_not_executed(tmp_path):
    import pickle

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "trap.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(FileError):
        Model.load(tmp_path / "trap.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_a_failed_save_leaves_what_was_there(path, model):
    before = path.read_bytes()
    bad = Model(model.tensors, 2, 4, 1, training={"loss": float("nan")})
    with pytest.raises(ValueError, match="training holds what JSON cannot"):
        bad.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"phases": 1}, ValueError, "phases is 1; expected an integer from 2"),
        ({"channels": 1}, ValueError, "channels is 1"),
        ({"levels": 0}, ValueError, "levels is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"dim": 4}, ValueError, "dim is 4"),
        ({"dequantization": -1.0}, ValueError, "dequantization is -1.0"),
        ({"sigma_max": True}, TypeError, "sigma_max is True"),
        ({"patch": 0}, ValueError, "patch is 0"),
    ],
)
def test_wrong_numbers(changes, error, message):
    with pytest.raises(error, match=message):
        Model.random(**{"phases": 2, "channels": 4, "levels": 1, **changes})


def test_seeds():
    first, second = (
        Model.random(phases=2, channels=4, levels=1, seed=s).tensors["lift.weight"] for s in (0, 1)
    )
    again = Model.random(phases=2, channels=4, levels=1, seed=0).tensors["lift.weight"]
    assert np.array_equal(first, again)
    assert not np.allclose(first, second)


# The model that ships -----------------------------------------------------------------------------


def test_the_shipped_model():
    """It is small, says what it is, and takes noise off discs that it has never seen."""
    from importlib import resources

    from pearlite import microstructures
    from pearlite.generation import Engine, _reference

    model = _reference.shipped()
    place = resources.files("pearlite.generation") / "models" / "discs.safetensors"
    assert len(place.read_bytes()) <= 500_000
    assert model.phases == 2
    assert model.training["fractions"][1] == pytest.approx(0.38, abs=1e-3)
    image = microstructures.discs(1, (96, 96), number=28, fraction=0.38, seed=99)[0, None, None]
    noise = np.random.default_rng(0).standard_normal(image.shape).astype(np.float32)
    engine = Engine(model, threads=1)
    for sigma, share in [(0.1, 0.1), (0.5, 0.2), (1.0, 0.22)]:
        noisy = image + np.float32(sigma) * noise
        denoised = noisy + sigma**2 * engine.score(noisy, sigma)
        assert np.sqrt(np.mean((denoised - image) ** 2)) < share * sigma
    # Segmenting the noisy image itself is wrong in every third pixel.
    assert np.mean((denoised > 0.5) != image) < 0.04 < 0.25 < np.mean((noisy > 0.5) != image)


@pytest.fixture
def script():
    """The script that made the shipped model."""
    import importlib.util
    from pathlib import Path

    pytest.importorskip("torch", reason="torch is not installed")
    path = Path(__file__).parents[1] / "examples" / "train_shipped_model.py"
    spec = importlib.util.spec_from_file_location("train_shipped_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_model_is_of_its_script(script):
    from pearlite.generation import _reference

    kept, now = _reference.shipped().training["schedule"], script.SCHEDULE.as_dict()
    # Its weights are the average over the last quarter of the steps; today the best are kept.
    assert kept.pop("ema_share") == 0.25
    since = {"patience": 0, "symmetry": "none"}  # as it was when there was no choice
    assert {**kept, **since} == now


@pytest.mark.slow
def test_the_shipped_model_is_accepted(script):
    from pearlite.generation import _patches, _reference, accept

    model, images = _reference.shipped(), script.reference()
    assert model.training["reference"]["sha256"] == _patches.fingerprint(images)
    assert np.array_equal(_reference.reference(model), images[0])
    assert accept(model, images).accepted
