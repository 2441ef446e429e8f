"""The modules that supernets are written with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Elastic, Gate, Mutable, OneOf, Selection, SomeOf, collapse, mutables
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.operations import Zero
from nas.space import Decision


class Times(nn.Module):
    """Multiply by a number, and count."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x * self.factor


class Add(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Subtract(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x - y


def times(*factors: float) -> list[nn.Module]:
    return [Times(factor) for factor in factors]


def run(network: nn.Module, x: Tensor, **weights: Selection) -> Tensor:
    return Supernet(network, lambda _: {})(x, weights)


X = torch.tensor([1.0, 2.0])


# -- OneOf ------------------------------------------------------------------------------------


def test_one_of_runs_the_selected_candidate_only() -> None:
    choice = OneOf(times(2, 3, 5), label="c")
    assert torch.equal(run(choice, X, c=1), 3 * X)
    assert [c.runs for c in choice.candidates.values()] == [0, 1, 0]


def test_one_of_mixes() -> None:
    choice = OneOf(times(2, 3, 5), label="c")
    mixed = run(choice, X, c=torch.tensor([0.5, 0.0, 0.1]))
    assert torch.allclose(mixed, 1.5 * X)
    assert [c.runs for c in choice.candidates.values()] == [1, 0, 1]


def test_negative_weights_are_executed() -> None:
    """Only exactly zero means absent."""
    choice = OneOf(times(2, 3), label="c")
    assert torch.equal(run(choice, X, c=torch.tensor([-1.0, 1.0])), X)


def test_one_of_takes_several_inputs() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.join = OneOf([Add(), Subtract()], label="join")

        def forward(self, x: Tensor) -> Tensor:
            return self.join(x, 3 * x)

    assert torch.equal(run(Net(), X, join=0), 4 * X)
    assert torch.equal(run(Net(), X, join=torch.tensor([0.5, 0.5])), X)


def test_gradients_reach_weights_and_candidates_that_ran() -> None:
    choice = OneOf(times(2, 3, 5), label="c")
    weight = torch.tensor([0.5, 0.0, 0.5], requires_grad=True)
    run(choice, X, c=weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [6.0, 0.0, 15.0]
    grads = [parameter.grad for parameter in choice.parameters()]
    assert grads[1] is None and grads[0] == grads[2] == 1.5


def test_a_one_hot_weight_gets_a_gradient() -> None:
    weight = torch.tensor([0.0, 1.0], requires_grad=True)
    run(OneOf(times(2, 3), label="c"), X, c=weight).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [0.0, 9.0]


def test_zero_does_not_run_beside_others() -> None:
    choice = OneOf({"none": Zero(), "twice": Times(2)}, label="c")
    x = torch.ones(1, 1, 2, 2)
    ran: list[int] = []
    choice.candidates["none"].register_forward_hook(lambda *_: ran.append(1))
    assert torch.equal(run(choice, x, c=torch.tensor([0.25, 0.5])), x)
    assert ran == []
    assert torch.equal(run(choice, x, c=torch.tensor([1.0, 0.0])), 0 * x)
    assert torch.equal(run(choice, x, c=0), 0 * x)
    assert choice.gate().absent == 0
    assert OneOf(times(1)).gate().absent is None


def test_all_weights_zero_is_an_error() -> None:
    with pytest.raises(NasError, match="mutable 'c': all weights are zero"):
        run(OneOf(times(2, 3), label="c"), X, c=torch.zeros(2))


def test_names_of_candidates() -> None:
    assert tuple(OneOf([nn.ReLU(), nn.Tanh(), nn.ReLU()]).candidates) == (
        "0_ReLU",
        "1_Tanh",
        "2_ReLU",
    )
    choice = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")
    assert choice.gate() == Gate("act", ("relu", "tanh"))
    assert choice.decision() == Decision("act", ("relu", "tanh"))


@pytest.mark.parametrize("candidates", [[], {}])
def test_no_candidates(candidates: Any) -> None:
    with pytest.raises(NasError, match="OneOf needs at least one candidate"):
        OneOf(candidates)
    with pytest.raises(NasError, match="SomeOf needs at least one candidate"):
        SomeOf(candidates, choose=1)


@pytest.mark.parametrize(
    "candidates",
    [{"conv.3": nn.ReLU()}, {"": nn.ReLU()}, {"half": nn.ReLU()}, {3: nn.ReLU()}, [3], {"a": 3}],
)
def test_impossible_candidates(candidates: Any) -> None:
    with pytest.raises(NasError, match="OneOf: "):
        OneOf(candidates)


# -- SomeOf -----------------------------------------------------------------------------------


def test_some_of_adds_what_is_selected() -> None:
    choice = SomeOf(times(2, 3, 5), choose=2, label="c")
    assert torch.equal(run(choice, X, c=(0, 2)), 7 * X)
    assert torch.equal(run(choice, X, c=torch.tensor([1.0, 0.0, 1.0])), 7 * X)
    assert [c.runs for c in choice.candidates.values()] == [2, 0, 2]
    assert torch.allclose(run(choice, X, c=torch.tensor([0.5, 1.0, 0.1])), 4.5 * X)


def test_some_of_decides_on_sets() -> None:
    choice = SomeOf({"a": Times(1), "b": Times(2), "c": Times(3)}, choose=2, label="set")
    assert choice.gate() == Gate("set", ("a", "b", "c"), choose=2)
    assert choice.decision() == Decision("set", ("a+b", "a+c", "b+c"))
    assert choice.selections() == [(0, 1), (0, 2), (1, 2)]
    assert [options for _, options in choice.parts()] == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("choose", [0, 4, -1])
def test_some_of_checks_choose(choose: int) -> None:
    with pytest.raises(NasError, match=f"SomeOf: choose={choose}; allowed is 1 to 3"):
        SomeOf(times(1, 2, 3), choose)


# -- Elastic ----------------------------------------------------------------------------------


def test_elastic_sorts_its_sizes() -> None:
    block = nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 2))
    elastic = Elastic(block, width=[8, 2, 4], label="w")
    assert elastic.decision() == Decision("w", (2, 4, 8), ordered=True)
    assert elastic.gate() == Gate("w", ("2", "4", "8"), ordered=True)
    assert elastic.selections() == [0, 1, 2]


def test_elastic_mixes_sizes() -> None:
    elastic = Elastic(nn.Sequential(*times(2, 3, 5)), depth=(1, 3), label="d")
    assert torch.equal(run(elastic, X, d=0), 2 * X)
    assert torch.equal(run(elastic, X, d=1), 30 * X)
    assert torch.equal(run(elastic, X, d=torch.tensor([0.5, 0.1])), 4 * X)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({}, "exactly one of width, kernel_size, depth, heads, experts; got 0"),
        ({"width": [1], "depth": [1]}, "exactly one of .*; got 2"),
        ({"widht": [1]}, r"unknown elastic size 'widht'\. Did you mean 'width'\?"),
        ({"channels": [1]}, r"Elastic channels=\.\.\.: write width=\.\.\."),
        ({"num_heads": [1]}, r"Elastic num_heads=\.\.\.: write heads=\.\.\."),
    ],
)
def test_elastic_needs_one_size(sizes: dict[str, list[int]], message: str) -> None:
    with pytest.raises(NasError, match=message):
        Elastic(nn.Sequential(nn.Linear(1, 1)), **sizes)


# -- labels -----------------------------------------------------------------------------------


class Two(nn.Module):
    """Two choices of the same kind."""

    def __init__(self, *labels: str | None, second: tuple[float, ...] = (5, 7)) -> None:
        super().__init__()
        self.first = OneOf(times(2, 3), label=labels[0])
        self.second = OneOf(times(*second), label=labels[1])

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def test_labels_come_from_the_place() -> None:
    assert list(mutables(nn.Sequential(Two(None, None), OneOf(times(1))))) == [
        "0.first",
        "0.second",
        "1",
    ]
    assert list(mutables(OneOf(times(1)))) == ["OneOf"]


def test_one_label_is_one_gate() -> None:
    network = Two("same", "same")
    assert [len(group) for group in mutables(network).values()] == [2]
    assert torch.equal(run(network, X, same=1), 21 * X)


def test_one_label_needs_the_same_options() -> None:
    with pytest.raises(NasError, match="mutables labelled 'same' have different options"):
        mutables(Two("same", "same", second=(1, 2, 3)))


def test_one_label_has_one_condition() -> None:
    def first(options: Any) -> bool:
        return bool(options)

    def second(options: Any) -> bool:
        return not options

    same = [OneOf(times(1, 2), label="c", when=when) for when in (None, first, first)]
    assert len(mutables(nn.Sequential(*same))["c"]) == 3
    with pytest.raises(NasError, match="labelled 'c' have different conditions"):
        mutables(nn.Sequential(*same, OneOf(times(1, 2), label="c", when=second)))


def test_a_mutable_alone_says_what_to_do() -> None:
    with pytest.raises(NasError, match="mutable 'c' has nothing selected: run the network through"):
        OneOf(times(1), label="c")(X)


# -- collapse ---------------------------------------------------------------------------------


def test_collapse_leaves_no_mutable() -> None:
    inner = OneOf(times(2, 3), label="inner")
    network = nn.Sequential(
        OneOf([nn.Sequential(inner), Times(5)], label="outer"),
        SomeOf(times(1, 10, 100), choose=2, label="set"),
        Elastic(nn.Sequential(*times(7, 11)), depth=(1, 2), label="deep"),
    )
    plain = collapse(network, {"outer": 0, "inner": 1, "set": (0, 2), "deep": 0})
    assert torch.equal(plain(X), 3 * 101 * 7 * X)
    assert not any(isinstance(module, Mutable) for module in plain.modules())


def test_collapse_of_a_mutable_in_a_mutable() -> None:
    inner = OneOf(times(2, 3), label="inner")
    root = OneOf([inner, Times(5)], label="root")
    assert torch.equal(collapse(root, {"root": 0, "inner": 1})(X), 3 * X)


class Shared(nn.Module):
    """One mutable under two names: its weights are used twice."""

    def __init__(self, block: Mutable) -> None:
        super().__init__()
        self.first = block
        self.inside = nn.Sequential(nn.Identity(), block)
        self.again = block

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.inside(self.first(x)))


def test_collapse_of_a_shared_mutable() -> None:
    plain = collapse(Shared(OneOf(times(2, 3), label="c")), {"c": 1})
    assert torch.equal(plain(X), 27 * X)
    assert len(list(plain.parameters())) == 1


def test_collapse_of_a_shared_elastic_keeps_one_weight() -> None:
    block = Elastic(nn.Conv2d(1, 1, 3, padding=1), kernel_size=(1, 3), label="k")
    plain = collapse(Shared(block), {"k": 0})
    assert len(list(plain.parameters())) == 2  # weight and bias
