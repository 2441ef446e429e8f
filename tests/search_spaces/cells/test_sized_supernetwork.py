"""Widths as a choice: sliced layers, masks of mixtures, extraction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nas.mutables import executed
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.sized_supernetwork import conv
from nas.search_spaces.nats_size import NATSSize
from nas.search_spaces.sliced.choice import Size
from nas.search_spaces.sliced.layers import batch_norm
from nas.space import Decision
from nas.task import TaskInfo

SPACE = NATSSize()
EXTREMES = ["8:8:8:8:8", "64:64:64:64:64", "8:64:8:64:8", "16:24:24:8:40", "64:32:16:16:16"]


def scrambled(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
    return module.double()


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(0)
    made = SPACE.supernet(TaskInfo((3, 8, 8), 5))
    scrambled(made)
    return made


def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=generator)


def hot(path: dict[str, int]) -> dict[str, Tensor]:
    return {name: torch.eye(8, dtype=torch.float64)[index] for name, index in path.items()}


# -- layers ---------------------------------------------------------------------------------------


def test_a_narrower_convolution_is_the_first_channels() -> None:
    layer, x = nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False), torch.randn(2, 6, 7, 7)
    x[:, 4:] = 0
    assert torch.allclose(conv(layer, x[:, :4], 5), layer(x)[:, :5], atol=1e-6)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_narrower_batch_norm_is_the_first_channels(momentum: float | None) -> None:
    narrow, wide = (nn.BatchNorm2d(8, momentum=momentum) for _ in range(2))
    scrambled(narrow)
    wide.double().load_state_dict(narrow.state_dict())
    rest = {n: t[5:].clone() for n, t in narrow.state_dict().items() if t.ndim}
    for seed in range(3):
        x = torch.randn(
            4, 8, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        assert torch.allclose(batch_norm(narrow, x[:, :5]), wide(x)[:, :5])
    for name, tensor in narrow.state_dict().items():
        if tensor.ndim:
            assert torch.allclose(tensor[:5], wide.state_dict()[name][:5])
            assert torch.equal(tensor[5:], rest[name])
    assert torch.allclose(batch_norm(narrow.eval(), x[:, :5]), wide.eval()(x)[:, :5])


# -- gates ----------------------------------------------------------------------------------------


def test_a_channel_weighs_what_the_widths_that_have_it_weigh() -> None:
    gate = Size(Decision("width", (2, 3, 5), ordered=True))
    weights = torch.tensor([0.5, 0.25, 0.125])
    gate.select(weights, executed({"": weights})[""])
    assert gate.largest == 5
    assert gate.by_feature(weights).tolist() == [0.875, 0.875, 0.375, 0.125, 0.125]
    x = torch.ones(1, 5, 2, 2)
    assert torch.equal(
        gate.masked(x), gate.by_feature(weights).view(1, -1, 1, 1).expand(1, 5, 2, 2)
    )


def test_widths_of_weight_zero_are_not_computed() -> None:
    gate = Size(Decision("width", (2, 3, 5), ordered=True))
    weights = torch.tensor([0.5, 0.25, 0.0])
    gate.select(weights, executed({"": weights})[""])
    assert gate.largest == 3
    assert gate.by_feature(weights).tolist() == [0.75, 0.75, 0.25]
    gate.select(1, (1,))
    assert gate.largest == 3 and torch.equal(
        gate.masked(torch.ones(1, 3, 1, 1)), torch.ones(1, 3, 1, 1)
    )


# -- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EXTREMES)
@pytest.mark.parametrize("training", [True, False])
def test_paths_one_hot_weights_and_extracted_networks_agree(
    supernet: Supernet, text: str, training: bool
) -> None:
    """Where widths stay and where they change, one after the other."""
    a, x = SPACE.parse(text), images()
    start = {name: tensor.clone() for name, tensor in supernet.train(training).state_dict().items()}
    plain = supernet.extract(a)
    expected = plain(x)
    assert torch.allclose(supernet(x, supernet.path(a)), expected)
    after = supernet.extract(a).state_dict()
    for name, tensor in plain.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.allclose(tensor, after[name]), name
    supernet.load_state_dict(start)
    assert torch.allclose(supernet(x, hot(supernet.path(a))), expected)
    supernet.load_state_dict(start)


def test_extracted_networks_say_how_they_were_built(supernet: Supernet) -> None:
    network = supernet.extract(SPACE.parse("8:16:24:32:40"))
    assert network.config == {"widths": [8, 16, 24, 32, 40], "input_channels": 3, "classes": 5}
    assert network.classifier.weight.dtype == torch.float64
    assert (
        network.classifier.weight.data_ptr()
        != supernet.network.largest.classifier.weight.data_ptr()
    )


def test_a_mixture_passes_on_by_the_weight_of_equal_widths(
    supernet: Supernet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The skip of a cell: what keeps its width passes, what does not is projected."""
    weights, x = hot(supernet.eval().path(SPACE.parse("64:64:64:64:64"))), images()
    weights["reduction1"] = torch.tensor([0.0] * 6 + [0.25, 0.75], dtype=torch.float64)
    weights["cell2"] = torch.tensor([0.0] * 6 + [0.5, 0.5], dtype=torch.float64)
    cell, original = supernet.network.largest.layers[2], supernet.network._layer
    seen = {}

    def spy(layer: nn.Module, x: Tensor, before: Size, gate: Size) -> Tensor:
        y = original(layer, x, before, gate)
        seen[layer] = x, y
        return y

    monkeypatch.setattr(supernet.network, "_layer", spy)
    supernet(x, weights)
    state, found = seen[cell]
    first = cell.edges["1_0"](state)
    second = cell.edges["2_0"](state) + cell.edges["2_1"](first)
    last = cell.edges["3_1"](first) + cell.edges["3_2"](second)

    def channels(low: float, high: float) -> Tensor:
        """Weigh what both widths have, and what only the larger has."""
        return torch.tensor([low] * 56 + [high] * 8, dtype=torch.float64).view(1, -1, 1, 1)

    kept = channels(0.5 * 0.25 + 0.5 * 0.75, 0.5 * 0.75) * state
    projected = channels(0.5 * 0.75 + 0.5 * 0.25, 0.5 * 0.25) * cell.skip(state)
    assert torch.allclose(found, channels(1.0, 0.5) * last + kept + projected)
