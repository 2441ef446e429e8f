"""What a network costs: parameters, multiply-accumulates, memory for training, latency.

And what it says of itself while it is run (`watching`).
"""

from __future__ import annotations

import copy
import statistics
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nas.errors import NasError

__all__ = [
    "activation_bytes",
    "count_flops",
    "count_parameters",
    "evaluating",
    "latency",
    "measure",
    "watching",
]

AUXILIARY_HEAD = "auxiliary_head"
"""The child that serves training only and that papers leave out of a network's size."""

WARM_UP = 3
"""Passes before the first that is timed: the first ones allocate memory and choose kernels."""


class Shapes(Protocol):
    """What says what a network takes, such as a `TaskInfo`."""

    def example(self, batch: int, generator: torch.Generator | None = None) -> Any:
        """Make a random input of so many examples."""


def measure(module: nn.Module, shapes: Shapes | tuple[int, ...]) -> dict[str, float]:
    """Return the costs that do not depend on the machine.

    Args:
        module: A plain network.
        shapes: Of a task or, for images and vectors, of one example: (C, H, W) or (D,).

    Returns:
        "parameters" (without an auxiliary head) and "flops" (multiply-accumulates of one example);
        where examples consist of tokens also "flops_per_token".
    """
    flops = float(count_flops(module, shapes))
    found = {"parameters": float(count_parameters(module)), "flops": flops}
    tokens = getattr(shapes, "tokens", 0)
    return found | {"flops_per_token": flops / tokens} if tokens else found


def count_parameters(module: nn.Module, auxiliary: bool = False) -> int:
    """Return the number of trained numbers; shared ones count once.

    Args:
        module: Any module.
        auxiliary: Whether to count the parameters of children named `auxiliary_head` too.
    """
    return sum(
        parameter.numel()
        for name, parameter in module.named_parameters()
        if auxiliary or AUXILIARY_HEAD not in name.split(".")
    )


def count_flops(module: nn.Module, shapes: Shapes | tuple[int, ...]) -> int:
    """Return the multiply-accumulates of one example's forward pass, by executing it.

    A multiplication and the addition of its result count as one. Convolutions and matrix products
    count, whether or not their result is used; biases, normalisation, activations, pooling and
    element-wise sums do not. Figures that include these are larger: NAS-Bench-201's table has 3
    more an output of batch norm and 9 an output of 3x3 pooling. The pass is in evaluation mode, so
    that an auxiliary head is left out and the statistics of batch norm stay as they are.

    A module that runs more than its result needs, such as places of a batch that stay empty, says
    how much: its method `idle_multiply_adds`, called with the inputs of a pass, returns the number
    of multiply-accumulates that are left out of the count.

    Args:
        module: A plain network; its modes (training or evaluation) are as before afterwards.
        shapes: As for `measure`.
    """
    counter = FlopCounterMode(display=False)
    with evaluating(module), torch.no_grad(), _unfused(), _idle(module) as idle, counter:
        module(_example(module, shapes, 1))
    executed = counter.get_total_flops() // 2  # it counts a multiplication and an addition as two
    return executed - sum(idle)


@contextmanager
def _idle(module: nn.Module) -> Iterator[list[int]]:
    """Collect what parts of a module say that passes in the block did for nothing."""
    found: list[int] = []

    def ask(part: Any, inputs: Any, named: Any, _: Any) -> None:
        found.append(part.idle_multiply_adds(*inputs, **named))

    parts = [part for part in module.modules() if hasattr(part, "idle_multiply_adds")]
    handles = [part.register_forward_hook(ask, with_kwargs=True) for part in parts]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def activation_bytes(run: Callable[[], object], exclude: Iterable[Tensor] = ()) -> int:
    """Return the bytes that autograd keeps between a forward pass and its backward pass.

    Counted over distinct storages, so that a tensor kept by two operations counts once and a view
    counts as what it is a view of. The figure is the same in every run, unlike an allocator's.

    Args:
        run: The forward pass, such as `lambda: supernet(x, weights)`; it runs once, with
            gradients. Only what its result depends on counts.
        exclude: Tensors that are there anyway: parameters, buffers, perhaps the batch itself.
    """
    # Autograd drops its reference to an entry when the operation that saved it is dropped.
    kept: weakref.WeakSet[_Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Saved:
        saved = _Saved(tensor)
        kept.add(saved)
        return saved

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, _Saved.unpack):
        result = run()
    sizes = dict(_storage(saved.tensor) for saved in kept)
    del result  # it had to hold the graph until here
    for tensor in exclude:
        sizes.pop(_storage(tensor)[0], None)
    return sum(sizes.values())


class _Saved:
    """A tensor that autograd keeps for the backward pass."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # an operation's own result would keep the operation alive

    def unpack(self) -> Tensor:
        return self.tensor


def _storage(tensor: Tensor) -> tuple[tuple[torch.device, int], int]:
    """Return what tells a tensor's storage from others, and its bytes."""
    storage = tensor.untyped_storage()
    return (tensor.device, storage.data_ptr()), storage.nbytes()


def latency(
    module: nn.Module,
    shapes: Shapes | tuple[int, ...],
    batch: int = 1,
    repeats: int = 30,
    device: str | torch.device | None = None,
) -> float:
    """Return the seconds that one forward pass takes: the median of several.

    Args:
        module: A plain network; it is run in evaluation mode, without gradients.
        shapes: As for `measure`.
        batch: Examples a pass.
        repeats: Passes that are timed.
        device: Where to run a copy of the module; None runs the module where it is.

    Raises:
        NasError: If there is nothing to time.
    """
    if batch < 1 or repeats < 1:
        raise NasError(f"latency: batch={batch}, repeats={repeats}: both must be at least 1")
    if device is not None:
        module = copy.deepcopy(module).to(device)
    x = _example(module, shapes, batch)
    with evaluating(module), torch.no_grad():
        for _ in range(WARM_UP):
            module(x)
        return statistics.median(_seconds(module, x) for _ in range(repeats))


def _seconds(module: nn.Module, x: Any) -> float:
    _wait(x.device)
    start = time.perf_counter()
    module(x)
    _wait(x.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _example(module: nn.Module, shapes: Shapes | tuple[int, ...], batch: int) -> Any:
    """Make a batch where the module is; the global random numbers are left alone."""
    parameter = next(module.parameters(), None)
    generator = torch.Generator().manual_seed(0)
    if isinstance(shapes, (tuple, list)):
        x: Any = torch.rand(batch, *shapes, generator=generator)
    else:
        x = shapes.example(batch, generator)
    return x if parameter is None else x.to(parameter.device)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for the time of a `with` block.

    Afterwards every submodule is in the mode that it was in, frozen ones included.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _unfused() -> Iterator[None]:
    """Keep torch from kernels in which `FlopCounterMode` sees nothing (attention, recurrence)."""
    backends: tuple[Any, ...] = (torch.backends.mkldnn, torch.backends.cudnn)
    enabled = [backend.enabled for backend in backends]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for backend in backends:
            backend.enabled = False
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for backend, value in zip(backends, enabled, strict=True):
            backend.enabled = value


@contextmanager
def watching(network: nn.Module) -> Iterator[Callable[[], dict[str, float]]]:
    """Watch the passes of a network for the time of a `with` block.

    A network that has something to say of them has a method `watching` without arguments that
    returns a context manager like this one.

    Returns:
        What gives the metrics of the passes so far; none of a network without the method.
    """
    own = getattr(network, "watching", None)
    if own is None:
        yield dict
        return
    with own() as metrics:
        yield metrics
