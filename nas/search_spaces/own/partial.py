"""Partial channel connections in a user's own module.

Source: PC-DARTS (Xu et al., ICLR 2020, arXiv:1907.05737, sec. 3.1, eq. 2). Every choice of one
module becomes an edge of that paper: its candidates are made for 1/k of the channels, the other
channels pass beside them (through max pooling where the candidates halve the resolution), then all
are shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import OneOf, Supernet, fault
from nas.search_spaces.cells.operations import PartialChannels
from nas.search_spaces.own.narrow import TooSpecial, narrowed

__all__ = ["with_partial_channels"]

Shapes = dict[nn.Module, list[tuple[Any, Any]]]
"""Module -> what went in and came out in every call: a shape, or None for what is no tensor."""
Refuse = Callable[[str], NasError]


def with_partial_channels(network: nn.Module, example: Any, k: int, refuse: Refuse) -> nn.Module:
    """Let the choices of a network see a part of the channels; choices inside them do so, too.

    Args:
        network: Changed in place.
        example: A batch of inputs.
        k: One in so many channels goes through the candidates.
        refuse: Makes the error from a reason.

    Returns:
        The network; another module if it is a choice itself.

    Raises:
        NasError: If there is no choice, or one that cannot be cut, with its name.
    """
    choices = list(_outermost(network))
    if not choices:
        raise refuse("there is no OneOf whose candidates could see a part of them")
    before = _shapes(network, choices, example, _cannot_run)
    rest = _outside(network, set(choices))
    done: dict[nn.Module, nn.Module] = {}
    edges: dict[nn.Module, nn.Module] = {}
    for choice in choices:
        try:
            channels, stride = _edge(choice, before[choice], k)
            narrowed(choice, k, done)
            _require_apart(done, rest)
        except TooSpecial as reason:
            raise refuse(f"'{choice.label}': {reason}") from None
        edges[choice] = PartialChannels(choice, channels, k, stride)
    network = _replaced(network, edges)
    candidates = [module for choice in choices for module in choice.candidates.values()]
    after = _shapes(network, candidates, example, lambda e: refuse(f"made narrow it raised {e}"))
    for choice in choices:
        wanted = {(gave[0], gave[1] // k, *gave[2:]) for _, gave in before[choice]}
        for name, module in choice.candidates.items():
            if not {gave for _, gave in after[module]} <= wanted:
                raise refuse(
                    f"'{choice.label}': '{name}' keeps channels that its layers do not say"
                )
    return network


def _cannot_run(reason: str) -> NasError:
    return NasError(f"the module cannot be run on an example of the data: {reason}")


def _outermost(module: nn.Module) -> Iterator[OneOf]:
    """Yield choices that are in no other, each once."""
    found = dict.fromkeys(_all_outermost(module))
    yield from found


def _all_outermost(module: nn.Module) -> Iterator[OneOf]:
    if isinstance(module, OneOf):
        yield module
        return
    for child in module.children():
        yield from _all_outermost(child)


def _edge(choice: OneOf, calls: list[tuple[Any, Any]], k: int) -> tuple[int, int]:
    """Return channels and stride of a choice, from the shapes that went through it."""
    if not calls:
        raise TooSpecial("it is not run by the network")
    for given, gave in calls:
        if given is None or gave is None or len(given) != 4 or len(gave) != 4:
            raise TooSpecial("it does not turn one batch of images into another")
        if given[1] != gave[1]:
            raise TooSpecial(f"it makes {gave[1]} channels of {given[1]}")
    channels = {given[1] for given, _ in calls}
    strides = {_stride(given, gave) for given, gave in calls}
    if len(channels) > 1 or len(strides) > 1:
        raise TooSpecial("it is run with different numbers of channels")
    [number], [stride] = channels, strides
    if number % k:
        raise TooSpecial(f"{number} channels cannot be divided by {k}")
    return number, stride


def _stride(given: Sequence[int], gave: Sequence[int]) -> int:
    if given[2:] == gave[2:]:
        return 1
    if all(-(-size // 2) == small for size, small in zip(given[2:], gave[2:], strict=True)):
        return 2
    raise TooSpecial(f"it makes images of {tuple(gave[2:])} pixels from {tuple(given[2:])}")


def _replaced(module: nn.Module, edges: dict[nn.Module, nn.Module]) -> nn.Module:
    """Put every edge in the place of its choice."""
    if module in edges:
        return edges[module]
    for name, child in list(module._modules.items()):
        if child is not None:
            module._modules[name] = _replaced(child, edges)
    return module


def _require_apart(done: dict[nn.Module, nn.Module], rest: set[nn.Module]) -> None:
    """Refuse layers of candidates that the rest of the network uses, too."""
    for module, small in done.items():
        if module is not small and module in rest:
            raise TooSpecial(f"a {type(module).__name__} in it is used outside of it, too")


def _outside(module: nn.Module, choices: set[nn.Module]) -> set[nn.Module]:
    """Return the modules that are reached without passing through a choice."""
    if module in choices:
        return set()
    inner = (_outside(child, choices) for child in module.children())
    return {module}.union(*inner)


def _shapes(
    network: nn.Module, watched: Sequence[nn.Module], example: Any, refuse: Refuse
) -> Shapes:
    """Run all candidates of a network once; return the shapes at some modules."""
    shapes: Shapes = {module: [] for module in watched}
    handles = [module.register_forward_hook(_note(shapes)) for module in watched]
    supernet = Supernet(network, lambda _: {})
    everything = {name: torch.ones(len(gate.options)) for name, gate in supernet.gates.items()}
    try:
        with _undisturbed(supernet):
            supernet(example, everything)
    except NasError:
        raise
    except Exception as error:
        raise refuse(fault(error)) from error
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _note(shapes: Shapes) -> Callable[..., None]:
    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        given = inputs[0].shape if len(inputs) == 1 and isinstance(inputs[0], Tensor) else None
        gave = output.shape if isinstance(output, Tensor) else None
        shapes[module].append((given and tuple(given), gave and tuple(gave)))

    return note


@contextmanager
def _undisturbed(network: nn.Module) -> Iterator[None]:
    """Run in evaluation, without gradients; leave modes and random numbers as they were."""
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            network.eval()
            yield
    finally:
        for module, training in modes.items():
            module.training = training
