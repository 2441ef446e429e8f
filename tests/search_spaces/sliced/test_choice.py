"""Choices that run nothing themselves: mixtures of values and sizes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.mutables import Scalars, executed
from nas.search_spaces.sliced.choice import Choice, Size, chosen
from nas.space import Decision


def select(choice: Choice[int], selection: int | Sequence[float]) -> Choice[int]:
    """Select an option, or weights."""
    given = selection if isinstance(selection, int) else torch.tensor(selection)
    scalars = Scalars(given) if isinstance(given, Tensor) else None
    choice.select(given, executed({"size": given})["size"], scalars)
    return choice


@pytest.fixture
def size() -> Size:
    return Size(Decision("size", (1, 3, 5), ordered=True))


def test_gate_and_decision_agree(size: Size) -> None:
    assert size.gate().options == ("1", "3", "5")
    assert size.gate().ordered
    assert size.decision().options == (1, 3, 5)
    assert chosen({"a": size}, {"size": 2}) == {"a": 5}


def test_a_mixture_runs_what_has_a_weight(size: Size) -> None:
    seen = []

    def run(option: int) -> Tensor:
        seen.append(option)
        return torch.tensor(float(option))

    assert select(size, 1).mix(run) == 3
    assert select(size, [0.5, 0.0, 0.2]).mix(run) == pytest.approx(0.5 * 1 + 0.2 * 5)
    assert seen == [3, 1, 5]


def test_nothing_selected_is_an_error(size: Size) -> None:
    for call in (lambda: size.largest, lambda: size.mix(lambda option: torch.zeros(1))):
        with pytest.raises(NasError, match="'size' has nothing selected"):
            call()


def test_features_weigh_what_the_sizes_that_have_them_weigh(size: Size) -> None:
    select(size, [0.5, 0.3, 0.2])
    expected = torch.tensor([1.0, 0.5, 0.5, 0.2, 0.2])
    assert torch.allclose(size.masked(torch.ones(2, 5)), expected.expand(2, 5))
    assert torch.allclose(size.masked(torch.ones(2, 5, 3))[0, :, 1], expected)


def test_sizes_may_stand_for_others(size: Size) -> None:
    select(size, [0.5, 0.3, 0.2])
    found = size.masked(torch.ones(1, 4), [2, 2, 4])
    assert torch.allclose(found, torch.tensor([[1.0, 1.0, 0.2, 0.2]]))


def test_larger_sizes_without_weight_are_not_there(size: Size) -> None:
    select(size, [0.5, 0.3, 0.0])
    assert size.largest == 3
    assert torch.allclose(size.masked(torch.ones(1, 3)), torch.tensor([[0.8, 0.3, 0.3]]))


def test_rings_of_kernels_weigh_what_the_sizes_that_have_them_weigh(size: Size) -> None:
    kernel = select(size, [0.5, 0.0, 0.2]).masked_kernel(torch.ones(1, 1, 5, 5))
    assert torch.allclose(kernel[0, 0, 2], torch.tensor([0.2, 0.2, 0.7, 0.2, 0.2]))
    assert torch.allclose(kernel[0, 0, 0], torch.full((5,), 0.2))


def test_a_path_is_as_it_is(size: Size) -> None:
    select(size, 1)
    x, kernel = torch.randn(2, 3), torch.randn(4, 1, 3, 3)
    assert size.masked(x) is x
    assert size.masked_kernel(kernel) is kernel


def test_weights_get_gradients_through_masks(size: Size) -> None:
    weights = torch.tensor([0.5, 0.3, 0.2], requires_grad=True)
    size.select(weights, (0, 1, 2), Scalars(weights))
    size.masked(torch.ones(1, 5)).sum().backward()
    assert weights.grad is not None and weights.grad.tolist() == [1, 3, 5]
