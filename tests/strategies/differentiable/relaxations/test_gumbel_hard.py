"""Hard Gumbel-softmax samples with a straight-through gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.mutables import OneOf
from nas.search_spaces.module import ModuleSpace
from nas.strategies.differentiable.relaxations.gumbel import GumbelSoftmax
from nas.strategies.differentiable.relaxations.gumbel_hard import GumbelHard
from nas.task import TaskInfo

LOGITS = torch.tensor([1.0, 0.0, -1.0, 0.5])


def test_a_sample_is_exactly_one_hot() -> None:
    torch.manual_seed(0)
    for temperature in (0.1, 1.0, 10.0):
        for _ in range(200):
            weights = GumbelHard().weights(LOGITS, temperature)
            assert sorted(weights.tolist()) == [0.0, 0.0, 0.0, 1.0]


def test_options_are_drawn_with_the_probabilities_of_the_softmax() -> None:
    torch.manual_seed(0)
    n = 4000
    frequency = torch.stack([GumbelHard().weights(LOGITS, 10.0) for _ in range(n)]).mean(0)
    p = LOGITS.softmax(0)
    assert ((frequency - p).abs() < 4 * (p * (1 - p) / n).sqrt()).all()


def test_the_gradient_is_that_of_the_soft_weight_of_the_option_drawn() -> None:
    for seed in range(20):
        a, b = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
        torch.manual_seed(seed)
        hard = GumbelHard().weights(a, 0.7)
        torch.manual_seed(seed)
        soft = GumbelSoftmax().weights(b, 0.7)
        drawn = int(hard.argmax())
        assert drawn == int(soft.argmax())
        outputs = torch.tensor([2.0, -3.0, 5.0, 7.0])  # of the candidates: only the drawn one runs
        hard_gradient = torch.autograd.grad((hard * outputs).sum(), a)
        soft_gradient = torch.autograd.grad(soft[drawn] * outputs[drawn], b)
        assert torch.allclose(hard_gradient[0], soft_gradient[0])


class Counted(nn.Linear):
    """Counts how often it runs."""

    runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return super().forward(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.choice = OneOf({"a": Counted(4, 4), "b": Counted(4, 4), "c": Counted(4, 4)}, label="x")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.choice(x)
        return output


def test_only_the_option_drawn_runs() -> None:
    torch.manual_seed(0)
    supernet = ModuleSpace(Net).supernet(TaskInfo((4,), 4))
    counted = [m for m in supernet.modules() if isinstance(m, Counted)]
    expected = torch.zeros(3)
    for _ in range(20):
        weights = GumbelHard().weights(torch.zeros(3), 1.0)
        supernet(torch.randn(2, 4), {"x": weights})
        expected += weights
    assert [m.runs for m in counted] == expected.tolist()
    assert expected.sum() == 20
