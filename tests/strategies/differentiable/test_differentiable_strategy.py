"""The composition: schedules, warm-up, state, failures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.mutables import OneOf, SomeOf
from nas.mutables.supernet import Supernet
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import Batch, DifferentiableStrategy
from nas.task import Task, TaskInfo

MakeStrategy = Callable[..., DifferentiableStrategy]
Two = tuple[Batch, Batch]


def on_cells(task: Task, **settings: Any) -> DifferentiableStrategy:
    """Make a strategy of a tiny supernet of NAS-Bench-201."""
    chosen = DifferentiableSettings(**settings)
    parts = {"partial_channels": chosen.partial_channels, "edge_gates": chosen.edge_gates}
    supernet = NASBench201().supernet(task.info, channels=4, cells=1, **parts)
    return DifferentiableStrategy(chosen, supernet, task)


def two(task: Task) -> Two:
    train, valid = (next(iter(task.batches(split, 20))) for split in ("train", "valid"))
    return train, valid


# -- schedules ------------------------------------------------------------------------------------


def test_the_learning_rate_falls_along_a_cosine(make_strategy: MakeStrategy) -> None:
    strategy = make_strategy(epochs=4, weight_lr=0.9, weight_lr_min=0.1)
    rates = []
    for epoch in range(4):
        strategy.begin_epoch(epoch)
        rates.append(strategy.weight_optimizer.param_groups[0]["lr"])
    root = 0.4 * 2**-0.5  # half the range times cos(pi/4)
    assert rates == pytest.approx([0.9, 0.5 + root, 0.5, 0.5 - root])


def test_the_temperature_goes_linearly_to_its_end(make_strategy: MakeStrategy) -> None:
    strategy = make_strategy(epochs=4, temperature_start=10.0, temperature_end=1.0)
    found = []
    for epoch in range(4):
        strategy.begin_epoch(epoch)
        found.append(strategy.temperature)
    assert found == pytest.approx([10, 7, 4, 1])
    single = make_strategy(epochs=1, temperature_start=10.0, temperature_end=1.0)
    assert single.temperature == 10


def test_the_temperature_reaches_the_relaxation(make_strategy: MakeStrategy) -> None:
    strategy = make_strategy(temperature_start=1e-3, temperature_end=1e-3)
    for weights in strategy.gate_weights().values():
        assert torch.as_tensor(weights).max() > 0.999


def test_how_far_gates_go_sets_their_learning_rate(smooth: Supernet) -> None:
    """3 over the 6 epochs that are not frozen, of 5 steps each."""
    settings = DifferentiableSettings(epochs=10, warm_up=0.4, gate_lr=None, gate_travel=3.0)
    strategy = DifferentiableStrategy(settings, smooth, Nothing(), steps_per_epoch=5)
    assert strategy.gate_optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


# -- warm-up --------------------------------------------------------------------------------------


def test_warm_up_trains_weights_only(make_strategy: MakeStrategy, batches: Two) -> None:
    strategy = make_strategy(epochs=10, warm_up=0.3, gate_lr=0.1)
    before = [a.detach().clone() for a in strategy.logits.values()]
    moved = []
    for epoch in range(10):
        strategy.begin_epoch(epoch)
        weights = [w.detach().clone() for w in strategy.supernet.parameters()]
        figures = strategy.step(*batches)
        pairs = zip(strategy.supernet.parameters(), weights, strict=True)
        assert all(not torch.equal(w, old) for w, old in pairs)
        now = zip(strategy.logits.values(), before, strict=True)
        moved.append(any(not torch.equal(a, b) for a, b in now))
        assert ("valid_loss" in figures) == moved[-1]
    assert moved == [False] * 3 + [True] * 7


def test_pc_darts_is_frozen_for_15_of_50_epochs() -> None:
    settings = registry.get("strategies", "pc-darts").factory("paper")
    supernet = ModuleSpace(Mixed).supernet(TaskInfo((4,), 3))
    strategy = DifferentiableStrategy(settings, supernet, Nothing())
    frozen = 0
    for epoch in range(settings.epochs):
        strategy.begin_epoch(epoch)
        frozen += strategy.gates_frozen
    assert (frozen, settings.epochs) == (15, 50)


# -- gates ----------------------------------------------------------------------------------------


class Mixed(nn.Module):
    """A choice of one, a choice of two, a choice of one from one."""

    def __init__(self) -> None:
        super().__init__()
        self.one = OneOf([nn.Linear(4, 4), nn.Identity()], label="one")
        self.some = SomeOf([nn.Linear(4, 4), nn.Identity(), nn.Tanh()], choose=2, label="some")
        self.only = OneOf([nn.Linear(4, 3)], label="only")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.only(self.some(self.one(x)))
        return output


class Nothing:
    """A problem that is not asked."""

    def loss(self, output: Any, target: Tensor) -> Tensor:
        raise NotImplementedError

    def correct(self, output: Any, target: Tensor) -> int:
        raise NotImplementedError


def test_only_choices_of_one_are_drawn_hard() -> None:
    """Dropping k-1 of k inputs that an architecture keeps would train something else."""
    supernet = ModuleSpace(Mixed).supernet(TaskInfo((4,), 3))
    settings = DifferentiableSettings(relaxation="gumbel-hard")
    strategy = DifferentiableStrategy(settings, supernet, Nothing())
    weights = {name: torch.as_tensor(w) for name, w in strategy.gate_weights().items()}
    assert sorted(weights["one"].tolist()) == [0, 1]
    assert (weights["some"] > 0).all()
    assert weights["only"].tolist() == [1]
    assert ModuleSpace(Mixed).check(ModuleSpace(Mixed).derive(strategy.scores())) is None


def test_detached_weights_carry_no_graph(make_strategy: MakeStrategy) -> None:
    strategy = make_strategy()
    assert not any(torch.as_tensor(w).requires_grad for w in strategy.gate_weights(True).values())
    assert all(torch.as_tensor(w).requires_grad for w in strategy.gate_weights().values())


def test_regularisers_are_added_with_their_scale(make_strategy: MakeStrategy, batches: Two) -> None:
    strategy = make_strategy(regularisers=("entropy", "dirichlet-anchor"), regulariser_scale=0.5)
    with_terms, figures = strategy.gate_loss(batches[1])
    strategy.regularisers.clear()
    without, _ = strategy.gate_loss(batches[1])
    entropy = registry.get("strategies.differentiable.regularisers", "entropy").factory()
    anchor = registry.get("strategies.differentiable.regularisers", "dirichlet-anchor").factory()
    terms = entropy.penalty(strategy.logits) + anchor.penalty(strategy.logits)
    assert torch.allclose(with_terms, without + 0.5 * terms)
    assert figures["valid_loss"] == pytest.approx(16 * without.item())  # of the task alone


# -- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_loss_that_is_not_finite_names_the_epoch_and_what_to_lower(
    make_strategy: MakeStrategy, batches: Two, split: str
) -> None:
    strategy = make_strategy(weight_lr=0.7, grad_clip=3.0, epochs=9)
    strategy.begin_epoch(6)
    (x, y), (u, v) = batches
    nan = torch.tensor(float("nan"))
    pair = ((x * nan, y), (u, v)) if split == "train" else ((x, y), (u * nan, v))
    with pytest.raises(NasError, match=rf"the {split} loss became nan in epoch 7") as error:
        strategy.step(*pair)
    assert "lower weight_lr (now 0.7) or grad_clip (now 3)" in str(error.value)


def test_a_supernet_without_weights_is_refused() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choice = OneOf([nn.ReLU(), nn.Tanh()])

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.choice(x)
            return output

    supernet = ModuleSpace(Bare).supernet(TaskInfo((4,), 4))
    with pytest.raises(NasError, match="no weights to train"):
        DifferentiableStrategy(DifferentiableSettings(), supernet, Nothing())


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("relaxation", "softmx"),
        ("solver", "first"),
        ("selection", "magnitud"),
        ("regularisers", "entropi"),
    ],
)
def test_an_unknown_part_is_refused(tiny_task: Task, part: str, name: str) -> None:
    value = (name,) if part == "regularisers" else name
    if part == "selection":  # needed at the end alone
        strategy = on_cells(tiny_task, **{part: value})
        with pytest.raises(NasError, match="Did you mean 'magnitude'"):
            strategy.select(None)  # type: ignore[arg-type]
        return
    with pytest.raises(NasError, match=f"unknown {part.rstrip('s')} '{name}'. Did you mean"):
        on_cells(tiny_task, **{part: value})


# -- state ----------------------------------------------------------------------------------------

STATES: dict[str, dict[str, Any]] = {
    "darts": {},
    "second-order": {"solver": "second-order"},
    "single-level": {"solver": "single-level"},
    "adam": {"weight_optimizer": "adam"},
    "gdas": {"relaxation": "gumbel-hard", "temperature_start": 10.0},
    "snas": {"relaxation": "gumbel", "regularisers": ("entropy",)},
    "drnas": {"relaxation": "dirichlet", "regularisers": ("dirichlet-anchor",)},
    "pc-darts": {"partial_channels": 4, "edge_gates": True},
}


@pytest.mark.parametrize("name", STATES)
def test_a_restored_state_gives_the_same_next_steps(tiny_task: Task, name: str) -> None:
    torch.manual_seed(0)
    first = on_cells(tiny_task, epochs=4, gate_lr=0.1, **STATES[name])
    batch = two(tiny_task)
    first.begin_epoch(0)
    for _ in range(2):
        first.step(*batch)
    supernet = {key: value.clone() for key, value in first.supernet.state_dict().items()}
    state = copy.deepcopy(first.state_dict())  # as a file would
    results = []
    torch.manual_seed(99)
    second = on_cells(tiny_task, epochs=4, gate_lr=0.1, **STATES[name])
    second.supernet.load_state_dict(supernet)
    second.load_state_dict(state)
    for strategy in (first, second):
        strategy.begin_epoch(2)
        torch.manual_seed(1)
        figures = [strategy.step(*batch) for _ in range(2)]
        logits = {key: a.detach().clone() for key, a in strategy.logits.items()}
        results.append((figures, logits, strategy.supernet.state_dict()))
    (figures, logits, weights), (figures_2, logits_2, weights_2) = results
    assert figures == figures_2
    assert all(torch.equal(logits[key], logits_2[key]) for key in logits)
    assert all(torch.equal(weights[key], weights_2[key]) for key in weights)


def test_a_state_is_not_changed_by_further_steps(tiny_task: Task) -> None:
    strategy = on_cells(tiny_task, gate_lr=0.1)
    strategy.begin_epoch(0)
    strategy.step(*two(tiny_task))
    state = strategy.state_dict()
    logits = {name: a.clone() for name, a in state["logits"].items()}
    strategy.step(*two(tiny_task))
    assert all(torch.equal(state["logits"][name], a) for name, a in logits.items())


def test_adam_moves_every_weight_alike(tiny_task: Task) -> None:
    """The first step of Adam is the learning rate, whatever the gradient's size."""
    strategy = on_cells(tiny_task, weight_optimizer="adam", weight_lr=0.01, weight_decay=0.0)
    before = [weight.detach().clone() for weight in strategy.weights]
    strategy.begin_epoch(0)
    strategy.weight_step(two(tiny_task)[0])
    for old, weight in zip(before, strategy.weights, strict=True):
        moved, gradient = (weight.detach() - old).abs(), weight.grad
        assert gradient is not None
        assert torch.allclose(moved[gradient.abs() > 1e-4], torch.tensor(0.01), rtol=1e-2)


def test_logits_start_nearly_equal_and_differ_by_seed(tiny_task: Task) -> None:
    starts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        starts.append(torch.cat([a.detach() for a in on_cells(tiny_task).logits.values()]))
    assert starts[0].abs().max() < 0.01
    assert not torch.equal(*starts)
