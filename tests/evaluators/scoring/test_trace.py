"""Steps that are equal are one; sums have an order of their own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.evaluators.scoring.trace import Trace


def double(x: Tensor) -> Tensor:
    return 2 * x


def test_equal_steps_are_one() -> None:
    trace = Trace()
    first = trace.apply("relu", F.relu, trace.input)
    assert trace.apply("relu", F.relu, trace.input) == first
    assert trace.apply("double", double, trace.input) != first
    assert trace.apply("relu", F.relu, first) != first
    assert len(trace.steps) == 4


def test_layers_are_told_apart_by_name() -> None:
    trace, weight, norm = Trace(), torch.ones(2, 2, 1, 1), (None, None, 1e-5)
    layers = [trace.convolve(n, F.conv2d, weight, norm, trace.input) for n in ("a", "b", "a")]
    assert layers[0] == layers[2] != layers[1]


def test_a_sum_does_not_depend_on_the_order_of_its_terms() -> None:
    trace = Trace()
    relu, doubled = trace.apply("relu", F.relu, 0), trace.apply("double", double, 0)
    total = trace.add([relu, doubled])
    assert trace.add([doubled, relu]) == total
    assert trace.add([relu, relu]) != total
    assert trace.add([relu]) == relu


def test_a_sum_is_computed_in_the_same_order_whatever_came_before() -> None:
    """Rounding depends on the order."""

    def inputs(names: list[str]) -> list[bytes]:
        trace = Trace()
        made = [trace.apply(name, double, 0) for name in names]
        step = trace.steps[trace.add(made)]
        return [trace.steps[at].digest for at in step.inputs]

    assert inputs(["a", "b", "c"]) == inputs(["c", "a", "b"])


def test_a_sum_leaves_its_terms_alone() -> None:
    trace = Trace()
    step = trace.steps[trace.add([trace.apply(name, double, 0) for name in "abc"])]
    terms = [torch.full((2,), float(i)) for i in range(3)]
    assert step.function(*terms).tolist() == [3.0, 3.0]
    assert [term[0].item() for term in terms] == [0.0, 1.0, 2.0]
