"""What a network costs, against counts made by hand and the figures of NAS-Bench-201."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.costs.measure import (
    activation_bytes,
    count_flops,
    count_parameters,
    evaluating,
    latency,
    measure,
    watching,
)
from nas.errors import NasError
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.genotypes import DARTS_GENOTYPES
from nas.search_spaces.cells.network import CellNetwork
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.task import TaskInfo

TABLE = Path(__file__).parents[3] / "shared" / "data" / "nasbench201_cifar10.npz"

# What the table counts beyond convolutions and the classifier, at 16 channels and 5 cells: found
# by comparison, and exact for every architecture looked at. With a stage's 143,360 outputs an
# edge: 3 for each that batch norm gives, 9 for each that 3x3 pooling gives.
OUTPUTS = 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
OUTSIDE_CELLS = 160_832


def cell_network(auxiliary: bool = False) -> CellNetwork:
    torch.manual_seed(0)
    return CellNetwork(
        DARTS_GENOTYPES["PC_DARTS"], 1, 8, 10, channels=4, layers=3, auxiliary=auxiliary
    )


class Relu(nn.Module):
    """Keeps its result for the backward pass, as `linear` after it keeps its input: one storage."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(functional.relu(x))
        return out


# -- parameters -----------------------------------------------------------------------------------


def test_parameters_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    assert count_parameters(network) == 8 * 27 + 8 + 16 + 18


def test_shared_parameters_count_once() -> None:
    linear = nn.Linear(4, 4)
    assert count_parameters(nn.Sequential(linear, linear)) == 20


def test_the_auxiliary_head_is_left_out_unless_asked_for() -> None:
    plain, both = cell_network(), cell_network(auxiliary=True)
    assert count_parameters(both) == count_parameters(plain)
    head = count_parameters(both.auxiliary_head)
    assert head > 0
    assert count_parameters(both, auxiliary=True) == count_parameters(plain) + head


# -- multiply-accumulates -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "shape", "count"),
    [
        (nn.Linear(7, 5), (7,), 35),
        (nn.Conv2d(3, 8, 3, padding=1), (3, 6, 6), 36 * 8 * 27),
        (nn.Conv2d(8, 8, 3, groups=8), (8, 6, 6), 16 * 8 * 9),
        (nn.Conv2d(4, 6, 1, stride=2), (4, 6, 6), 9 * 6 * 4),
        (nn.Conv1d(4, 8, 5, groups=2), (4, 9), 5 * 8 * 2 * 5),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2)), (3, 6, 6), 0),
        # Per step of an LSTM: four gates, from 8 inputs and 16 hidden units.
        (nn.LSTM(8, 16, batch_first=True), (5, 8), 5 * 4 * 16 * (8 + 16)),
        # Projections to queries, keys, values and back, 5 x 5 scores and their use, two layers.
        (
            nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
            (5, 16),
            5 * 16 * 16 * 4 + 2 * 25 * 16 + 2 * 5 * 16 * 32,
        ),
    ],
    ids=["linear", "conv", "depthwise", "stride", "groups", "rest", "lstm", "attention"],
)
def test_flops_by_hand(module: nn.Module, shape: tuple[int, ...], count: int) -> None:
    assert count_flops(module, shape) == count


def test_counting_leaves_the_network_and_torch_as_they_were() -> None:
    network = cell_network(auxiliary=True).train()
    network.stem.eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    backends = (torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled())
    expected = count_flops(cell_network(), (1, 8, 8))
    state = torch.get_rng_state()
    assert count_flops(network, (1, 8, 8)) == expected
    assert [module.training for module in network.modules()] == modes
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert backends == (torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled())
    assert torch.equal(torch.get_rng_state(), state)


def test_modes_come_back_after_an_error() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    with pytest.raises(RuntimeError):
        count_flops(network, (4,))
    assert network[1].training and torch.backends.mkldnn.enabled


def test_evaluating_restores_every_mode() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Dropout())
    network[0].eval()
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, False, True]


def test_measure() -> None:
    assert measure(nn.Linear(7, 5), (7,)) == {"parameters": 40.0, "flops": 35.0}


@pytest.mark.parametrize("seed", [0, 1])
def test_figures_of_nas_bench_201(seed: int) -> None:
    """Parameters are exact; the table's operations are ours and a fixed cost an operation."""
    if not TABLE.exists():
        pytest.skip(f"{TABLE.name} is not there")
    table = np.load(TABLE)
    rng = np.random.default_rng(seed)
    for index in rng.integers(0, len(table["arch_str"]), 3):
        text = str(table["arch_str"][index])
        space = NASBench201()
        network = space.build(space.parse(text), TaskInfo((3, 32, 32), 10), channels=16, cells=5)
        assert count_parameters(network) == round(table["params_M"][index] * 1e6), text
        beyond = 3 * OUTPUTS * text.count("conv") + 9 * OUTPUTS * text.count("pool")
        flops = count_flops(network, (3, 32, 32)) + beyond + OUTSIDE_CELLS
        assert flops == round(table["flops_M"][index] * 1e6), text


# -- memory ---------------------------------------------------------------------------------------


def test_activations_by_hand() -> None:
    """ReLU keeps its result [4, 6], which is also the input that the linear layer keeps."""
    network, x = Relu(), torch.randn(4, 6, requires_grad=True)
    run = lambda: network(x)  # noqa: E731
    assert activation_bytes(run, network.parameters()) == 4 * 6 * 4
    weight = 5 * 6 * 4  # kept for the gradient of the input
    assert activation_bytes(run) == 4 * 6 * 4 + weight


def test_only_what_the_result_depends_on_counts() -> None:
    x = torch.randn(8, requires_grad=True)

    def run() -> Tensor:
        x.exp().sin().sum()  # dropped at once
        return x.exp()

    assert activation_bytes(run) == 8 * 4


def test_no_memory_stays_behind() -> None:
    x = torch.randn(8, requires_grad=True)
    kept = []

    def run() -> Tensor:
        result = x.exp()
        kept.append(weakref.ref(result.untyped_storage()))
        return result

    activation_bytes(run)
    assert kept[0]() is None


def test_a_backward_pass_inside_works() -> None:
    x = torch.randn(8, requires_grad=True)
    activation_bytes(lambda: x.exp().sum().backward())
    assert torch.allclose(x.grad, x.exp())


def test_nothing_is_kept_where_nothing_is_trained() -> None:
    assert activation_bytes(lambda: torch.randn(8).exp()) == 0


def test_activations_count_without_gradients_around() -> None:
    x = torch.randn(8, requires_grad=True)
    with torch.no_grad():
        assert activation_bytes(lambda: x.exp()) == 8 * 4


def test_activations_of_a_supernet_grow_with_what_runs() -> None:
    """One-hot weights run one operation a gate, a mixture all of them."""
    space = NASBench201()
    supernet: Supernet = space.supernet(TaskInfo((1, 8, 8), 10), channels=4, cells=1)
    rest = [*chain(supernet.parameters(), supernet.buffers())]
    x = torch.randn(2, 1, 8, 8)
    path = supernet.path(space.parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"))
    mixed = {gate: torch.full((len(g.options),), 0.5) for gate, g in supernet.gates.items()}
    sizes = [activation_bytes(lambda w=w: supernet(x, w), rest) for w in (path, path, mixed)]
    assert 0 < sizes[0] == sizes[1] < sizes[2] / 2


# -- latency --------------------------------------------------------------------------------------


class Counting(nn.Module):
    """Counts its passes and keeps the shape and mode of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.seen = (tuple(x.shape), self.training, torch.is_grad_enabled())
        return x * self.weight


def test_latency_runs_batches_in_evaluation_mode() -> None:
    module = Counting()
    assert 0 < latency(module, (3, 4), batch=2, repeats=5) < 1
    assert module.passes > 5  # some to warm up
    assert module.seen == ((2, 3, 4), False, False)
    assert module.training


def test_latency_on_a_device_runs_a_copy() -> None:
    module = Counting()
    assert latency(module, (3,), repeats=1, device="cpu") > 0
    assert module.passes == 0


def test_latency_is_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 90.0, 2.0])
    monkeypatch.setattr(import_module("nas.costs.measure"), "_seconds", lambda *_: next(times))
    assert latency(Counting(), (3,), repeats=3) == 2.0


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"repeats": 0}])
def test_nothing_to_time_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(NasError, match="at least 1"):
        latency(Counting(), (3,), **wrong)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_costs_on_a_gpu() -> None:
    network = cell_network().cuda()
    assert count_flops(network, (1, 8, 8)) == count_flops(cell_network(), (1, 8, 8))
    assert latency(network, (1, 8, 8), repeats=2) > 0
    x = torch.randn(2, 1, 8, 8, device="cuda")
    assert activation_bytes(lambda: network(x), network.parameters()) > x.nbytes


# -- what is left out, and what networks say ------------------------------------------------------


class Padded(nn.Module):
    """Runs three rows, two of which nothing needs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.linear(torch.cat([x, x, x]) * scale)[: len(x)]

    def idle_multiply_adds(self, x: Tensor, scale: float = 1.0) -> int:
        return 2 * len(x) * 20 if scale == 2.0 else 0


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.padded, self.last = Padded(), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last(self.padded(x, scale=2.0))
        return output


def test_what_parts_call_idle_is_left_out() -> None:
    network = Scaled()
    assert count_flops(network.padded, (4,)) == 60
    assert count_flops(network, (4,)) == 20 + 10
    assert not network.padded._forward_hooks


@pytest.mark.parametrize(("kind", "shape"), [("sequence", (6, 4)), ("tokens", (6,))])
def test_multiply_adds_of_a_token(kind: str, shape: tuple[int, ...]) -> None:
    info = TaskInfo(shape, 5, kind=kind, vocabulary=5)
    network = nn.Linear(4, 5) if kind == "sequence" else nn.Sequential(
        nn.Embedding(5, 4), nn.Linear(4, 5)
    )  # fmt: skip
    found = measure(network, info)
    assert (found["flops"], found["flops_per_token"]) == (6 * 20, 20)


class Talking(nn.Module):
    """Says how many examples it has had."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return x

    @contextmanager
    def watching(self) -> Iterator[Callable[[], dict[str, float]]]:
        self.seen = 0
        yield lambda: {"seen": float(self.seen)}


def test_a_network_that_has_something_to_say_is_watched() -> None:
    network = Talking()
    network(torch.zeros(5, 1))
    with watching(network) as metrics:
        network(torch.zeros(2, 1))
        network(torch.zeros(1, 1))
    assert metrics() == {"seen": 3.0}
    with watching(nn.Identity()) as metrics:
        assert metrics() == {}
