"""Any argument of a long run gives a whole table, or an error that names it, and no half of one."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_runs import IMAGE, LAW, MODEL, PHASES, TABLE
from odd_arguments import ANYTHING, endless, in_one_line, names_one, replace
from reference.toy_score import ToyEngine

import pearlite as pl
from pearlite import io
from pearlite.generation import _generate

IMAGES = pl.microstructures.thresholded_noise(3, (6, 8), length=1, seed=1)
COUNT = 3
NAMES = ["t.npy", "t.parquet", "t.csv", "t.zarr", "t.h5"]
TARGETS = st.sampled_from(NAMES)
SHARED = {"chunk": 2, "resume": False, "progress": None}
FEW = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def _alone(tmp_path_factory):
    """Write into a folder of its own, and ask no network."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("fuzz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_generate, "_engine", lambda model, threads: ToyEngine(model.phases))
        yield
    os.chdir(before)


def long(arguments):
    """Tell whether a call would work, but take its time."""
    if endless(arguments.get("source")):
        return True
    numbers = [arguments.get(name) for name in ("count", "evaluations", "sample")]
    return any(isinstance(n, int | np.integer) and n > 300 for n in numbers)


def asked(draw, target, **arguments):
    """-> arguments of a call that works, of which one or two were then replaced; their names."""
    arguments = {**arguments, **SHARED, "target": draw(target)}
    odd = ANYTHING.filter(lambda value: not callable(value))  # which `progress` may be
    return arguments, replace(draw, arguments, odd)


def run(function, arguments, replaced):
    """Call; assert that there is a whole table, or an error that says why there is none."""
    if long(arguments):
        return
    for there in Path().iterdir():  # of an example before
        shutil.rmtree(there) if there.is_dir() else there.unlink()
    target = arguments["target"]
    first = [arguments.pop("source")] if "source" in arguments else []
    try:
        report = function(*first, **arguments)
    except pl.ConvergenceError as error:
        names_one(error, ["rtol"])
    except io.FileError as error:
        in_one_line(error)
        assert {"source", "target", "model", "statistics", "phases"} & set(replaced)
    except (TypeError, ValueError) as error:
        names_one(error, replaced)
    else:
        assert report.target == Path(target)
        assert report.target.exists()
        return
    assert not any(Path(name).exists() for name in NAMES)


@st.composite
def of_files(draw, **more):
    return asked(draw, TARGETS, source=IMAGES, dim=2, threads=1, **more)


@FEW
@given(call=of_files(phases=PHASES, spacing=None, rtol=1e-6))
def test_homogenize(call):
    run(pl.batch.homogenize, *call)


@FEW
@given(call=of_files(phases=[0, 1], periodic=True))
def test_two_point(call):
    run(pl.batch.two_point, *call)


@FEW
@given(call=of_files(phases=[0, 1], periodic=True, spacing=None, connectivity="faces"))
def test_characterize(call):
    run(pl.batch.characterize, *call)


@st.composite
def generated(draw):
    arguments = {"count": COUNT, "model": MODEL, "seed": 1, "shape": (16, 18), "evaluations": 2}
    arguments |= {"statistics": IMAGE, "volume_fraction": 0.4, "method": "fast", "start": 0.75}
    arguments |= {"field": True, "conditioned": True, "periodic": True, "sample": 0, "threads": 1}
    return asked(draw, st.sampled_from(["t.npy", "t.zarr", "t.h5"]), **arguments)


@FEW
@given(call=generated())
def test_generate(call):
    run(pl.batch.generate, *call)


@FEW
@given(call=st.composite(asked)(TARGETS, count=COUNT, model=LAW, parameters=TABLE, seed=1))
def test_simulate(call):
    run(pl.batch.simulate, *call)


@FEW
@given(name=st.sampled_from(["workers", "cluster"]), value=ANYTHING)
def test_processes(name, value):
    if value is None or (name == "cluster" and isinstance(value, str)):
        return  # a name is asked for, which takes its time
    if name == "workers" and isinstance(value, int | np.integer) and 1 <= value <= 10_000:
        return  # starts them
    with pytest.raises((TypeError, ValueError)) as caught:
        pl.batch.homogenize(IMAGES, "t.npy", phases=PHASES, **{name: value})
    names_one(caught.value, [name])
