"""The supernet: which gates it has, what it refuses, what it leaves behind."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Mutable, OneOf, SomeOf
from nas.mutables.supernet import Supernet
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.space import Architecture
from nas.task import TaskInfo


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = OneOf([nn.Linear(3, 3), nn.Linear(3, 3), nn.Identity()], label="first")
        self.second = SomeOf([nn.Linear(3, 2) for _ in range(3)], choose=2, label="second")

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


SPACE = ModuleSpace(Net)
TASK = TaskInfo((3,), 2)
X = torch.randn(4, 3)


def selections(supernet: Supernet) -> list[object]:
    return [m.selection for m in supernet.modules() if isinstance(m, Mutable)]


def test_gates() -> None:
    gates = SPACE.supernet(TASK).gates
    assert list(gates) == ["first", "second"]
    assert [(len(gate.options), gate.choose) for gate in gates.values()] == [(3, 1), (3, 2)]


def test_a_missing_gate_is_an_error() -> None:
    supernet = SPACE.supernet(TASK)
    with pytest.raises(NasError, match="no weights for gate 'second'"):
        supernet(X, {"first": 0})
    with pytest.raises(NasError, match="no weights for gate 'first'"):
        supernet(X, {})


def test_an_unknown_gate_is_an_error() -> None:
    with pytest.raises(NasError, match=r"unknown gate 'frist'\. Did you mean 'first'\?"):
        SPACE.supernet(TASK)(X, {"frist": 0, "first": 0, "second": (0, 1)})


def test_path_leaves_out_gates_that_are_not_there() -> None:
    """DARTS has gates over a node's inputs only where that is asked for."""
    space, task = DARTS(), TaskInfo((3, 8, 8), 10)
    a = space.sample(np.random.default_rng(0), 1)[0]
    plain = space.supernet(task, channels=4, layers=3)
    assert plain.path(a).keys() < space.path(a).keys()
    gated = space.supernet(task, channels=4, layers=3, edge_gates=True)
    assert gated.path(a) == space.path(a)


def test_selection_is_reset_after_a_pass() -> None:
    supernet = SPACE.supernet(TASK)
    supernet(X, {"first": 0, "second": (0, 1)})
    assert selections(supernet) == [None, None]


def test_selection_is_reset_after_an_exception() -> None:
    supernet = SPACE.supernet(TASK)
    with pytest.raises(RuntimeError):
        supernet(torch.randn(4, 99), {"first": 0, "second": (0, 1)})
    assert selections(supernet) == [None, None]
    with pytest.raises(ZeroDivisionError), supernet.selected({"first": 0, "second": (0, 1)}):
        assert selections(supernet) == [0, (0, 1)]
        _ = 1 / 0
    assert selections(supernet) == [None, None]


def test_the_network_runs_while_selected() -> None:
    supernet = SPACE.supernet(TASK)
    path = {"first": 2, "second": (0, 1)}
    with supernet.selected(path):
        inside = supernet.network(X)
    assert torch.equal(inside, supernet(X, path))
    with pytest.raises(NasError, match="nothing selected"):
        supernet.network(X)


def test_gradients_go_to_the_gates_and_weights_that_run() -> None:
    supernet = SPACE.supernet(TASK)
    weights = {
        "first": torch.tensor([0.4, 0.0, 0.6], requires_grad=True),
        "second": torch.tensor([0.0, 1.0, 1.0], requires_grad=True),
    }
    supernet(X, weights).square().sum().backward()
    grads = {name: (weight.grad != 0).tolist() for name, weight in weights.items()}  # type: ignore[union-attr]
    assert grads == {"first": [True, False, True], "second": [False, True, True]}
    network = supernet.network
    ran = {n.rsplit(".", 1)[0] for n, p in network.named_parameters() if p.grad is not None}
    assert ran == {
        "first.candidates.0_Linear",
        "second.candidates.1_Linear",
        "second.candidates.2_Linear",
    }


def test_a_path_gives_no_gate_a_gradient() -> None:
    supernet = SPACE.supernet(TASK)
    for parameter in supernet.parameters():
        parameter.requires_grad_(False)
    assert not supernet(X, {"first": 0, "second": (0, 1)}).requires_grad


# -- extraction -------------------------------------------------------------------------------


def test_extraction_copies() -> None:
    supernet = SPACE.supernet(TASK)
    before = copy.deepcopy(supernet.state_dict())
    network = supernet.extract(Architecture("Net", (0, 0)))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_extraction_keeps_mode_and_precision(training: bool) -> None:
    a = DARTS().sample(np.random.default_rng(0), 1)[0]
    cells = DARTS().supernet(TaskInfo((3, 8, 8), 10), channels=4, layers=3)
    pairs = [(SPACE.supernet(TASK), Architecture("Net", (0, 0))), (cells, a)]
    for supernet, architecture in pairs:
        supernet.train(training).to(torch.bfloat16)
        network = supernet.extract(architecture)
        assert {module.training for module in network.modules()} == {training}
        assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}


def test_extraction_in_the_middle_of_a_pass() -> None:
    """What is selected does not leak into the extracted network."""
    supernet = SPACE.supernet(TASK)
    with supernet.selected({"first": 1, "second": (1, 2)}):
        network = supernet.extract(Architecture("Net", (0, 0)))
    assert torch.equal(network(X), supernet(X, {"first": 0, "second": (0, 1)}))


def test_a_copy_runs_on_its_own() -> None:
    supernet = SPACE.supernet(TASK)
    other = copy.deepcopy(supernet)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    path = {"first": 0, "second": (0, 1)}
    assert not other(X, path).any()
    assert supernet(X, path).all()


def test_state_dict_round_trip() -> None:
    one, other = SPACE.supernet(TASK), SPACE.supernet(TASK)
    path = {"first": 1, "second": (0, 2)}
    assert not torch.equal(one(X, path), other(X, path))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(X, path), other(X, path))
