"""What a package of wheels promises: a light import, stubs as the binary, one OpenMP library."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import pearlite as pl
from pearlite import _core

ROOT = Path(__file__).parents[1]
STUBS = Path(pl.__file__).parent / "_core.pyi"
LARGEST_WHEEL = 10e6  # bytes


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_next_to_nothing():
    light = {"pearlite", "pearlite._first_use"}
    loaded = python("import sys, pearlite; print(*sys.modules)").split()
    standard = {name for name in loaded if name.partition(".")[0] in sys.stdlib_module_names}
    ours = {name for name in set(loaded) - standard if not name.startswith(("_", "sitecustomize"))}
    assert ours - light <= set(python("import sys; print(*sys.modules)").split())
    assert len(standard) < 100  # Python's own begin at 33, and `typing` takes 29
    assert {name for name in loaded if name.startswith("pearlite")} == light
    assert not {"numpy", "scipy", "torch", "matplotlib"} & set(loaded)


def declared():
    """Names and arguments of the stubs: functions, and methods of classes."""
    found = {}
    for node in ast.parse(STUBS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(arguments(node))
        if isinstance(node, ast.ClassDef):
            found[node.name] = None
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    key = f"{node.name}.{method.name}"
                    found.setdefault(key, []).append(arguments(method))
    return found


def arguments(node):
    return [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]


def bound():
    """Names of the binary, with their documentation, which begins with the signatures."""
    found = {}
    for name, value in vars(_core).items():
        if name.startswith("__"):
            continue
        found[name] = value
        if isinstance(value, type):
            for method, function in vars(value).items():
                known = callable(function) or isinstance(function, property)
                if known and (not method.startswith("_") or method == "__init__"):
                    found[f"{name}.{method}"] = function
    return found


def signatures(function):
    """Argument names of each overload that pybind11 documents."""
    found = []
    name = getattr(function, "__name__", "a property")
    for line in (function.__doc__ or "").splitlines():
        head = line.split(". ", 1)[-1] if line[:1].isdigit() else line
        if head.startswith(f"{name}(") and "->" in head:
            tree = ast.parse(f"def {head.replace('*args, **kwargs', '')}: ...").body[0]
            found.append(arguments(tree))
    return [names for names in found if names] or found


def test_stubs_name_what_the_binary_has():
    assert set(declared()) == set(bound())


def test_stubs_have_the_arguments_of_the_binary():
    binary = bound()
    checked = 0
    for name, overloads in declared().items():
        if overloads is None:
            continue
        for there in signatures(binary[name]):
            assert there in overloads, name
            checked += 1
    assert checked > 40


def test_typed():
    assert (Path(pl.__file__).parent / "py.typed").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the maps of a process")
@pytest.mark.parametrize("order", ["pearlite, torch", "torch, pearlite"])
def test_one_openmp_library_beside_torch(order):
    pytest.importorskip("torch")
    first, second = order.split(", ")
    code = f"""
import {first}, {second}
import re, numpy as np
a = pearlite.homogenize(np.random.default_rng(0).uniform(1, 2, (64, 32, 32)), threads=2)
b = pearlite.homogenize(torch.from_numpy(np.ones((4, 8, 8))), threads=2)
torch.set_num_threads(2)
c = torch.randn(300, 300) @ torch.randn(300, 300)
maps = open("/proc/self/maps").read()
print(*sorted(set(re.findall(r"/\\S*lib[gi]omp\\S*", maps))))
"""
    assert len(python(code).split()) <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads an ELF file")
def test_the_binary_needs_no_openmp():
    assert b"libgomp" not in Path(_core.__file__).read_bytes()


@pytest.mark.slow
def test_wheel_and_sdist_in_a_clean_environment(tmp_path):
    """Build both, install the wheel that the sdist gives, and run it away from here."""
    pytest.importorskip("scikit_build_core")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("Python.h is missing")
    place = tmp_path / "dist"
    code = "import sys; from scikit_build_core.build import build_sdist as b; print(b(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (sdist,) = place.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CMakeLists.txt", "cpp/corrector.hpp", "python/pearlite/_core.pyi"} <= names
    assert not any(name.startswith(("build/", ".venv/")) for name in names)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place)]
    pip.append(str(sdist))
    subprocess.run(pip, cwd=tmp_path, check=True)
    (wheel,) = place.glob("*.whl")
    assert wheel.stat().st_size < LARGEST_WHEEL
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in ("py.typed", "_core.pyi", "native/include/pearlite.h"):
        assert f"pearlite/{name}" in inside
    clean = tmp_path / "clean"
    venv.create(clean, with_pip=True)
    own = str(clean / "bin" / "python")
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    common = {"cwd": tmp_path, "check": True, "env": bare}
    subprocess.run([own, "-m", "pip", "install", "--quiet", str(wheel)], **common)
    info = [str(clean / "bin" / "pearlite"), "info", "--json"]
    told = json.loads(subprocess.run(info, **common, capture_output=True, text=True).stdout)
    assert told["self_test"]["passed"]
    assert told["pearlite"] == pl.__version__
    native = [str(clean / "bin" / "pearlite"), "info", "--native"]
    folder = subprocess.run(native, **common, capture_output=True, text=True).stdout.strip()
    assert (Path(folder) / "include" / "pearlite.hpp").exists()
