"""`generate`, with a network that has not been trained and with a score that needs no training."""

import json

import numpy as np
import pytest
from reference.toy_score import ToyEngine

import pearlite as pl
from pearlite.generation import Model, _generate
from pearlite.generation._score import PeriodicScore

IMAGE = pl.microstructures.thresholded_noise(1, (32, 40), length=2, fractions=(0.6, 0.4), seed=1)[0]
THREE = pl.microstructures.voronoi(1, (32, 32), sites=12, phases=3, seed=1)[0]
MODEL = Model.random(phases=2, channels=4, levels=1, seed=1)
MODEL3 = Model.random(phases=3, channels=4, levels=2, seed=1)


@pytest.fixture
def toy(monkeypatch):
    """Engines that need no training, the calls of the latest in a list."""
    engines = []

    def engine(model, threads):
        engines.append(ToyEngine(model.phases))
        return engines[-1]

    monkeypatch.setattr(_generate, "_engine", engine)
    return engines


def generate(**options):
    arguments = {"model": MODEL, "seed": 3, "statistics": IMAGE, "evaluations": 6} | options
    return pl.generation.generate(**arguments)


# What comes out ----------------------------------------------------------------------------------


def test_fractions_are_exact_and_all_is_told(toy):
    made = generate(count=3)
    assert made.images.shape == made.fields.shape == (3, 32, 40)
    assert made.images.dtype == np.uint8
    assert (made.images.sum(axis=(1, 2)) == IMAGE.sum()).all()
    assert (made.fields.sum(axis=(1, 2)) == IMAGE.sum()).all()
    assert made.fractions.tolist() == pytest.approx([0.6, 0.4], abs=1e-3)
    assert (made.method, made.seed, made.interrupted, made.phases) == ("fast", 3, False, 2)
    assert len(made.history) == 6
    assert made.history.seconds > 0
    assert [sigma for _, sigma, _ in toy[0].calls[:6]] == made.history.sigma.tolist()
    assert np.array_equal(made.references[0], IMAGE)
    assert not np.array_equal(made.images[0], made.images[1])
    assert (made.images == made.fields).mean() > 0.7  # the field says where the phases are


def test_where_the_field_comes_in(toy):
    assert generate(evaluations=3).history.sigma[0] == pytest.approx(1.1)
    slow = generate(evaluations=3, method="annealed").history.sigma[0]
    assert slow == pytest.approx(0.75, rel=0.02)
    assert generate(evaluations=3, start=0.5).history.sigma[0] == pytest.approx(0.5)


def test_the_network_is_what_it_starts_from(toy):
    """Without noise nothing but the field is left: it is the first layer."""
    made = generate(start=MODEL.sigma_min, evaluations=2)
    from pearlite.microstructures import GaussianField

    field = GaussianField.from_images(IMAGE)
    assert np.array_equal(made.fields, field.labels(1, seed=3))


@pytest.mark.parametrize("method", ["fast", "annealed"])
def test_the_same_whatever_the_batch_and_the_threads(method, toy):
    together = generate(count=5, method=method, threads=2)
    for k in range(5):
        alone = generate(sample=k, method=method, threads=1)
        assert np.array_equal(alone.images[0], together.images[k])
        assert np.array_equal(alone.fields[0], together.fields[k])
    assert not np.array_equal(generate(seed=4, method=method).images, together.images[:1])


@pytest.mark.parametrize(("model", "image"), [(MODEL, IMAGE), (MODEL3, THREE)])
@pytest.mark.parametrize("padding", ["periodic", "halo"])
def test_the_same_to_the_last_bit_with_the_engine(model, image, padding):
    options = {"model": model, "statistics": image, "padding": padding}
    together = generate(count=5, threads=2, **options)
    for k in range(5):
        alone = generate(sample=k, threads=1, **options)
        assert np.array_equal(alone.images[0], together.images[k])
    shares = [np.bincount(x.ravel()).tolist() for x in together.images]
    assert shares == [np.bincount(image.ravel()).tolist()] * 5


def test_images_are_made_a_few_at_a_time(toy):
    steps = []
    generate(count=400, evaluations=2, threads=1, progress=lambda *now: steps.append(now))
    batches = [shape[0] for shape, _, _ in toy[0].calls]
    assert max(batches) * IMAGE.size < 2**17
    assert sum(batches) == 800
    assert steps[-1] == (800, 800)
    assert [done for done, _ in steps] == np.cumsum(batches).tolist()


def test_other_fractions(toy):
    made = generate(volume_fraction=0.55)
    assert made.images.mean() == pytest.approx(0.55, abs=1e-3)
    assert made.fields.mean() == pytest.approx(0.55, abs=1e-3)
    same = generate(volume_fraction=[0.45, 0.55])
    assert np.array_equal(same.images, made.images)
    three = generate(model=MODEL3, statistics=THREE, volume_fraction=[0.2, 0.5, 0.3])
    shares = np.bincount(three.images.ravel()) / THREE.size
    assert shares == pytest.approx([0.2, 0.5, 0.3], abs=1e-3)
    assert np.bincount(three.fields.ravel()) / THREE.size == pytest.approx(
        [0.2, 0.5, 0.3], abs=1e-3
    )


def test_kinds_of_statistics(toy):
    field = pl.microstructures.GaussianField.from_images(IMAGE)
    maps = pl.correlation.two_point(IMAGE, phases=[0, 1])
    image = generate()
    assert np.array_equal(generate(statistics=field).images, image.images)
    by_maps = generate(statistics=maps)
    assert by_maps.references == ()
    assert (by_maps.images != image.images).mean() < 0.02  # by rounding alone
    one = generate(statistics=pl.correlation.two_point(IMAGE == 1))
    assert (one.images != image.images).mean() < 0.02
    both = generate(statistics=np.stack([IMAGE, IMAGE[::-1]]))
    assert len(both.references) == 2
    other = pl.microstructures.thresholded_noise(1, IMAGE.shape, length=4, seed=5)[0]
    between = pl.microstructures.GaussianField.interpolate(
        field, pl.microstructures.GaussianField.from_images(other), 0.5
    )
    assert generate(statistics=between).fractions[1] == pytest.approx(0.45, abs=1e-3)
    larger = generate(shape=(48, 64))
    assert larger.images.shape == (1, 48, 64)
    assert larger.images.mean() == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize("method", ["fast", "annealed"])
def test_switches(method, toy):
    noise = generate(method=method, field=False, shape=(32, 32))
    assert noise.fields is None
    assert toy[0].calls[0][1] == MODEL.sigma_max
    free = generate(method=method, conditioned=False)
    assert not free.conditioned
    held = generate(method=method)
    assert not np.array_equal(free.images, held.images)
    expected = 1.1 if method == "fast" else 0.75
    assert toy[2].calls[0][1] == pytest.approx(expected, abs=0.01)
    free_noise = generate(
        method=method, field=False, statistics=None, volume_fraction=0.3, shape=(24, 24)
    )
    assert free_noise.images.shape == (1, 24, 24)


def test_annealed_takes_all_levels(toy):
    made = generate(method="annealed", evaluations=None)
    assert len(made.history) == 569
    assert (made.history.sigma[0] >= 0.75) & (made.history.sigma[-1] == pytest.approx(0.01))


# Borders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(32, 40), (31, 18), (16, 17)])
def test_halo_is_periodic_for_a_local_score(shape):
    x = np.random.default_rng(1).random((2, 1, *shape)).astype(np.float32)
    engine = ToyEngine()
    halo = PeriodicScore(engine, MODEL, shape, "halo")
    assert np.array_equal(halo(x, 0.5), engine.score(x, 0.5, "periodic"))
    assert all(n % MODEL.multiple == 0 for n in engine.calls[0][0][2:])
    assert all(n >= m + 32 for n, m in zip(engine.calls[0][0][2:], shape, strict=True))
    found = PeriodicScore(engine, MODEL, shape, "periodic")
    fits = all(n % 2 == 0 for n in shape)
    assert found.padding == ("periodic" if fits else "halo")
    assert np.array_equal(found(x, 0.5), halo(x, 0.5))


def test_a_shift_of_the_start_shifts_the_score():
    x = np.random.default_rng(1).random((1, 1, 20, 24)).astype(np.float32)
    score = PeriodicScore(ToyEngine(), MODEL, (20, 24), "halo")
    assert np.array_equal(
        score(np.roll(x, (5, 7), (2, 3)), 0.5), np.roll(score(x, 0.5), (5, 7), (2, 3))
    )


# Ctrl-C ------------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_is_done(toy):
    def stop_at(share):
        def progress(done, total):
            if done > share * total:
                raise KeyboardInterrupt

        return progress

    made = generate(count=300, evaluations=2, threads=1, progress=stop_at(0.5))
    assert made.interrupted
    assert 100 <= len(made) < 200
    assert np.array_equal(made.images[:2], generate(count=2, evaluations=2).images)
    with pytest.raises(KeyboardInterrupt):
        generate(progress=stop_at(0))


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": 3}, TypeError, "model is a int"),
        ({"model": "nowhere.safetensors"}, ValueError, "nowhere.safetensors: no such file"),
        ({"count": 0}, ValueError, "count is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"shape": (8, 40)}, ValueError, "shape is 8"),
        ({"shape": (32, 32, 32)}, ValueError, "shape is (32, 32, 32); expected 2 numbers"),
        ({"shape": 32}, ValueError, "shape is 32; expected 2 numbers"),
        ({"statistics": THREE}, ValueError, "statistics has 3 phases, labels from 0 to 2; the mod"),
        ({"statistics": THREE * 100}, ValueError, "expected labels from 0 to 1"),
        ({"statistics": IMAGE[:9]}, ValueError, "statistics has shape (9, 40)"),
        ({"statistics": np.zeros((20, 20), int)}, ValueError, "phase 0 alone"),
        ({"statistics": None}, ValueError, "statistics is None"),
        ({"statistics": np.array(["a"])}, TypeError, "statistics has dtype"),
        ({"statistics": np.full((20, 20), 0.5)[:8]}, ValueError, "statistics"),
        (
            {"statistics": pl.microstructures.GaussianField.from_images(THREE)},
            ValueError,
            "statistics has 3 phases; the model given knows 2",
        ),
        (
            {"statistics": pl.microstructures.GaussianField.from_images(IMAGE), "shape": (32, 32)},
            ValueError,
            "shape is (32, 32); expected (32, 40)",
        ),
        ({"volume_fraction": 1.2}, ValueError, "volume_fraction is 1.2; expected a number between"),
        ({"volume_fraction": 0}, ValueError, "volume_fraction is 0"),
        ({"volume_fraction": (0.5, 0.6)}, ValueError, "volume_fraction is (0.5, 0.6)"),
        ({"volume_fraction": (0.2, 0.3, 0.5)}, ValueError, "volume_fraction is (0.2, 0.3, 0.5)"),
        ({"volume_fraction": "half"}, TypeError, "volume_fraction is 'half'"),
        ({"model": MODEL3, "statistics": THREE, "volume_fraction": 0.4}, ValueError, "3 numbers"),
        ({"method": "slow"}, ValueError, "method is 'slow'; expected 'fast' or 'annealed'"),
        ({"evaluations": 1}, ValueError, "evaluations is 1"),
        ({"start": 100.0}, ValueError, "start is 100; expected a noise level from 0.01 to 20"),
        ({"start": "high"}, TypeError, "start is 'high'"),
        ({"field": 1}, TypeError, "field is a int"),
        ({"conditioned": None}, TypeError, "conditioned is a NoneType"),
        ({"periodic": "yes"}, TypeError, "periodic is a str"),
        ({"padding": "zero"}, ValueError, "padding is 'zero'"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"sample": -1}, ValueError, "sample is -1"),
        ({"field": False, "statistics": None}, ValueError, "volume_fraction is None"),
    ],
)
def test_errors_name_their_argument(options, error, message, toy):
    with pytest.raises(error) as caught:
        generate(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not toy or not toy[0].calls


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"not a model")
    with pytest.raises(pl.io.FileError, match=r"m\.safetensors: not a readable safetensors file"):
        generate(model=tmp_path / "m.safetensors")


# Files, page -------------------------------------------------------------------------------------


def test_files_hold_the_images(toy, tmp_path):
    made = generate(count=3)
    for name in ("a.npy", "a.tif", "a.h5:/images"):
        path = tmp_path / name.partition(":")[0]
        assert made.save(path) == [path]
        assert np.array_equal(pl.io.read_images(f"{tmp_path}/{name}"), made.images)
    assert np.array_equal(pl.io.read_images(f"{tmp_path}/a.h5:/fields"), made.fields)
    pngs = made.save(tmp_path / "b.png", spacing=0.1)
    assert [path.name for path in pngs] == ["b_0000.png", "b_0001.png", "b_0002.png"]
    assert np.array_equal(pl.io.read_images(pngs[1]), made.images[1] * 255)
    vtis = made.save(tmp_path / "c.vti")
    assert len(vtis) == 3
    assert b'Name="label"' in vtis[0].read_bytes()
    one = generate()
    assert one.save(tmp_path / "d.png") == [tmp_path / "d.png"]
    with pytest.raises(pl.io.EndingError, match="unknown ending"):
        one.save(tmp_path / "d.gif")
    assert not list(tmp_path.glob("*.tmp"))


def test_hdf5_tells_how_they_were_made(toy, tmp_path):
    h5py = pytest.importorskip("h5py")
    made = generate(count=2)
    made.save(tmp_path / "a.h5", spacing=(1.0, 2.0))
    with h5py.File(tmp_path / "a.h5") as file:
        about = dict(file["images"].attrs)
        assert about["seed"] == 3
        assert about["method"] == "fast"
        assert about["spacing"].tolist() == [1, 2]
        assert about["volume_fractions"].tolist() == made.fractions.tolist()
        assert file["history/sigma"][:].tolist() == made.history.sigma.tolist()
    json.dumps(made.about())


def test_report(toy, tmp_path):
    pytest.importorskip("matplotlib")
    made = generate(model=MODEL3, statistics=THREE, count=6)
    made.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "6 images of" in page
    assert "principal components of phase 1" in page
    assert "Gaussian field" in page
    assert page.count("data:image/png") >= 10
    alone = generate(statistics=pl.microstructures.GaussianField.from_images(IMAGE))
    alone.report(tmp_path / "alone.html")
    assert "Two-point" not in (tmp_path / "alone.html").read_text(encoding="utf-8")


# Comparison --------------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [True, False])
def test_measured_are_the_statistics_of_the_package(periodic):
    from pearlite.generation._comparison import measure

    found = measure(THREE[None], phases=3, periodic=periodic, radius=4)
    for phase in range(3):
        pairs = pl.statistics.three_point(
            THREE,
            [[(1, 0), (-2, 3)], [(0, 1), (4, -4)], [(0, 1), (0, 0)]],
            phases=phase,
            periodic=periodic,
        )
        own = [found.three_point[0, phase, 0, 2, 7], found.three_point[0, phase, 1, 8, 0],
               found.three_point[0, phase, 1, 4, 4]]  # fmt: skip
        if periodic:
            assert own == pytest.approx(pairs.tolist(), abs=1e-12)
        else:  # the pair x, x + e lies in an image one pixel smaller, and x + s with it
            assert own[2] == pytest.approx(pairs[2], abs=1e-12)
            assert own == pytest.approx(pairs.tolist(), abs=0.02)
        maps = pl.correlation.two_point(phase == THREE, periodic=periodic)
        middle = 0 if periodic else 31
        assert found.two_point[0, phase, 4, 6] == pytest.approx(maps[middle, middle + 2])
    assert found.fractions[0].tolist() == pl.statistics.volume_fractions(THREE).tolist()


def test_chords_are_counted_without_the_bias_of_a_border():
    from pearlite.generation._comparison import measure

    large = pl.microstructures.thresholded_noise(1, (768, 768), length=1.5, seed=2)[0]
    whole = measure(large[None], phases=2)
    chords = pl.statistics.chord_lengths(large, phases=[0, 1])
    assert np.array_equal(whole.chords[0], chords.counts)
    assert whole.mean_chords[0] == pytest.approx(chords.mean)
    parts = large.reshape(24, 32, 24, 32).swapaxes(1, 2).reshape(-1, 32, 32)
    cut = measure(parts, phases=2, seam=True).chords.sum(axis=0)
    biased = pl.statistics.chord_lengths(parts, phases=[0, 1], periodic=False).pooled()
    apart = pl.statistics.total_variation
    assert (apart(cut, whole.chords[0]) < 0.02).all()
    assert (apart(biased, whole.chords[0]) > 0.06).all()


def test_comparison_tells_like_from_unlike(toy):
    made = generate(count=8)
    found = made.comparison()
    assert set(found.ensembles) == {"Gaussian field", "generated"}
    assert found.two_point_errors("generated").shape == (8, 2)
    assert (found.mean_two_point_errors("generated") <= found.two_point_errors("generated").max()
            ).all()  # fmt: skip
    assert found.chord_errors("Gaussian field").shape == (2, 2)
    scores = found.components(1).scores
    assert scores.shape == (16, 4)
    distances = found.component_distances(1)
    assert all(value > 0 for value in distances.values())
    with pytest.raises(ValueError, match="no reference image"):
        generate(statistics=pl.microstructures.GaussianField.from_images(IMAGE)).comparison()


def test_the_package_s_model_makes_discs():
    made = pl.generation.generate(count=6, seed=1, shape=(96, 96))
    assert np.unique(made.images.sum(axis=(1, 2))).tolist() == [round(0.38 * 96**2)]
    found = made.comparison()
    assert (found.chord_errors("Gaussian field")[1] > 0.3).all()
    assert (found.chord_errors("generated")[1] < 0.15).all()  # of 2,000 chords .05 are by chance
    components = [int(pl.statistics.components(x == 1)[1]) for x in made.images]
    discs = 200 * 96**2 / 256**2
    assert np.mean(components) == pytest.approx(discs, rel=0.2)  # the field has a third of them
