"""What paths through cells compute, written down, is what the supernet computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.evaluators.scoring.execution import Execution
from nas.evaluators.scoring.norms import Chunk
from nas.evaluators.scoring.trace import Trace
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.many_paths import trace_paths
from nas.search_spaces.cells.many_paths.images import convolution, halve, pooling
from nas.search_spaces.cells.many_paths.layers import Layer, write
from nas.search_spaces.cells.operations import FactorizedReduce
from nas.space import Path
from nas.task import TaskInfo

DENSE = {"channels": 4, "cells": 1}
STACKED = {"channels": 4, "layers": 3}
AFFINE = {"affine": True, "edge_gates": True, "partial_channels": 2}
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("nas-bench-201", 8, DENSE),
    ("nas-bench-201", 7, DENSE | {"cells": 2}),
    ("nas-bench-201", 8, DENSE | AFFINE),
    ("nas-bench-201", 8, DENSE | {"partial_channels": 4}),
    ("darts", 8, STACKED),
    ("darts", 5, STACKED),
    ("darts", 8, STACKED | AFFINE),
    ("darts", 19, STACKED | {"stem": "imagenet"}),
]


def make(name: str, size: int, options: dict[str, Any]) -> tuple[Supernet, list[Path], Tensor]:
    """Return a supernet, with batch norm that is not at its start, some paths, and images."""
    torch.manual_seed(0)
    space = registry.get("search_spaces", name).factory()
    supernet = space.supernet(TaskInfo((2, size, size), 3), **options)
    with torch.no_grad():
        for tensor_name, tensor in supernet.named_parameters():
            if tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5).add_(-1.0 if tensor_name.endswith("bias") else 0.0)
    paths = [supernet.path(a) for a in space.sample(np.random.default_rng(0), 6)]
    return supernet, paths, torch.randn(6, 2, size, size)


def traced(supernet: Supernet, paths: list[Path]) -> tuple[Trace, list[int]]:
    trace, network = Trace(), supernet.network
    outputs = trace_paths(network, network.kinds, paths, trace)  # type: ignore[arg-type]
    return trace, outputs


@torch.no_grad()
@pytest.mark.parametrize(("name", "size", "options"), CASES)
def test_paths(name: str, size: int, options: dict[str, Any]) -> None:
    supernet, paths, x = make(name, size, options)
    trace, outputs = traced(supernet, paths)
    execution = Execution(trace, outputs, 10**9)
    found = execution.run(Chunk(x, x, ((1, len(x)),)))
    for path, output in zip(paths, outputs, strict=True):
        expected = supernet.train()(x, path)
        assert torch.allclose(found[output], expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("name", "size", "options"), [CASES[2], CASES[4]])
def test_paths_with_given_statistics(name: str, size: int, options: dict[str, Any]) -> None:
    supernet, paths, x = make(name, size, options)
    trace, outputs = traced(supernet, paths)
    execution = Execution(trace, outputs, 10**9)
    execution.calibrate(Chunk(x, x, ((1, len(x)),)))
    found = execution.run(Chunk(x[:3], x, None))
    for path, output in zip(paths, outputs, strict=True):
        for layer in supernet.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0
        supernet.train()(x, path)
        expected = supernet.eval()(x[:3], path)
        assert torch.allclose(found[output], expected, rtol=1e-3, atol=1e-4)


def test_edges_that_do_not_matter_give_the_same_step() -> None:
    supernet, _, _ = make("nas-bench-201", 8, DENSE)
    base = {"cell/1": (0,), "cell/2": (0, 1), "cell/3": (0, 1, 2)}
    edges = ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]

    def path(*operations: int) -> Path:
        chosen = {f"cell/{e}": o for e, o in zip(edges, operations, strict=True)}
        return {gate: index for gate, index in (base | chosen).items() if gate in supernet.gates}

    _, outputs = traced(
        supernet,
        [
            path(3, 0, 0, 0, 1, 0),
            path(3, 0, 0, 0, 1, 2),  # out of a state that is zero
            path(3, 1, 2, 0, 1, 0) | {"cell/3<-2": 0},  # into a state that leads nowhere
            path(3, 0, 0, 0, 2, 0),
        ],
    )
    assert outputs[0] == outputs[1] == outputs[2] != outputs[3]


def test_affine_batch_norm_shifts_zeros() -> None:
    supernet, _, _ = make("nas-bench-201", 8, DENSE | {"affine": True})
    gates = [gate for gate in supernet.gates if "<-" in gate]
    nothing: Path = dict.fromkeys(supernet.gates, 0)
    _, [first, second] = traced(supernet, [nothing, nothing | {gates[-1]: 3}])
    assert first != second


def test_shared_weights_are_not_copied() -> None:
    supernet, paths, x = make("darts", 8, STACKED)
    trace, outputs = traced(supernet, paths[:1])
    chunk = Chunk(x, x, ((1, len(x)),))
    with torch.no_grad():
        before = Execution(trace, outputs, 0).run(chunk)[outputs[0]]
        for parameter in supernet.parameters():
            parameter.mul_(1.5)
        assert not torch.allclose(Execution(trace, outputs, 0).run(chunk)[outputs[0]], before)


def test_another_module_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="Tanh at 'here' cannot be written down"):
        write(Trace(), Layer("here", nn.Tanh()), 0)
    with pytest.raises(NotImplementedError, match="cannot be written down"):
        write(Trace(), Layer("here", nn.Sequential(nn.Tanh())), 0)


# -- functions of images --------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 7)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 2), (4, 5), (9, 9)])
def test_kernels_are_cut_where_they_reach_over_the_image(
    kernel: tuple[int, int], dilation: int, stride: int, size: tuple[int, int]
) -> None:
    padding = [dilation * (k // 2) for k in kernel]
    conv = nn.Conv2d(4, 4, kernel, stride, padding, dilation, groups=4, bias=False)
    x = torch.randn(2, 4, *size)
    bias = torch.randn(4)
    found = convolution(conv)(x, conv.weight, bias)
    assert torch.allclose(found, conv(x) + bias[:, None, None], atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 4), (5, 5), (4, 5), (1, 1)])
def test_a_reduction_is_one_convolution(size: tuple[int, int]) -> None:
    module = FactorizedReduce(3, 5).train()
    x = torch.randn(4, 3, *size)
    trace = Trace()
    output = write(trace, Layer("here", module), trace.input)
    found = Execution(trace, [output], 0).run(Chunk(x, x, ((1, 4),)))[output]
    assert torch.allclose(found, module(x), atol=1e-4)
    assert trace.steps[output].function is halve


@torch.no_grad()
@pytest.mark.parametrize(
    "module",
    [
        *(nn.MaxPool2d(3, stride, padding=1) for stride in (1, 2)),
        *(nn.AvgPool2d(3, stride, padding=1, count_include_pad=False) for stride in (1, 2)),
        nn.AvgPool2d(2, stride=2, ceil_mode=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (5, 7), (8, 6)])
def test_pooling(module: nn.Module, size: tuple[int, int]) -> None:
    x = torch.randn(3, 4, *size)
    for image in (x, x.contiguous(memory_format=torch.channels_last)):
        before = image.clone()
        assert torch.allclose(pooling(module)(image), module(image), atol=1e-6)
        assert torch.equal(image, before)
