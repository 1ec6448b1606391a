"""Long runs: every kind of source and target, cells that fail, and runs that are interrupted."""

import csv
import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from long_runs import FROM_FILES, JOBS, homogenize

import pearlite as pl
from pearlite.batch import _parts, _work
from pearlite.io import FileError, write_image

SHAPE = (8, 12)
PHASES = [1.0, 10.0]


@pytest.fixture
def images():
    return np.random.default_rng(5).integers(2, size=(23, *SHAPE), dtype=np.uint8)


def solved(images, size, **options):
    """Return what chunks of one size give, one after the other."""
    chunks = [images[k : k + size] for k in range(0, len(images), size)]
    return np.concatenate([pl.homogenize(chunk, **options) for chunk in chunks])


def write_npy(folder, images):
    np.save(folder / "images.npy", images)
    return folder / "images.npy"


def write_hdf5(folder, images):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "images.h5", "w") as file:
        file.create_dataset("cells/images", data=images, chunks=(4, *images.shape[1:]))
        file["cells/images"].attrs["seed"] = 5
        file["cells/porosity"] = images.mean(axis=(1, 2))
        file["unrelated"] = np.arange(3)
    return f"{folder}/images.h5:/cells/images"


def write_zarr(folder, images):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(folder / "images.zarr"), mode="w")
    group.create_array("images", data=images, chunks=(4, *images.shape[1:]))
    group["images"].attrs["seed"] = 5
    group.create_array("porosity", data=images.mean(axis=(1, 2)))
    return folder / "images.zarr"


def write_folder(folder, images):
    (folder / "images").mkdir()
    for k, image in enumerate(images):
        write_image(folder / "images" / f"{k:03d}.npy", image)
    return folder / "images"


SOURCES = [write_npy, write_hdf5, write_zarr, write_folder]


def read_columns(path):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("write", SOURCES)
def test_sources(write, tmp_path, images):
    target = tmp_path / "tensors.npy"
    calls = []
    report = pl.batch.homogenize(
        write(tmp_path, images),
        target,
        phases=PHASES,
        chunk=8,
        progress=lambda *numbers: calls.append(numbers),
    )
    np.testing.assert_array_equal(np.load(target), solved(images, 8, phases=PHASES))
    assert (report.count, report.failed, report.resumed, report.failures) == (23, 0, 0, [])
    assert calls == [(0, 23), (8, 23), (16, 23), (23, 23)]
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize("write", [write_hdf5, write_zarr])
@pytest.mark.parametrize("ending", ["csv", "parquet", "zarr", "h5"])
def test_targets_carry_what_the_source_says(write, ending, tmp_path, images):
    target = tmp_path / f"result.{ending}"
    pl.batch.homogenize(write(tmp_path, images), target, phases=PHASES, chunk=8)
    expected = solved(images, 8, phases=PHASES)
    if ending == "zarr":
        group = pytest.importorskip("zarr").open(str(target), mode="r")
        np.testing.assert_array_equal(group["effective"][:], expected)
        found = {name: group[name][:] for name in ("index", "porosity")}
        about, seed = group.attrs["pearlite"], group.attrs["seed"]
        assert (group["status"][:] == 0).all()
    elif ending == "h5":
        with pytest.importorskip("h5py").File(target) as file:
            np.testing.assert_array_equal(file["effective"][:], expected)
            found = {name: file[name][:] for name in ("index", "porosity")}
            about, seed = json.loads(file.attrs["pearlite"]), file.attrs["seed"]
            assert (file["status"][:] == 0).all()
            assert file["status"].attrs["meaning"][0] == "ok"
    else:
        if ending == "csv":
            found = read_columns(target)
            about = seed = None
        else:
            table = pytest.importorskip("pyarrow.parquet").read_table(target)
            found = table.to_pydict()
            told = json.loads(table.schema.metadata[b"pearlite"])
            about, seed = told["pearlite"], told["seed"]
        np.testing.assert_array_equal(np.array(found["A12"], float), expected[:, 0, 1])
        assert set(found["status"]) == {"ok"}
    np.testing.assert_array_equal(np.array(found["index"], int), np.arange(23))
    np.testing.assert_array_equal(np.array(found["porosity"], float), images.mean(axis=(1, 2)))
    if about is not None:
        assert about["phases"] == PHASES
        assert seed == 5


def test_names_of_the_files_of_a_folder(tmp_path, images):
    pl.batch.homogenize(write_folder(tmp_path, images), tmp_path / "t.csv", phases=PHASES)
    assert read_columns(tmp_path / "t.csv")["file"][2] == "002.npy"


@pytest.mark.parametrize("ending", ["zarr", "h5", "parquet"])
def test_names_of_the_files_of_a_folder_in_other_targets(ending, tmp_path, images):
    target = tmp_path / f"t.{ending}"
    pl.batch.homogenize(write_folder(tmp_path, images), target, phases=PHASES, chunk=8)
    if ending == "zarr":
        names = pytest.importorskip("zarr").open(str(target), mode="r")["file"][:].tolist()
    elif ending == "h5":
        with pytest.importorskip("h5py").File(target) as file:
            names = file["file"].asstr()[:].tolist()
    else:
        names = pytest.importorskip("pyarrow.parquet").read_table(target)["file"].to_pylist()
    assert names == [f"{k:03d}.npy" for k in range(23)]


def test_numbers_of_any_type_stay_on_disk_until_they_are_needed(tmp_path, images):
    written = {"bool": images == 1, "big": images.astype(">i4"), "half": images.astype("f2") + 1}
    for name, array in written.items():
        np.save(tmp_path / f"{name}.npy", array)
    for name in ("bool", "big"):
        pl.batch.homogenize(tmp_path / f"{name}.npy", tmp_path / "t.npy", phases=PHASES, chunk=8)
        expected = solved(images, 8, phases=PHASES)
        np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)
    pl.batch.homogenize(tmp_path / "half.npy", tmp_path / "t.npy", chunk=8)
    expected = solved(images.astype(np.float32) + 1, 8)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)


MEMORY = """
import re, sys
import pearlite as pl

def resident():
    # Not getrusage, whose maximum a process inherits from the one that started it.
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])

rest = {"phases": [1.0, 10.0], "threads": 1}
pl.batch.homogenize(sys.argv[1], sys.argv[3], **rest)
before = resident()
pl.batch.homogenize(sys.argv[2], sys.argv[3], **rest)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_memory_does_not_grow_with_the_file(dtype, tmp_path):
    for name, count in (("small", 8192), ("large", 40960)):  # 32 and 160 MB, of which none is disk
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", dtype, (count, 64, 64))
    files = [str(tmp_path / name) for name in ("small.npy", "large.npy", "t.npy")]
    told = subprocess.run([sys.executable, "-c", MEMORY, *files], capture_output=True, check=True)
    assert int(told.stdout) * 1024 < 30e6


def test_arrays_and_grey_values(tmp_path, images):
    grey = np.where(images == 1, 255, 30).astype(np.uint8)
    pl.batch.homogenize(grey, tmp_path / "t.npy", phases={30: 2.0, 255: 7.0})
    np.testing.assert_array_equal(
        np.load(tmp_path / "t.npy"), pl.homogenize(images, phases=[2.0, 7.0])
    )


def test_several_batch_axes_and_one_image(tmp_path, images):
    zarr = pytest.importorskip("zarr")
    cells = images[:20].reshape(5, 4, *SHAPE)
    store = zarr.create_array(str(tmp_path / "a.zarr"), data=cells, chunks=(2, 2, *SHAPE))
    assert store.shape == cells.shape
    pl.batch.homogenize(tmp_path / "a.zarr", tmp_path / "t.npy", phases=PHASES, chunk=6)
    expected = solved(images[:20], 6, phases=PHASES)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)
    zarr.create_array(str(tmp_path / "b.zarr"), data=images[0])
    pl.batch.homogenize(tmp_path / "b.zarr", tmp_path / "t.npy", phases=PHASES)
    np.testing.assert_array_equal(
        np.load(tmp_path / "t.npy")[0], pl.homogenize(images[0], phases=PHASES)
    )


def test_volumes_with_tensors_of_conductivity_and_spacing(tmp_path):
    h5py = pytest.importorskip("h5py")
    volumes = np.random.default_rng(1).integers(2, size=(3, 6, 4, 5), dtype=np.uint8)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["scans"] = volumes
        file["scans"].attrs["spacing"] = [1.0, 1.0, 2.0]
    pl.batch.homogenize(tmp_path / "v.h5", tmp_path / "t.npy", phases=PHASES, dim=3)
    expected = pl.homogenize(volumes, phases=PHASES, dim=3, spacing=(1, 1, 2))
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)


def test_bad_cells_are_told_and_do_not_stop_the_rest(tmp_path, images):
    fields = np.where(images == 1, 10.0, 1.0)
    fields[3, 2, 5] = np.nan
    fields[17, 0, 1] = -1
    report = pl.batch.homogenize(fields, tmp_path / "t.csv", chunk=8)
    assert [failure.index for failure in report.failures] == [3, 17]
    assert report.failures[0].reason == "pixel (2, 5) is nan; expected a conductivity >= 0"
    assert report.failed == 2
    found = read_columns(tmp_path / "t.csv")
    status = np.full(23, "ok", dtype="<U8")
    status[[3, 17]] = "invalid"
    assert found["status"] == status.tolist()
    rest = np.flatnonzero(status == "ok")
    numbers = np.array(found["A11"])[rest].astype(float)
    np.testing.assert_allclose(numbers, pl.homogenize(fields[rest])[:, 0, 0], rtol=3e-6)
    assert found["A11"][3] == ""


def test_a_percolating_conductor_is_a_result(tmp_path):
    layers = np.ones((2, 8, 8))
    layers[1, :, ::2] = np.inf
    report = pl.batch.homogenize(layers, tmp_path / "t.npy")
    assert report.failed == 0
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), pl.homogenize(layers))


@pytest.mark.parametrize("write", SOURCES)
def test_a_source_that_was_written_anew(write, tmp_path, images):
    options = {"phases": PHASES, "chunk": 8}
    pl.batch.homogenize(write(tmp_path, images), tmp_path / "t.npy", **options)
    if write is write_folder:
        shutil.rmtree(tmp_path / "images")
    pl.batch.homogenize(write(tmp_path, 1 - images), tmp_path / "t.npy", **options)
    expected = solved(1 - images, 8, phases=PHASES)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), expected)


def test_labels_without_a_conductivity(tmp_path, images):
    images[4, 7, 11] = 2
    report = pl.batch.homogenize(images, tmp_path / "t.npy", phases=PHASES)
    assert report.failures[0].index == 4
    assert report.failures[0].reason == "pixel (7, 11) is 2; expected one of 0, 1"
    assert np.isnan(np.load(tmp_path / "t.npy")[4]).all()


@pytest.mark.parametrize("job", JOBS)
def test_a_full_disk_and_a_damaged_part(job, tmp_path, images, monkeypatch):
    source, target = write_npy(tmp_path, images), tmp_path / "t.npy"
    job(source, tmp_path / "undisturbed.npy", chunk=5)
    real, room = os.fsync, [6]

    def fsync(file):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(_parts.os, "fsync", fsync)
    with pytest.raises(FileError, match="No space left on device"):
        job(source, target, chunk=5)
    monkeypatch.undo()
    kept = sorted((tmp_path / "t.npy.parts").glob("*.part"))
    assert len(kept) == 2
    damaged = bytearray(kept[0].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    kept[0].write_bytes(damaged)
    assert not target.exists()
    report = job(source, target, chunk=5, resume=True)
    assert report.resumed == 5
    np.testing.assert_array_equal(np.load(target), np.load(tmp_path / "undisturbed.npy"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images.npy",
        "t.npy",
        "undisturbed.npy",
    ]


def stop(done, total):
    if done:
        raise KeyboardInterrupt


@pytest.mark.parametrize("job", JOBS)
def test_an_unfinished_run_of_something_else(job, tmp_path, images):
    source, target = write_npy(tmp_path, images), tmp_path / "t.npy"
    with pytest.raises(KeyboardInterrupt):
        job(source, target, chunk=5, progress=stop)
    with pytest.raises(FileError, match="an unfinished run is there; resume it"):
        job(source, target, chunk=5)
    with pytest.raises(FileError, match="the unfinished run has another chunk"):
        job(source, target, chunk=6, resume=True)
    if job in FROM_FILES:
        np.save(source, images[::-1])
        with pytest.raises(FileError, match="the unfinished run has another source"):
            job(source, target, chunk=5, resume=True)


@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_takes_the_chunks_that_are_there(job, tmp_path, images):
    source, target = write_npy(tmp_path, images), tmp_path / "t.npy"
    job(source, tmp_path / "undisturbed.npy", chunk=5)
    with pytest.raises(KeyboardInterrupt):
        job(source, target, chunk=5, progress=stop)
    assert job(source, target, resume=True).resumed >= 5
    np.testing.assert_array_equal(np.load(target), np.load(tmp_path / "undisturbed.npy"))


def test_larger_chunks_of_many_images_on_a_cluster():
    for count, shared, size in [
        (10**6, False, 1024),
        (10**6, True, 1024),
        (10**7, True, 2441),
        (10**9, True, 8192),
    ]:
        spans = _work.chunks(count, 1, 64**2, None, shared)
        assert spans[0] == (0, size)
        assert spans[-1][1] == count
    assert _work.chunks(10**9, 3000, 64**2, None, True)[0] == (0, 6000)


def test_an_unfinished_run_with_other_options(tmp_path, images):
    source, target = write_npy(tmp_path, images), tmp_path / "t.npy"
    with pytest.raises(KeyboardInterrupt):
        homogenize(source, target, chunk=5, progress=stop)
    with pytest.raises(FileError, match="the unfinished run has another work"):
        pl.batch.homogenize(source, target, phases=[1, 11], chunk=5, resume=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": 3}, TypeError, "source is a int"),
        ({"source": "missing.npy"}, FileError, "missing.npy: no such file"),
        ({"source": "missing.zarr"}, FileError, "missing.zarr: no such file"),
        ({"source": "."}, FileError, "holds no images"),
        ({"source": np.zeros(3)}, ValueError, "source has shape"),
        ({"source": np.zeros((3, 4, 4), int), "phases": None}, FileError, "holds integers"),
        ({"target": "t.txt"}, FileError, "unknown ending '.txt'"),
        ({"phases": np.ones((2, 2))}, ValueError, "phases has shape"),
        ({"dim": 4}, ValueError, "dim is 4"),
        ({"rtol": 1.0}, ValueError, "rtol is 1.0"),
        ({"chunk": 0}, ValueError, "chunk is 0"),
        ({"workers": 0}, ValueError, "workers is 0"),
        ({"cluster": 3}, TypeError, "cluster is 3"),
        ({"workers": 1, "cluster": "tcp://here"}, ValueError, "both given"),
        ({"resume": 1}, TypeError, "resume is a int"),
        ({"progress": 3}, TypeError, "progress is a int"),
        ({"workers": 1}, TypeError, "source is an array of this process"),
    ],
)
def test_errors(change, error, message, tmp_path, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"source": images, "target": "t.csv", "phases": PHASES, **change}
    with pytest.raises(error, match=message):
        pl.batch.homogenize(**arguments)
    assert not os.path.exists("t.csv")
