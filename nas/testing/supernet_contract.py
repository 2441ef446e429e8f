"""What holds for every supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Mutable, OneOf, SomeOf, Supernet, supernet_of
from nas.space import Architecture, Path, SearchSpace
from nas.task import Graph
from nas.testing.contract import Contract, tensors, with_gradient

__all__ = ["SupernetContract"]


class SupernetContract(Contract):
    """What holds for every supernet."""

    _shared: ClassVar[tuple[Supernet, dict[str, Tensor]] | None] = None
    """The supernet of all tests of a class, and the tensors that it starts with."""

    def make_supernet(self, space: SearchSpace) -> Supernet:
        """Return the supernet, in float64 and with batch norm that is not at its start.

        The tests of a class share it: each gets it as if it were new.
        """
        made = vars(type(self)).get("_shared")
        if made is None:
            supernet = self._new_supernet(space)
            made = supernet, {name: tensor.clone() for name, tensor in _all_tensors(supernet)}
            type(self)._shared = made
        supernet, start = made
        with torch.no_grad():
            for name, tensor in _all_tensors(supernet):
                tensor.copy_(start[name])
        supernet.zero_grad()
        return supernet.train()

    @classmethod
    def teardown_class(cls) -> None:
        """Forget the supernet."""
        cls._shared = None

    def _new_supernet(self, space: SearchSpace) -> Supernet:
        torch.manual_seed(0)
        try:
            supernet = supernet_of(space, self.make_task(), **self.supernet_options)
        except NasError as reason:
            raise SkipTest(str(reason)) from None
        with torch.no_grad():
            for name, tensor in _all_tensors(supernet):
                if tensor.ndim == 1 and tensor.is_floating_point():
                    start = -0.5 if name.endswith(("bias", "running_mean")) else 0.5
                    tensor.uniform_(start, start + 1)
        return supernet.double()

    # -- gates --------------------------------------------------------------------------------

    def test_path_names_every_gate(self) -> None:
        space = self.make_space()
        supernet = self.make_supernet(space)
        for a in self.draw(space, 50):
            path = supernet.path(a)
            assert path.keys() == supernet.gates.keys()
            for name, gate in supernet.gates.items():
                chosen = _indices(path[name])
                assert gate.name == name
                assert len(set(chosen)) == gate.choose
                assert all(0 <= i < len(gate.options) for i in chosen)

    def test_derive_undoes_path(self) -> None:
        space = self.make_space()
        supernet = self.make_supernet(space)
        for a in self.draw(space, 100):
            hot = _hot(supernet, supernet.path(a))
            assert space.derive({name: weight.numpy() for name, weight in hot.items()}) == a

    def test_derive_gives_valid_architectures(self) -> None:
        space, rng = self.make_space(), np.random.default_rng(0)
        gates = self.make_supernet(space).gates
        for _ in range(50):
            scores = {name: rng.random(len(gate.options)) for name, gate in gates.items()}
            a = space.derive(scores)
            assert space.check(a) is None
            assert space.derive(scores) == a

    # -- execution ----------------------------------------------------------------------------

    def test_path_equals_extract_in_training(self) -> None:
        self._path_equals_extract(training=True)

    def test_path_equals_extract_in_evaluation(self) -> None:
        self._path_equals_extract(training=False)

    def _path_equals_extract(self, training: bool) -> None:
        space, x = self.make_space(), self.make_batch()
        supernet = self.make_supernet(space).train(training)
        for a in self.draw(space, self.networks):
            network = supernet.extract(a)
            assert network.training == training
            assert not any(isinstance(module, Mutable) for module in network.modules())
            _close(_run(supernet, x, supernet.path(a)), _run(network, x))
            self._same_changes(supernet, network, a)

    def _same_changes(self, supernet: Supernet, network: nn.Module, a: Architecture) -> None:
        """Compare gradients and running statistics after a pass through both.

        Extraction copies weights; while gradients stand in for them it copies gradients.
        """
        with _gradients_as_weights(supernet):
            inside = supernet.extract(a).state_dict()
        outside = network.state_dict() | _gradients(network)
        _close(inside, outside)
        on_path = _magnitude(_gradients(network))
        assert abs(_magnitude(_gradients(supernet)) - on_path) <= 1e-6 * max(1.0, on_path), (
            "parameters off the path have gradients"
        )

    def test_one_hot_weights_equal_the_path_in_training(self) -> None:
        self._one_hot_equals_path(training=True)

    def test_one_hot_weights_equal_the_path_in_evaluation(self) -> None:
        self._one_hot_equals_path(training=False)

    def _one_hot_equals_path(self, training: bool) -> None:
        space, x = self.make_space(), self.make_batch()
        supernet = self.make_supernet(space).train(training)
        start = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
        for a in self.draw(space, self.networks, seed=1):
            results = []
            path = supernet.path(a)
            for weights in (path, _hot(supernet, path)):
                supernet.load_state_dict(start)
                output = _run(supernet, x, weights)
                state = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
                results.append((output, _gradients(supernet), state))
            for by_path, by_weights in zip(*results, strict=True):
                _close(by_path, by_weights)

    def test_options_of_weight_zero_do_not_run(self) -> None:
        space, x = self.make_space(), self.make_batch()
        supernet = self.make_supernet(space)
        for a in self.draw(space, self.networks, seed=2):
            path = supernet.path(a)
            for weights in (path, _hot(supernet, path)):
                with _executions(supernet) as executed:
                    supernet(x, weights)
                assert [(label, i) for label, i in executed if i not in _indices(path[label])] == []

    def test_gates_get_gradients(self) -> None:
        """A mixture of all options trains every gate over more than one option."""
        space, x = self.make_space(), self.make_batch()
        supernet = self.make_supernet(space).train()
        weights = {
            name: torch.full((len(gate.options),), 0.5, dtype=torch.float64, requires_grad=True)
            for name, gate in supernet.gates.items()
        }
        _run(supernet, x, weights)
        for name, weight in weights.items():
            assert weight.grad is not None and weight.grad.isfinite().all(), name
            absent = supernet.gates[name].absent
            assert all(bool(g) for i, g in enumerate(weight.grad) if i != absent), name

    def test_extracted_network_has_the_names_of_the_built_one(self) -> None:
        if self.matching_settings is None:
            raise SkipTest("no settings of `build` are given that match the supernet")
        space = self.make_space()
        supernet = self.make_supernet(space)
        for a in self.draw(space, self.networks):
            built = space.build(a, self.make_task(), **self.matching_settings)
            assert _shapes(built) == _shapes(supernet.extract(a))


def _all_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in network.named_parameters()}


def _indices(selection: int | tuple[int, ...]) -> tuple[int, ...]:
    return selection if isinstance(selection, tuple) else (selection,)


def _hot(supernet: Supernet, path: Path) -> dict[str, Tensor]:
    """Return the weights that say what a path says: ones for what it selects."""
    weights = {}
    for name, gate in supernet.gates.items():
        weights[name] = torch.zeros(len(gate.options), dtype=torch.float64)
        weights[name][list(_indices(path[name]))] = 1.0
    return weights


def _run(module: nn.Module, x: Tensor | Graph, *arguments: Any) -> dict[str, Tensor]:
    """Run forward and backward; return the outputs and the gradient of the input."""
    module.zero_grad()
    x, entry = with_gradient(x)
    torch.manual_seed(0)
    outputs = tensors(module(x, *arguments))
    flat = torch.cat([y.flatten() for y in outputs])
    torch.autograd.backward(flat @ torch.arange(len(flat)).to(flat).cos())
    results = {f"output {i}": y.detach() for i, y in enumerate(outputs)}
    found = None if entry is None else entry.grad
    return results if found is None else {**results, "gradient of the input": found}


def _gradients(module: nn.Module) -> dict[str, Tensor]:
    named = module.named_parameters()
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in named}


def _magnitude(gradients: Mapping[str, Tensor]) -> float:
    return sum(float(gradient.abs().sum()) for gradient in gradients.values())


def _close(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        if name.endswith("num_batches_tracked"):  # supernets count only where averages need it
            continue
        difference = (tensor - other[name]).detach().abs().max()
        assert difference <= 1e-8 + 1e-6 * tensor.abs().max(), f"{name} differs by {difference}"


@contextmanager
def _gradients_as_weights(module: nn.Module) -> Iterator[None]:
    saved = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    gradients = _gradients(module)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(gradients[name])
        yield
        for name, parameter in module.named_parameters():
            parameter.copy_(saved[name])


@contextmanager
def _executions(supernet: Supernet) -> Iterator[list[tuple[str, int]]]:
    """Collect the (gate, option) that run inside every choice of modules."""
    executed: list[tuple[str, int]] = []
    handles = []
    for mutable in supernet.modules():
        if isinstance(mutable, (OneOf, SomeOf)):
            for i, candidate in enumerate(mutable.candidates.values()):
                entry = (mutable.label or "", i)
                handles.append(candidate.register_forward_hook(_append(executed, entry)))
    try:
        yield executed
    finally:
        for handle in handles:
            handle.remove()


def _append(executed: list[tuple[str, int]], entry: tuple[str, int]) -> Callable[..., None]:
    return lambda *_: executed.append(entry)
