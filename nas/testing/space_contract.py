"""What holds for every search space."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any
from unittest import SkipTest

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from torch import nn

from nas.errors import NasError
from nas.mutables import Mutable, Supernet, supernet_of
from nas.space import Architecture, Choices, SearchSpace
from nas.testing.contract import Contract, output_shape, tensors

__all__ = ["SpaceContract"]

KINDS = {"input", "op", "node", "output"}
_LARGEST_ENUMERATION = 20_000


class SpaceContract(Contract):
    """What holds for every search space."""

    # -- text ---------------------------------------------------------------------------------

    def test_parse_undoes_format(self) -> None:
        space = self.make_space()
        for a in self.draw(space, self.samples):
            assert space.parse(space.format(a)) == a, space.format(a)

    def test_from_json_undoes_to_json(self) -> None:
        for a in self.draw(self.make_space(), self.samples):
            assert Architecture.from_json(a.to_json()) == a

    def test_catalogue(self) -> None:
        space = self.make_space()
        for name, a in space.catalogue().items():
            assert space.check(a) is None, name
            assert space.parse(space.format(a)) == a, name

    # -- which architectures there are --------------------------------------------------------

    def test_sample_is_valid(self) -> None:
        space = self.make_space()
        found = self.draw(space, self.samples)
        assert len(found) == self.samples
        assert {space.check(a) for a in found} == {None}
        assert space.sample(np.random.default_rng(0), 0) == []

    def test_sample_follows_the_seed(self) -> None:
        space = self.make_space()
        assert self.draw(space, 50, seed=1) == self.draw(self.make_space(), 50, seed=1)
        assert self.draw(space, 50, seed=1) != self.draw(space, 50, seed=2)

    def test_check_refuses(self) -> None:
        space = self.make_space()
        a = self.draw(space, 1)[0]
        assert space.check(Architecture(f"not-{space.name}", a.choices))
        assert space.check(Architecture(space.name, a.choices[1:]))
        assert space.check(Architecture(space.name, (*a.choices, 0)))
        for column, options in enumerate(space.cardinalities):
            for choice in (-1, options):
                reason = space.check(_with(a, column, choice))
                assert reason and space.decisions[column].name in reason

    def test_check_refuses_choices_of_inactive_decisions(self) -> None:
        space = self.make_space()
        for a in self.draw(space, 50):
            inactive = ~space.active(space.to_array([a]))[0]
            for column in np.flatnonzero(inactive & (np.array(space.cardinalities) > 1)):
                assert space.check(_with(a, int(column), 1))

    def test_size_is_the_number_of_valid_rows(self) -> None:
        space = self.make_space()
        if prod(space.cardinalities) > _LARGEST_ENUMERATION:
            raise SkipTest("too large to enumerate")
        rows = np.stack(np.unravel_index(np.arange(prod(space.cardinalities)), space.cardinalities))
        valid = _valid(space, rows.T.astype(np.int64))
        step = max(1, len(valid) // 50)
        for a, ok in list(zip(space.from_array(rows.T), valid, strict=True))[::step]:
            assert (space.check(a) is None) == ok
        try:
            size = space.size
        except NasError as reason:
            raise SkipTest(str(reason)) from None
        assert size == valid.sum()

    def test_canonical(self) -> None:
        space = self.make_space()
        for a in self.draw(space, self.samples):
            representative = space.canonical(a)
            assert space.check(representative) is None
            assert space.canonical(representative) == representative

    def test_canonical_computes_the_same(self) -> None:
        space = self.make_space()
        if not self.canonical_is_exact:
            raise SkipTest("equality is defined by a published table")
        for a in self.draw(space, self.networks):
            b = space.canonical(a)
            assert _operations(space, a) == _operations(space, b)
            assert _parameters(self._build(space, a)) == _parameters(self._build(space, b))

    # -- populations --------------------------------------------------------------------------

    def test_neighbors_differ_in_one_decision(self) -> None:
        """Besides it, only decisions that become active or inactive may differ."""
        space = self.make_space()
        for a in self.draw(space, 5):
            found = space.neighbors(a)
            assert len(found) == len(set(found))
            assert set(found) == _changed_once(space, a)

    def test_mutate_changes_one_decision(self) -> None:
        space, rng = self.make_space(), np.random.default_rng(0)
        for a in self.draw(space, 5):
            allowed = _changed_once(space, a)
            children = [space.mutate(a, rng) for _ in range(10)]
            assert set(children) <= allowed
            assert len(allowed) == 1 or len(set(children)) > 1

    def test_repaired_rows_are_valid_and_valid_ones_stay(self) -> None:
        space = self.make_space()
        drawn = np.random.default_rng(0).random((20, len(space.decisions))) * space.cardinalities
        rows = drawn.astype(np.int64)
        valid = space.valid(rows)
        repaired = space.repaired(rows, np.random.default_rng(1))
        assert space.valid(repaired).all()
        assert (repaired[valid] == rows[valid]).all()
        assert (repaired == space.repaired(rows, np.random.default_rng(1))).all()

    def test_crossover_mixes_the_parents(self) -> None:
        space, rng = self.make_space(), np.random.default_rng(0)
        parents = self.draw(space, 100)
        for a, b in zip(parents[::2], parents[1::2], strict=True):
            child = space.crossover(a, b, rng)
            assert space.check(child) is None
            active = space.active(space.to_array([child]))[0]
            choices = zip(child.choices, a.choices, b.choices, active, strict=True)
            assert all(mine in (one, other) for mine, one, other, on in choices if on)

    def test_encode_is_one_hot(self) -> None:
        space = self.make_space()
        found = list(dict.fromkeys(self.draw(space, self.samples)))
        encoding = space.encode(found)
        assert encoding.shape == (len(found), sum(space.cardinalities))
        assert set(np.unique(encoding)) <= {0.0, 1.0}
        parts = np.split(encoding, np.cumsum(space.cardinalities)[:-1], axis=1)
        active = space.active(space.to_array(found))
        assert np.array_equal(np.stack([part.sum(1) for part in parts], axis=1), active)
        assert len(np.unique(encoding, axis=0)) == len(found)

    # -- graph and network --------------------------------------------------------------------

    def test_graph(self) -> None:
        space = self.make_space()
        for a in self.draw(space, 50):
            graph = space.graph(a)
            assert nx.is_directed_acyclic_graph(graph)
            kinds = Counter(data["kind"] for _, data in graph.nodes(data=True))
            assert set(kinds) <= KINDS and kinds["input"] and kinds["output"]
            assert all(isinstance(data["op"], str) for _, data in graph.nodes(data=True))
            assert len({"cell" in data for _, data in graph.nodes(data=True)}) == 1
            for node, data in graph.nodes(data=True):
                assert (data["kind"] == "input") == (graph.in_degree(node) == 0), node
                assert data["kind"] != "output" or graph.out_degree(node) == 0, node
                assert data["kind"] != "op" or graph.out_degree(node), node

    def test_identity_ops_occur(self) -> None:
        space = self.make_space()
        found = {op for a in self.draw(space, 100) for op in _operations(space, a)}
        assert space.identity_ops <= found

    def test_built_network_runs(self) -> None:
        space, x = self.make_space(), self.make_batch()
        expected = output_shape(self.make_task(), x)
        for a in self.draw(space, self.networks):
            network = self._build(space, a).double()
            for module in network.modules():
                assert not isinstance(module, Mutable)
            for training in (True, False):
                output = tensors(network.train(training)(x))[0]
                assert output.shape == expected
                assert output.isfinite().all()

    def test_supernet_or_a_reason(self) -> None:
        space = self.make_space()
        a = self.draw(space, 1)[0]
        try:
            supernet = supernet_of(space, self.make_task(), **self.supernet_options)
        except NasError as reason:
            assert str(reason)
            _refused(lambda: space.path(a))
            _refused(lambda: space.derive({}))
        else:
            assert isinstance(supernet, Supernet)

    def _build(self, space: SearchSpace, architecture: Architecture) -> nn.Module:
        try:
            return space.build(architecture, self.make_task(), **self.network_settings)
        except NasError as reason:  # a space that has no networks, only a table
            raise SkipTest(str(reason)) from None


def _with(a: Architecture, column: int, choice: int) -> Architecture:
    return Architecture(a.space, (*a.choices[:column], choice, *a.choices[column + 1 :]))


def _valid(space: SearchSpace, rows: Choices) -> NDArray[np.bool_]:
    strays = ~space.active(rows) & (rows != 0)
    valid: NDArray[np.bool_] = ~strays.any(axis=1) & space.feasible(rows)
    return valid


def _changed_once(space: SearchSpace, a: Architecture) -> set[Architecture]:
    """Return all valid architectures with one active decision changed."""
    row = space.to_array([a])[0]
    rows = []
    for column in np.flatnonzero(space.active(row[None])[0]):
        for option in range(space.cardinalities[column]):
            changed = row.copy()
            changed[column] = option
            changed[~space.active(changed[None])[0]] = 0
            rows.append(changed)
    found = {b for b in space.from_array(np.array(rows)) if space.check(b) is None}
    return found - {a}


def _operations(space: SearchSpace, a: Architecture) -> Counter[str]:
    nodes = space.graph(a).nodes(data=True)
    return Counter(data["op"] for _, data in nodes if data["kind"] == "op")


def _refused(call: Any) -> None:
    try:
        call()
    except NasError as reason:
        assert str(reason)
        return
    raise AssertionError("expected NasError")


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
