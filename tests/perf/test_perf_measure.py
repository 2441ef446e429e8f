"""Times, operator calls and peaks of work whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from perf.measure import Timing, interleaved, profiled

CPU = torch.device("cpu")
MIB = 2**20


def mebibytes(count: int) -> torch.Tensor:
    return torch.empty(count * MIB // 4)


def at_most_three() -> None:
    first, second = mebibytes(1), mebibytes(2)
    del first
    third = mebibytes(1)
    del second, third


def replaced() -> Callable[[], None]:
    """Release what an earlier run left and only then take as much."""
    held: list[torch.Tensor] = [mebibytes(4)]

    def work() -> None:
        held.clear()
        held.append(mebibytes(4))

    return work


def grown() -> Callable[[], None]:
    """Release 4 MiB that an earlier run left, having taken 1 and before taking 5."""
    held: list[torch.Tensor] = [mebibytes(4)]

    def work() -> None:
        extra = mebibytes(1)
        held.clear()
        held.append(mebibytes(5))
        del extra
        held[0] = mebibytes(4)

    return work


@pytest.mark.parametrize(("work", "peak"), [(at_most_three, 3), (replaced(), 0), (grown(), 5)])
def test_peak_above_what_was_held(work: Callable[[], None], peak: int) -> None:
    assert profiled(work, CPU).peak_bytes == peak * MIB


def test_peak_of_a_backward_pass() -> None:
    x = torch.ones(MIB // 4, requires_grad=True)

    def work() -> None:
        x.grad = None
        x.exp().exp().backward(torch.ones_like(x))  # two outputs kept, ones, one gradient

    assert 4 * MIB <= profiled(work, CPU).peak_bytes <= 5 * MIB


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (lambda: None, 0),
        (lambda: torch.ones(3), 1),  # ones itself calls empty and fill_
        (lambda: [torch.ones(3).exp() for _ in range(5)], 10),
    ],
)
def test_operator_calls(work: Callable[[], object], calls: int) -> None:
    assert profiled(work, CPU).operators == calls


def test_there_are_no_kernels_without_a_gpu() -> None:
    assert profiled(lambda: None, CPU).kernels is None


def test_repeats_take_turns() -> None:
    ran: list[str] = []
    names = ("a", "b")
    times = interleaved({name: lambda name=name: ran.append(name) for name in names}, 3, CPU)
    assert ran == ["a", "b"] * 4  # one to warm up
    assert all(len(times[name].seconds) == 3 for name in names)


def test_best_and_median() -> None:
    timing = Timing((3.0, 1.0, 2.0))
    assert (timing.best, timing.median) == (1.0, 2.0)
