"""The torch network against its equations in numpy."""

import numpy as np
import pytest
from reference import score_network as reference

torch = pytest.importorskip("torch", reason="torch is not installed")
from pearlite.generation import Model, ScoreNetwork  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=[(2, 6, 1), (3, 5, 2), (2, 4, 3)], ids=str)
def model(request):
    phases, channels, levels = request.param
    model = Model.random(phases=phases, channels=channels, levels=levels, seed=1)
    # Slopes and offsets that differ, so that none can be mistaken for another.
    random = np.random.default_rng(0)
    tensors = {
        k: (v + 0.3 * random.standard_normal(v.shape)).astype(np.float32)
        for k, v in model.tensors.items()
    }
    return Model(tensors, phases, channels, levels)


def test_matches_its_equations(model):
    network = ScoreNetwork.of(model).double()
    images = np.random.default_rng(2).standard_normal((3, model.inputs, 16, 24))
    sigma = np.array([0.1, 1.0, 7.0])
    with torch.no_grad():
        got = network(torch.from_numpy(images), torch.from_numpy(sigma)).numpy()
    for image, s, score in zip(images, sigma, got, strict=True):
        expected = reference.raw(model.tensors, model.levels, image) / s
        assert score == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_names_are_those_of_the_model(model):
    network = ScoreNetwork.of(model)
    assert list(network.state_dict()) != []
    assert set(network.state_dict()) == set(model.tensors)
    for name, tensor in network.tensors().items():
        assert np.array_equal(tensor, model.tensors[name])
    assert sum(p.numel() for p in network.parameters()) == model.parameters


def test_dropout_is_only_in_training():
    network = ScoreNetwork.of(Model.random(phases=2, channels=6, levels=1))
    image = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.raw(image), network.raw(image))
    network.train()
    assert not torch.equal(network.raw(image), network.raw(image))


def test_gradients_by_differences():
    network = ScoreNetwork.of(Model.random(phases=2, channels=3, levels=1)).double()
    image = torch.randn(2, 1, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    names = [name for name, _ in network.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in network.parameters()]

    def loss(*parameters):
        weights = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(network, weights, (image, torch.ones(2))).square().mean()

    assert torch.autograd.gradcheck(loss, values)


def test_volumes():
    network = ScoreNetwork.of(Model.random(phases=2, channels=4, levels=1, dim=3))
    assert network(torch.zeros(2, 1, 4, 6, 8), torch.ones(2)).shape == (2, 1, 4, 6, 8)


def test_sizes_that_do_not_halve():
    network = ScoreNetwork.of(Model.random(phases=2, channels=4, levels=2))
    with pytest.raises(ValueError, match=r"image has shape \(1, 1, 16, 18\); expected multiples"):
        network.raw(torch.zeros(1, 1, 16, 18))
