"""The gates of a cell, and what they select for one forward pass."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Selection
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.gates import (
    CellGate,
    CellGates,
    Edge,
    Group,
    Key,
    Selected,
    groups_of,
    selecting,
)

OPERATIONS = ("none", "a", "b", "c")
INPUTS = Group((0, 1), (2, 3))
EDGES = [(2, 0), (3, 0), (2, 1), (3, 1), (3, 2)]
KEYS: list[Key] = [(INPUTS, (1, 3)), (INPUTS, (2,)), (Group((2,), (3,)), (3, 1))]
LIKE = torch.zeros(1, dtype=torch.float64)


class Cell(nn.Module):
    """Run nothing, and keep what is selected; all as a cell of two inputs and two nodes."""

    def __init__(self, keep: list[int] | None = None) -> None:
        super().__init__()
        self.gates = CellGates("cell", OPERATIONS, 2, 2, keep)
        self.gates.keys = KEYS

    def forward(self, x: Tensor) -> Selected | None:
        with selecting([self.gates], x):
            return self.gates.selected


def selected(weights: Mapping[Edge, Selection], **nodes: Selection) -> Selected:
    """Select; edges that are not given are `none`."""
    every: dict[str, Selection] = {f"cell/{t}<-{s}": weights.get((t, s), 0) for t, s in EDGES}
    every |= {f"cell/{name[1:]}": selection for name, selection in nodes.items()}
    found = Supernet(Cell([2, 2] if nodes else None), lambda _: {})(LIKE, every)
    assert isinstance(found, Selected)
    return found


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


MIXTURE: dict[Edge, Selection] = {
    (2, 0): row(0.1, 0.2, 0.3, 0.4),
    (3, 0): row(0.5, 0.0, 0.6, 0.0),
    (2, 1): row(1.0, 0.0, 0.0, 0.0),  # off
    (3, 1): row(0.0, 0.7, 0.0, 0.8),
    (3, 2): row(0.0, 0.9, 1.0, 1.1),
}
PATH: dict[Edge, Selection] = {(2, 0): 3, (3, 1): 2, (3, 2): 1}


# -- groups and gates -----------------------------------------------------------------------------


def test_groups_of_a_cell() -> None:
    assert groups_of(2, 4) == [
        Group((0, 1), (2, 3, 4, 5)),
        Group((2,), (3, 4, 5)),
        Group((3,), (4, 5)),
        Group((4,), (5,)),
    ]
    assert groups_of(1, 3) == [Group((0,), (1, 2, 3)), Group((1,), (2, 3)), Group((2,), (3,))]
    assert groups_of(2, 1) == [Group((0, 1), (2,))]


def test_edges_of_a_group_go_by_source() -> None:
    assert INPUTS.edges == EDGES[:4]


@pytest.mark.parametrize(("inputs", "nodes"), [(2, 4), (1, 3), (2, 1), (3, 2)])
def test_groups_hold_every_edge_once(inputs: int, nodes: int) -> None:
    edges = [edge for group in groups_of(inputs, nodes) for edge in group.edges]
    expected = [(t, s) for t in range(inputs, inputs + nodes) for s in range(t)]
    assert sorted(edges) == sorted(expected)


def test_gates_of_a_cell() -> None:
    gates = Supernet(Cell([2, 2]), lambda _: {}).gates
    assert set(gates) == {f"cell/{t}<-{s}" for t, s in EDGES} | {"cell/2", "cell/3"}
    assert gates["cell/3<-1"].options == OPERATIONS and gates["cell/3<-1"].absent == 0
    assert gates["cell/3"].options == ("0", "1", "2") and gates["cell/3"].choose == 2
    assert gates["cell/3"].absent is None
    assert "cell/3" not in Supernet(Cell(), lambda _: {}).gates
    assert CellGates("cell", ("a", "b"), 1, 1).edge((1, 0)).absent is None


def test_a_gate_of_a_cell_is_no_decision() -> None:
    gate = CellGate("g", ["0", "1"], 2)
    assert gate.parts() == []
    assert isinstance(gate.chosen((0, 1)), nn.Identity)
    for ask in (gate.decision, gate.selections):
        with pytest.raises(NotImplementedError):
            ask()


def test_a_gate_without_a_selection() -> None:
    with pytest.raises(NasError, match="mutable 'cell/1<-0' has nothing selected"):
        CellGates("cell", OPERATIONS, 1, 2).select(LIKE)
    with pytest.raises(NasError, match="mutable 'g' has nothing selected"):
        CellGate("g", ["0", "1"]).row(LIKE)


# -- for the time of a pass -----------------------------------------------------------------------


def test_what_is_selected_is_forgotten() -> None:
    cell = Cell()
    supernet = Supernet(cell, lambda _: {})
    weights = dict.fromkeys(supernet.gates, 1)
    assert supernet(LIKE, weights) is not None
    assert cell.gates.selected is None
    with supernet.selected(weights), pytest.raises(ValueError), selecting([cell.gates], LIKE):
        raise ValueError
    assert cell.gates.selected is None


def test_nothing_stays_selected_where_another_gate_has_nothing() -> None:
    one, other = Cell(), Cell()
    with (
        Supernet(one, lambda _: {}).selected({f"cell/{t}<-{s}": 1 for t, s in EDGES}),
        pytest.raises(NasError, match="nothing selected"),
        selecting([one.gates, other.gates], LIKE),
    ):
        pass
    assert one.gates.selected is None


# -- what runs ------------------------------------------------------------------------------------


def test_what_is_none_or_zero_does_not_run() -> None:
    found = selected(MIXTURE)
    assert found.active == {(2, 0): (1, 2, 3), (3, 0): (2,), (3, 1): (1, 3), (3, 2): (1, 2, 3)}
    assert list(found.active) == [(2, 0), (3, 0), (3, 1), (3, 2)]
    assert selected(PATH).active == {(2, 0): (3,), (3, 1): (2,), (3, 2): (1,)}
    assert selected({}).active == {}


def test_edges_that_a_node_shuts_do_not_run() -> None:
    assert set(selected(MIXTURE, n2=(0, 1), n3=(0, 2)).active) == {(2, 0), (3, 0), (3, 2)}
    found = selected(MIXTURE, n2=row(0.0, 1.0), n3=row(0.0, 0.5, 0.0))
    assert set(found.active) == {(3, 1)}


def slots_by_name(found: Selected, key: Key) -> list[tuple[Edge, int]]:
    """Return the edge and the operation (its place in the gate) of every slot that runs."""
    slots = found.slots(key)
    if slots is None:
        return []
    pairs = zip(slots.edges, slots.operations, strict=True)
    return [(key[0].edges[edge], key[1][operation]) for edge, operation in pairs]


def test_slots_that_run() -> None:
    found = selected(MIXTURE)
    for key in KEYS:
        expected = {(e, o) for e in key[0].edges for o in found.active.get(e, ()) if o in key[1]}
        assert set(slots_by_name(found, key)) == expected
        targets = [edge[0] for edge, _ in slots_by_name(found, key)]
        reached = [found.targets(key[0])[position] for position in found.slot_targets(key)]
        assert reached == targets
    slots = [found.slots(key) for key in KEYS]
    assert [(s.at, s.of) for s in slots if s] == [((0, 2, 5, 7), 8), ((0, 1), 4), ((0, 1), 2)]


def test_targets_that_are_reached() -> None:
    found = selected({(3, 1): 2})
    assert found.targets(INPUTS) == [3] and found.targets(Group((2,), (3,))) == []
    assert found.slots(KEYS[0]) is None and found.slot_targets(KEYS[0]) == ()
    assert found.slot_targets(KEYS[1]) == (0,)


# -- weights --------------------------------------------------------------------------------------


def test_a_path_has_no_scales() -> None:
    found = selected(PATH, n2=(0,), n3=(1, 2))
    assert found.scale((2, 0), 3) is None and found.input_scale((2, 0)) is None
    assert found.slot_scales(KEYS[0], 5) is None


def test_scales_of_a_mixture() -> None:
    found = selected(MIXTURE)
    for edge, operations in found.active.items():
        for operation in operations:
            weights = MIXTURE[edge]
            assert isinstance(weights, Tensor)
            scale = found.scale(edge, operation)
            assert scale is not None and scale == weights[operation]
        assert found.input_scale(edge) is None


def test_an_index_among_tensors_weighs_one() -> None:
    found = selected({**MIXTURE, (3, 0): 2})
    assert found.scale((3, 0), 2) == 1.0
    assert found.scale((3, 1), 3) == 0.8


def test_scales_of_edges_with_a_weight_of_their_own() -> None:
    """PC-DARTS, eq. 3: what an operation weighs times what its edge weighs."""
    found = selected({**MIXTURE, (3, 0): 2}, n2=(0, 1), n3=row(0.5, 0.25, 2.0))
    assert found.scale((2, 0), 1) == 0.2 and found.input_scale((2, 0)) == 1.0
    assert found.scale((3, 0), 2) == 0.5 and found.input_scale((3, 0)) == 0.5
    assert found.scale((3, 1), 3) == 0.2 and found.input_scale((3, 1)) == 0.25
    assert found.scale((3, 2), 1) == 1.8
    assert found.beside(INPUTS).tolist() == [[1.0, 0.0], [0.5, 0.25]]


def test_weights_of_two_edges() -> None:
    """Of many possible ones; each keeps its own."""
    some: dict[Edge, Selection] = {(2, 0): row(0.0, 0.1, 0.0, 0.0), (3, 1): row(0.0, 0.2, 0.0, 0.0)}
    found = selected(some, n2=row(0.5, 0.0), n3=row(0.0, 0.25, 0.0))
    assert found.beside(INPUTS).tolist() == [[0.5, 0.0], [0.0, 0.25]]
    results, weights = found.mixture(INPUTS, (1,))
    assert results == [(1, 0), (1, 1)] and weights.tolist() == [[0.05, 0.0], [0.0, 0.05]]


@pytest.mark.parametrize("channels", [1, 3])
def test_scales_of_slots(channels: int) -> None:
    found = selected(MIXTURE)
    for key in KEYS:
        scales = found.slot_scales(key, channels)
        assert scales is not None
        expected = [found.scale(edge, operation) for edge, operation in slots_by_name(found, key)]
        assert scales.tolist() == [value for value in expected for _ in range(channels)]


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("operation", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_scales_are_contiguous(edge: Edge, operation: int, channels: int) -> None:
    """PyTorch's batch norm misreads weights that are not, however few (CPU, channels last)."""
    hot = torch.zeros(4, dtype=torch.float64)
    hot[operation] = 0.5
    found = selected({edge: hot})
    for key in KEYS:
        if found.slots(key) is not None:
            scales = found.slot_scales(key, channels)
            assert scales is not None and scales.tolist() == [0.5] * channels
            assert scales.stride() == (1,)


def test_what_edges_share_is_mixed() -> None:
    results, weights = selected(MIXTURE).mixture(INPUTS, (1, 2))
    assert results == [(1, 0), (1, 1), (2, 0)]
    assert weights.tolist() == [[0.2, 0.0, 0.3], [0.0, 0.7, 0.6]]
    results, weights = selected(MIXTURE).mixture(Group((2,), (3,)), (3, 1))
    assert results == [(3, 2), (1, 2)] and weights.tolist() == [[1.1, 0.9]]


def test_what_a_path_shares_is_added() -> None:
    found = selected({(2, 0): 1, (3, 0): 1, (3, 1): 2})
    results, weights = found.mixture(INPUTS, (1, 2))
    assert results == [(1, 0), (2, 1)]
    assert weights.tolist() == [[1.0, 0.0], [1.0, 1.0]] and weights.dtype == torch.float64
    assert found.beside(INPUTS).tolist() == [[1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize("operation", [1, 3])
def test_one_option_alone(operation: int) -> None:
    """Its place in the table of scales counts as in a larger table."""
    hot = torch.zeros(4, dtype=torch.float64)
    hot[operation] = 0.5
    for weights, value in ((hot, 0.5), (operation, 1.0)):
        found = selected({(3, 1): weights})
        assert found.mixture(INPUTS, (1, 2, 3)) == ([(operation, 1)], torch.tensor([[value]]))
        found = selected({(3, 1): weights}, n2=(0, 1), n3=row(0.0, 0.25, 0.0))
        assert found.beside(INPUTS).tolist() == [[0.0, 0.25]]


def test_nothing_shared() -> None:
    results, weights = selected(PATH).mixture(INPUTS, ())
    assert results == [] and weights.shape == (2, 0)
    results, weights = selected(MIXTURE).mixture(INPUTS, ())
    assert results == [] and weights.shape == (2, 0)


def test_gradients_reach_the_gates() -> None:
    rows = {e: w.clone().requires_grad_() for e, w in MIXTURE.items() if isinstance(w, Tensor)}
    node = row(0.5, 0.25, 2.0).requires_grad_()
    found = selected(rows, n2=(0, 1), n3=node)
    scales = found.slot_scales(KEYS[0], 3)
    assert scales is not None
    total = scales.sum() + 10 * found.mixture(INPUTS, (2,))[1].sum() + found.beside(INPUTS).sum()
    total.backward()
    gradients = [w.grad for w in rows.values()]
    assert [None if g is None else g.tolist() for g in gradients] == [
        [0.0, 3.0, 10.0, 3.0],
        [0.0, 0.0, 5.0, 0.0],
        None,
        [0.0, 0.75, 0.0, 0.75],
        [0.0, 0.0, 0.0, 0.0],
    ]
    assert node.grad is not None
    assert node.grad.tolist() == [7.0, 3 * 1.5 + 1.0, 0.0]


def test_selections_do_not_remember_each_other() -> None:
    cell = Cell()
    supernet = Supernet(cell, lambda _: {})
    for weight in (0.25, 0.5, 0.25):
        for operation in (1, 3, 2):
            every: dict[str, Selection] = dict.fromkeys(supernet.gates, 0)
            every["cell/3<-1"] = torch.eye(4, dtype=torch.float64)[operation] * weight
            found = supernet(LIKE, every)
            assert found.mixture(INPUTS, (1, 2, 3))[1].tolist() == [[weight]]
            assert found.mixture(INPUTS, (1, 2, 3))[0] == [(operation, 1)]


def test_very_many_paths() -> None:
    """What is kept from pass to pass is thrown away before it is too much."""
    cell = Cell()
    supernet = Supernet(cell, lambda _: {})
    for at in range(3 * 3**5):
        options = [1 + at // 3**i % 3 for i in range(5)]
        weights = {
            f"cell/{t}<-{s}": torch.eye(4, dtype=torch.float64)[option] * (2 + at % 5)
            for (t, s), option in zip(EDGES, options, strict=True)
        }
        found = supernet(LIKE, weights)
        results, mixed = found.mixture(INPUTS, (1, 2, 3))
        assert mixed.sum() == 4 * (2 + at % 5)
        assert {operation for operation, _ in results} == set(options[:4])
        assert len(found.indices) < 1100
