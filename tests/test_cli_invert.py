"""`pearlite invert` as its user meets it."""

import csv
import json
from functools import partial

import numpy as np
import pytest

import pearlite as pl

LAYERS = ("--model", "layers", "--restarts", 2)
CELLS = ("--size", 16, "--restarts", 1)


@pytest.fixture
def pearlite(pearlite):
    """Run the command in an empty folder; return exit code, stdout and stderr."""
    return partial(pearlite, "invert")


def write(name, **columns):
    with open(name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def layers(count, seed=1):
    """A* across layers of two materials, 1 and 5, with Dirichlet-distributed fractions (2, 3)."""
    fractions = np.random.default_rng(seed).dirichlet([2, 3], count)
    return 1 / (fractions @ [1, 1 / 5])


def cells(count):
    """Tensors of periodic cells, with lags 0 and .1."""
    model = pl.inversion.PeriodicLaguerre(2, (24, 24))
    truth = {"a": np.array([1.0, 5.0]), "w": np.array([0.0, 0.1])}
    return model.simulate(truth, np.random.default_rng(2).random((count, 2, 2)))[0]


def test_scalars_to_every_output(pearlite):
    write("m.csv", **{"A [W/(m K)]": layers(300)})
    options = (*LAYERS, "-k", 2, "-o", "result.json", "--report", "page.html")
    code, out, err = pearlite("m.csv", *options)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "m.csv: 300 measurements of A in W/(m K)."
    assert lines[1].split() == ["estimate", "error", "90", "%", "interval"]
    assert [line.split()[0] for line in lines[2:6]] == ["a_1", "a_2", "alpha_1", "alpha_2"]
    assert lines[-2:] == ["wrote result.json", "wrote page.html"]
    with open("result.json") as file:
        result = json.load(file)
    assert result["data"] == {"source": "m.csv", "count": 300, "unit": "W/(m K)", "missing": {}}
    assert result["model"] == {"name": "layers", "materials": 2, "seed": 0}
    assert len(result["restarts"]) == 2
    for name, truth in (("a", [1, 5]), ("alpha", [2, 3])):
        found = result["parameters"][name]
        error = np.subtract(found["estimate"], truth) / found["error"]
        assert np.abs(error).max() < 4
        assert (np.array(found["interval"])[:, 0] < found["estimate"]).all()
    with open("page.html", encoding="utf-8") as file:
        page = file.read()
    assert "Inversion of m.csv" in page
    assert "A (W/(m K))" not in page  # which is inside of the pictures
    assert page.count("<img") == 4  # histogram, loss, a, alpha
    code, out, err = pearlite("m.csv", *LAYERS, "-k", 2, "--json")
    again = json.loads(out)
    assert again["parameters"] == result["parameters"]


def test_tensors_with_gaps_and_errors(pearlite):
    data = cells(120).round(6)
    a22 = ["" if k % 3 == 0 else value for k, value in enumerate(data[:, 1])]
    write("m.csv", A11=data[:, 0], A22=a22, sigma=[0.001] * 120)
    code, out, err = pearlite("m.csv", "-k", 2, *CELLS, "--report", "p.html", "--json", "--seed", 3)
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["data"]["missing"] == {"A22": 40, "A12": 120}
    assert result["data"]["unit"] is None
    assert result["parameters"]["w"]["estimate"][0] == 0
    assert 2 < result["parameters"]["a"]["estimate"][1] < 10
    with open("p.html", encoding="utf-8") as file:
        assert file.read().count("<img") == 6  # A11, A22, one pair, loss, a, w


def test_mosaics(pearlite):
    model = pl.inversion.StochasticMosaics(2, 30, (48, 48))
    data = model.measure({"alpha": [2.0, 3.0], "a": [1.0, 5.0]}, 150, seed=1)
    write("m.csv", A11=data[:, 0], A22=data[:, 1], A12=data[:, 2])
    options = ("--model", "mosaic", "-k", 2, "--sites", 30, "--size", 32, "--restarts", 1)
    code, out, err = pearlite("m.csv", *options, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["refinement"] == "likelihood"
    assert found["cell_problems"] > 0
    assert found["parameters"]["a"]["estimate"] == pytest.approx([1, 5], rel=0.1)


def test_demo(pearlite):
    code, out, err = pearlite("--demo", "--model", "layers", "--restarts", 2, "-k", 2)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "500 made measurements of A, from a = 1, 10; alpha = 1, 2."
    assert lines[1].split()[-1] == "truth"
    assert "expected error, in fact" in out


def sites(count):
    """Places in a square, and normal numbers that are alike up to a distance of about .3."""
    where = np.random.default_rng(5).random((count, 2))
    distance = np.linalg.norm(where[:, None] - where[None], axis=2)
    root = np.linalg.cholesky(np.exp(-3 * (distance / 0.3) ** 2) + 1e-8 * np.eye(count))
    return where, root @ np.random.default_rng(6).standard_normal(count)


def test_correlated_sites(pearlite):
    where, normal = sites(300)
    values = np.exp(0.2 * normal) + 2
    columns = {"A": values, "x [mm]": where[:, 0], "y [mm]": where[:, 1]}
    write("m.csv", **columns)
    code, out, err = pearlite("m.csv", *LAYERS, "-k", 2)
    assert (code, err) == (0, "")
    assert "alike up to 0." in out
    assert "300 sites are worth N_eff = " in out
    assert "--thin would keep" in out
    code, out, err = pearlite("m.csv", *LAYERS, "-k", 2, "--thin", "--report", "p.html", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)["data"]
    assert data["range"] == pytest.approx(0.3, abs=0.12)
    assert 5 < data["count"] < 40
    assert data["effective_number"] < data["count"]
    with open("p.html", encoding="utf-8") as file:
        assert "variogram" in file.read()
    write("few.csv", **{name: column[:5] for name, column in columns.items()})
    code, out, err = pearlite("few.csv", *LAYERS, "--thin")
    assert (code, out) == (1, "")
    assert "few.csv: has 2 pairs of sites" in err
    write("few.csv", **{name: column[:8] for name, column in columns.items()})
    code, out, err = pearlite("few.csv", *LAYERS, "-k", 2)
    assert (code, err) == (0, "")
    assert "All count as independent: the table has " in out


def test_specimens_are_groups(pearlite):
    specimen = np.repeat(np.arange(50), 6)
    write("m.csv", A=np.repeat(layers(50), 6) * (1 + 1e-4 * np.arange(300)), specimen=specimen)
    write("n.csv", A=np.repeat(layers(50), 6) * (1 + 1e-4 * np.arange(300)))
    errors = []
    for name in ("m.csv", "n.csv"):
        code, out, err = pearlite(name, *LAYERS, "-k", 2, "--json")
        assert (code, err) == (0, "")
        errors.append(json.loads(out)["parameters"]["alpha"]["error"])
    ratio = np.divide(*errors)
    assert (ratio > 1.5).all()  # √6, and less by what the rows of a specimen differ
    assert (ratio < 4).all()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "expected a table of MEASUREMENTS, or --demo"),
        (("m.csv", "--demo"), 2, "--demo makes its own data"),
        (("m.csv", "--model", "foam"), 2, "--model: 'foam' is none of laguerre, mosaic, layers"),
        (("m.csv", "--method", "sgd"), 2, "--method: 'sgd'"),
        (("m.csv", "--metric", "l1"), 2, "--metric: 'l1'"),
        (("m.csv", "--level", "90"), 2, "--level: 90 is not between"),
        (("m.csv", "--sigma", "-1"), 2, "--sigma: '-1' is neither"),
        (("m.csv", "-o", "result.txt"), 2, "unknown ending '.txt'; expected .json"),
        (("m.csv", "--report", "p.pdf"), 2, "unknown ending '.pdf'; expected .html"),
        (("m.csv", "-o", "no/result.json"), 1, "folder does not exist"),
        (("m.csv",), 2, "m.csv: holds a scalar A; --model laguerre is of A11, A22 and A12"),
        (("m.csv", "--model", "layers", "--thin"), 1, "no columns x and y, which --thin needs"),
        (("few.csv", "--model", "layers"), 1, "few.csv: has 4 measurements; a model of 6"),
        (("bad.csv", "--model", "layers"), 1, "bad.csv: line 3, column A: nan is no measurement"),
        (("none.csv",), 1, "none.csv: No such file"),
    ],
)
def test_wrong_use(pearlite, arguments, code, message):
    write("m.csv", A=layers(20))
    write("few.csv", A=[1.5, 2, 3, 4])
    write("bad.csv", A=[1.5, "nan"])
    got, out, err = pearlite(*arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def another_law(count):
    """Scalars in three heaps, which no fractions of two layers give."""
    rng = np.random.default_rng(7)
    return np.array([1.0, 2.0, 3.0])[rng.integers(3, size=count)] + 0.01 * rng.random(count)


def test_data_of_another_law_are_called_so(pearlite):
    write("right.csv", A=layers(200))
    write("wrong.csv", A=another_law(200))
    for name, fits in (("right.csv", True), ("wrong.csv", False)):
        options = ("--model", "layers", "-k", 2, "--restarts", 1, "-o", "r.json")
        code, out, err = pearlite(name, *options, "--report", "p.html")
        assert (code, err) == (0, "")
        with open("r.json") as file:
            goodness = json.load(file)["goodness"]
        assert goodness["fits"] == fits
        assert (goodness["probability"] <= 0.02) == (not fits)
        with open("p.html", encoding="utf-8") as file:
            page = file.read()
        verdict = "The model fits: " if fits else "The model does not fit: "
        for told in (out, page):
            assert verdict in " ".join(told.split())
