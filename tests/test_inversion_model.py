"""Parameters, their unconstrained coordinates, and the protocol of models."""

import numpy as np
import pytest

from pearlite.inversion import Block, Layout, Model

BLOCKS = (
    Block("a", 3, "positive"),
    Block("w", 3, gauge=True),
    Block("v", 3, "simplex"),
    Block("s", 1, "free", materials=False),
)
VALUES = {
    "a": np.array([4.0, 1.0, 10.0]),
    "w": np.array([0.0, 0.1, -0.2]),
    "v": np.array([0.2, 0.3, 0.5]),
    "s": np.array([-3.0]),
}


class Gauss(Model):
    """A normal law, exp of it: x = exp(m + s z), with no Jacobian of its own."""

    blocks = (Block("m", 1), Block("s", 1, "positive"))
    components = 1

    def draw(self, count, seed):
        return np.random.default_rng(seed).standard_normal(count)

    def simulate(self, parameters, numbers, *, epsilon=None, jacobian=False):
        return np.exp(parameters["m"] + parameters["s"] * numbers[:, None]), None

    def start(self, data, rng):
        return {"m": np.zeros(1), "s": np.ones(1)}


def test_coordinates_and_parameters_are_inverse():
    layout = Layout(BLOCKS)
    coordinates = layout.coordinates(VALUES)
    assert coordinates.shape == (layout.free,) == (8,)
    back = layout.parameters(coordinates)
    for name, value in VALUES.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-14)
    assert layout.names == ["a_1", "a_2", "a_3", "w_1", "w_2", "w_3", "v_1", "v_2", "v_3", "s"]


def test_jacobian_of_the_layout_is_the_difference_quotient():
    layout = Layout(BLOCKS)
    z = layout.coordinates(VALUES)
    columns = [
        (layout.flat(layout.parameters(z + d)) - layout.flat(layout.parameters(z - d))) / 2e-6
        for d in 1e-6 * np.eye(layout.free)
    ]
    np.testing.assert_allclose(layout.jacobian(z), np.stack(columns, 1), atol=1e-8)


def test_sorting_keeps_materials_together_and_restores_the_gauge():
    values = Layout(BLOCKS, order="a").sorted(VALUES)
    np.testing.assert_array_equal(values["a"], [1, 4, 10])
    np.testing.assert_allclose(values["w"], [0, -0.1, -0.3], atol=1e-15)
    np.testing.assert_array_equal(values["v"], [0.3, 0.2, 0.5])


def test_known_blocks_have_no_coordinates():
    layout = Layout(BLOCKS, order="a", known={"a": VALUES["a"]})
    z = layout.coordinates(VALUES)
    assert z.shape == (5,)
    assert layout.jacobian(z).shape == (10, 5)
    np.testing.assert_array_equal(layout.parameters(z)["a"], VALUES["a"])
    np.testing.assert_array_equal(layout.jacobian(z)[:3], 0)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("a", [1.0, -1.0, 2.0]),
        ("a", [1.0, 2.0]),
        ("w", [0.0, np.nan, 1.0]),
        ("v", [0.5, 0.6, 0.1]),
        ("s", "x"),
    ],
)
def test_bad_parameters_are_named(name, bad):
    with pytest.raises(ValueError, match=rf"^parameters: {name} "):
        Layout(BLOCKS).check({**VALUES, name: bad})


def test_missing_blocks_are_named():
    with pytest.raises(ValueError, match=r"expected a mapping with \['a', 'w', 'v', 's'\]"):
        Layout(BLOCKS).check({"a": VALUES["a"]})


def test_a_model_without_jacobian_gets_differences():
    model = Gauss()
    numbers = model.draw(5, seed=1)
    z = np.array([0.3, np.log(0.5)])
    samples, jacobian = model.samples_and_jacobian(z, numbers)
    exact = samples * np.stack([np.ones(5), 0.5 * numbers], 1)
    np.testing.assert_allclose(jacobian[:, 0], exact, rtol=1e-6)
