"""Every step once, as far as memory allows; statistics that are the same whatever is dropped."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.evaluators.scoring.execution import Execution
from nas.evaluators.scoring.norms import Chunk, chunks
from nas.evaluators.scoring.trace import Trace

LAYERS = [nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(4)]
NORMS = [nn.BatchNorm2d(3) for _ in range(5)]
for _norm in NORMS:
    nn.init.uniform_(_norm.weight, 0.5, 1.5)
    nn.init.uniform_(_norm.bias, -1.0, 1.0)


class Network(nn.Module):
    """Two convolutions that branch, a sum, a batch norm on its own, a mean."""

    def __init__(self, branches: tuple[int, int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([LAYERS[0], *(LAYERS[i] for i in branches)])
        self.norms = nn.ModuleList([NORMS[0], *(NORMS[i] for i in branches), NORMS[4]])

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.convs
        x = F.relu(self.norms[0](first(x)))
        total = sum(norm(conv(x)) for conv, norm in zip(others, self.norms[1:3], strict=True))
        output: Tensor = self.norms[3](total).mean((2, 3))
        return output


class Counting:
    """A trace of networks, that counts how often each convolution runs."""

    def __init__(self, *networks: tuple[int, int]) -> None:
        self.trace, self.ran = Trace(), [0] * 4
        self.outputs = [self._follow(branches) for branches in networks]

    def _follow(self, branches: tuple[int, int]) -> int:
        trace = self.trace
        x = trace.apply("relu", F.relu, self._layer(0, trace.input))
        total = trace.add([self._layer(i, x) for i in branches])
        norm = NORMS[4]
        x = trace.normalise("last", (norm.weight, norm.bias, norm.eps), total)
        return trace.apply("mean", lambda x: x.mean((2, 3)), x)

    def _layer(self, i: int, x: int) -> int:
        def run(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            self.ran[i] += 1
            return F.conv2d(x, weight, bias, padding=1)

        norm = NORMS[i]
        affine = (norm.weight, norm.bias, norm.eps)
        return self.trace.convolve(f"layer {i}", run, LAYERS[i].weight, affine, x)


def batches() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    return [(torch.randn(size, 3, 6, 6) * 2, torch.zeros(size)) for size in (4, 4, 3)]


NETWORKS = [(1, 2), (1, 3), (2, 3), (1, 1)]


@torch.no_grad()
def test_batch_statistics() -> None:
    traced = Counting(*NETWORKS)
    execution = Execution(traced.trace, traced.outputs, 10**9)
    [chunk] = chunks(batches(), most=100)
    found = execution.run(chunk)
    assert traced.ran == [1, 1, 1, 1]
    for branches, at in zip(NETWORKS, traced.outputs, strict=True):
        network = Network(branches).train()
        first, second, third = (network(x) for x, _ in batches())
        expected = torch.cat([torch.stack([first, second], 1).flatten(0, 1), third])
        assert torch.allclose(found[at], expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("most", [1, 8, 100])
def test_calibrated_statistics(most: int) -> None:
    traced = Counting(*NETWORKS)
    execution = Execution(traced.trace, traced.outputs, 10**9)
    for chunk in chunks(batches(), most):
        execution.calibrate(chunk)
    x = torch.randn(5, 3, 6, 6)
    found = execution.run(Chunk(x, torch.zeros(5), None))
    for branches, at in zip(NETWORKS[:-1], traced.outputs, strict=False):
        network = Network(branches).train()
        for norm in network.norms:
            assert isinstance(norm, nn.BatchNorm2d)
            norm.reset_running_stats()
            norm.momentum = None
        for x_train, _ in batches():
            network(x_train)
        assert torch.allclose(found[at], network.eval()(x), atol=1e-5)


@torch.no_grad()
def test_too_little_memory_costs_time_only() -> None:
    results, runs = [], []
    for memory in (10**9, 6000, 0):
        traced = Counting(*NETWORKS)
        execution = Execution(traced.trace, traced.outputs, memory)
        for chunk in chunks(batches(), most=8):
            execution.calibrate(chunk)
        found = execution.run(Chunk(torch.ones(5, 3, 6, 6), torch.zeros(5), None))
        results.append([found[at] for at in traced.outputs])
        runs.append(sum(traced.ran))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    assert runs[0] == 4 * 3  # two chunks to calibrate, one to score
    assert runs[0] < runs[1] <= runs[2]


@torch.no_grad()
def test_memory_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.evaluators.scoring import execution as module

    peak = 0

    class Watched(module._Pass):
        def _keep(self, at: int, tensor: Tensor) -> None:
            nonlocal peak
            super()._keep(at, tensor)
            peak = max(peak, sum(t.nbytes for i, t in self.kept.items() if i not in self.safe))

    monkeypatch.setattr(module, "_Pass", Watched)
    peaks = []
    for memory in (10**9, 12_000):
        traced, peak = Counting(*NETWORKS), 0
        [chunk] = chunks(batches(), most=100)
        Execution(traced.trace, traced.outputs, memory).run(chunk)
        peaks.append(peak)
    one = 11 * 3 * 6 * 6 * 4
    assert peaks[0] > 12_000 >= peaks[1] >= one


@torch.no_grad()
def test_what_leads_to_no_output_does_not_run() -> None:
    traced = Counting((1, 2), (3, 3))
    [chunk] = chunks(batches(), most=100)
    found = Execution(traced.trace, traced.outputs[:1], 10**9).run(chunk)
    assert list(found) == traced.outputs[:1]
    assert traced.ran == [1, 1, 1, 0]


@torch.no_grad()
def test_what_follows_the_last_batch_norm_is_not_calibrated() -> None:
    trace, ran = Trace(), []
    x = trace.normalise("norm", (None, None, 1e-5), trace.input)
    output = trace.apply("watched", lambda x: ran.append(0) or x, x)
    execution = Execution(trace, [output], 10**9)
    for chunk in chunks(batches(), most=100):
        execution.calibrate(chunk)
    assert not ran
    execution.run(Chunk(torch.ones(2, 3, 6, 6), torch.zeros(2), None))
    assert ran


@torch.no_grad()
def test_widest() -> None:
    trace = Trace()
    wide = trace.apply("wide", lambda x: torch.cat([x, x], 1), trace.input)
    output = trace.apply("mean", lambda x: x.mean((2, 3)), wide)
    assert Execution(trace, [output], 0).widest(torch.zeros(2, 3, 6, 6)) == 2 * 3 * 36
