"""The space of a user's own module."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Elastic, OneOf, SomeOf
from nas.search_spaces.module import ModuleSpace
from nas.space import Architecture
from nas.task import TaskInfo

TASK = TaskInfo((4,), 3)


def relu_or_tanh(label: str | None = None) -> OneOf:
    return OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label=label)


def linear() -> nn.Module:
    return nn.Linear(4, 4)


def space_of(*parts: Callable[[], nn.Module], **settings: Any) -> ModuleSpace:
    """Make the space of a chain of modules."""
    return ModuleSpace(lambda: nn.Sequential(*(part() for part in parts)), **settings)


def whens(space: ModuleSpace) -> dict[str, tuple[Any, ...]]:
    return {decision.name: decision.when for decision in space.decisions}


# -- decisions --------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = relu_or_tanh("act")
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(x))


def test_name() -> None:
    assert ModuleSpace(Net).name == "Net"
    assert ModuleSpace(Net, name="mine").name == "mine"
    assert ModuleSpace(Net).sample(np.random.default_rng(0), 1)[0].space == "Net"


def test_decisions_in_the_order_of_the_module() -> None:
    space = space_of(
        lambda: relu_or_tanh("z"),
        lambda: SomeOf([linear(), linear(), linear()], 2, label="y"),
        lambda: Elastic(nn.Sequential(linear(), linear()), width=(2, 4), label="x"),
        relu_or_tanh,
    )
    assert [(d.name, len(d.options), d.ordered) for d in space.decisions] == [
        ("z", 2, False),
        ("y", 3, False),
        ("x", 2, True),
        ("3", 2, False),
    ]
    assert space.decisions[2].options == (2, 4)


def test_one_label_is_one_decision() -> None:
    space = space_of(lambda: relu_or_tanh("act"), linear, lambda: relu_or_tanh("act"))
    assert space.size == 2
    network = space.build(Architecture(space.name, (1,)), TASK)
    assert sum(isinstance(module, nn.Tanh) for module in network.modules()) == 2


def test_a_module_that_is_a_choice() -> None:
    space = ModuleSpace(lambda: relu_or_tanh())
    assert [d.name for d in space.decisions] == ["OneOf"]
    assert isinstance(space.build(Architecture(space.name, (1,)), TASK), nn.Tanh)
    supernet = space.supernet(TASK)
    assert isinstance(supernet.extract(Architecture(space.name, (0,))), nn.ReLU)


# -- conditions -------------------------------------------------------------------------------


def test_inside_a_choice() -> None:
    space = space_of(lambda: OneOf({"a": relu_or_tanh("inner"), "b": nn.Identity()}, label="outer"))
    assert whens(space) == {"outer": (), "inner": (("outer", ("a",)),)}
    assert space.size == 3


def test_inside_a_choice_of_several() -> None:
    parts = {"a": linear(), "b": relu_or_tanh("inner"), "c": linear()}
    space = ModuleSpace(lambda: nn.Sequential(SomeOf(parts, 2, label="outer")))
    assert whens(space)["inner"] == (("outer", ("a+b", "b+c")),)
    assert space.size == 1 + 2 * 2


def test_inside_a_depth() -> None:
    def block() -> nn.Module:
        layers = nn.Sequential(linear(), relu_or_tanh("second"), relu_or_tanh("third"))
        return Elastic(layers, depth=(1, 2, 3), label="depth")

    space = space_of(block)
    assert whens(space) == {
        "depth": (),
        "second": (("depth", (2, 3)),),
        "third": (("depth", (3,)),),
    }
    assert space.size == 1 + 2 + 4


def test_inside_an_inside() -> None:
    def block() -> nn.Module:
        middle = OneOf({"x": relu_or_tanh("inner"), "y": nn.Identity()}, label="middle")
        return OneOf({"a": nn.Sequential(middle), "b": nn.Identity()}, label="outer")

    space = space_of(block)
    assert whens(space)["inner"] == (("middle", ("x",)),)
    assert space.size == 1 + (1 + 2)
    assert space.check(Architecture(space.name, (1, 0, 1)))


def test_inside_and_outside() -> None:
    """A label that is also used without condition is always decided."""
    inside = {"a": relu_or_tanh("act"), "b": nn.Identity()}
    for order in ((0, 1), (1, 0)):
        parts = [lambda: OneOf(inside, label="outer"), lambda: relu_or_tanh("act")]
        space = space_of(*(parts[i] for i in order))
        assert whens(space)["act"] == ()
        assert space.size == 4


def test_inside_two_choices() -> None:
    """A label used in two choices is decided where either runs it."""
    space = space_of(
        lambda: OneOf({"a": relu_or_tanh("act"), "b": nn.Identity()}, label="first"),
        lambda: OneOf({"c": nn.Identity(), "d": relu_or_tanh("act")}, label="second"),
    )
    assert [d.name for d in space.decisions] == ["first", "second", "act"]
    assert whens(space)["act"] == (("first", ("a",)), ("second", ("d",)))
    assert space.size == 1 + 3 * 2
    a = space.parse("first=b;second=d;act=tanh")
    assert torch.equal(space.build(a, TASK)(torch.ones(4)), torch.ones(4).tanh())


def test_inside_itself() -> None:
    """An inner use of the outer label is decided with it."""

    def block() -> nn.Module:
        act = OneOf({"relu": relu_or_tanh("act"), "tanh": nn.Identity()}, label="act")
        return OneOf({"a": act, "b": nn.Identity()}, label="outer")

    space = space_of(block)
    assert whens(space) == {"outer": (), "act": (("outer", ("a",)),)}
    assert space.size == 3


def test_inside_each_other() -> None:
    def either(outer: str, inner: str) -> nn.Module:
        return OneOf({"relu": relu_or_tanh(inner), "tanh": nn.Identity()}, label=outer)

    def block() -> nn.Module:
        return OneOf([either("x", "y"), either("y", "x")], label="root")

    with pytest.raises(NasError, match="mutables labelled x, y stand inside each other"):
        space_of(block)


def test_unlabelled_mutables_inside_choices_keep_their_names() -> None:
    """A label is the place in the whole module, before and after a choice is made."""
    space = space_of(lambda: OneOf([nn.Sequential(relu_or_tanh()), nn.Identity()]))
    assert [d.name for d in space.decisions] == ["0", "0.candidates.0_Sequential.0"]
    for a in space.sample(np.random.default_rng(0), 10):
        assert space.supernet(TASK).extract(a)(torch.ones(4)).shape == (4,)


# -- what cannot be searched ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(1, 1), "has nothing to search: no OneOf, SomeOf or Elastic in it"),
        (lambda: 3, "makes a int, not an nn.Module"),
        (lambda width: Net(), "cannot be made without arguments: .*'width'"),
        (lambda: nn.Sequential(relu_or_tanh("a"), OneOf([linear()], "a")), "different options"),
    ],
)
def test_what_is_not_a_space(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        ModuleSpace(make, name="mine")


@pytest.mark.parametrize("label", ["a;b", "a=b"])
def test_labels_that_text_cannot_hold(label: str) -> None:
    with pytest.raises(NasError, match="name of a decision"):
        space_of(lambda: relu_or_tanh(label))


# -- networks ---------------------------------------------------------------------------------


class ForTask(nn.Module):
    def __init__(self, task: TaskInfo) -> None:
        super().__init__()
        self.layer = OneOf([nn.Linear(task.input_shape[-1], task.outputs) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_a_module_that_wants_the_task() -> None:
    space = ModuleSpace(ForTask)
    a = Architecture("ForTask", (1,))
    x = torch.randn(2, 4)
    assert space.build(a, TASK)(x).shape == (2, 3)
    assert space.supernet(TASK)(x, {"layer": 0}).shape == (2, 3)
    assert space.build(a, TaskInfo((7,), 2))(torch.randn(2, 7)).shape == (2, 2)


def test_mutables_may_not_depend_on_the_task() -> None:
    def make(task: TaskInfo) -> nn.Module:
        return OneOf([nn.Linear(4, 4) for _ in range(task.outputs)])

    with pytest.raises(NasError, match="'make' has other mutables for this task than without it"):
        ModuleSpace(make).supernet(TASK)


def test_build_has_no_settings() -> None:
    space = ModuleSpace(Net)
    with pytest.raises(NasError, match=r"network\.channels: space 'Net' has no such setting"):
        space.build(Architecture("Net", (0,)), TASK, channels=3)
    with pytest.raises(NasError, match="not an architecture of space 'Net'"):
        space.build(Architecture("Net", (5,)), TASK)


def test_supernet_options() -> None:
    space = ModuleSpace(Net)
    assert space.supernet(TASK, partial_channels=1, edge_gates=False).gates
    with pytest.raises(NasError, match="space 'Net' has no partial channels: 'act': it does not"):
        space.supernet(TASK, partial_channels=4)
    with pytest.raises(NasError, match=r"supernet\.channels: space 'Net' has no such setting"):
        space.supernet(TASK, channels=3)


def test_edge_gates_are_left_out_and_that_is_said() -> None:
    space = ModuleSpace(Net)
    plain, asked = space.supernet(TASK), space.supernet(TASK, edge_gates=True)
    assert plain.gates == asked.gates
    assert plain.notes == ()
    assert "no nodes where several edges meet" in asked.notes[0]


def test_graph_is_a_chain_of_what_was_chosen() -> None:
    space = space_of(lambda: OneOf({"a": relu_or_tanh("inner"), "b": nn.Identity()}, label="outer"))
    graph = space.graph(space.parse("outer=a;inner=tanh"))
    assert list(graph.edges) == [("=input", "outer"), ("outer", "inner"), ("inner", "=output")]
    assert graph.nodes["inner"]["op"] == "inner: tanh"
    assert list(space.graph(space.parse("outer=b"))) == ["=input", "outer", "=output"]


@pytest.mark.parametrize("label", ["input", "output"])
def test_graph_with_labels_of_its_own_nodes(label: str) -> None:
    space = space_of(lambda: relu_or_tanh(label))
    graph = space.graph(Architecture(space.name, (0,)))
    assert sorted(d["kind"] for _, d in graph.nodes(data=True)) == ["input", "op", "output"]


def test_graph_of_a_sum_has_its_parts_side_by_side() -> None:
    def block() -> nn.Module:
        parts = {"a": relu_or_tanh("inner"), "b": nn.Identity(), "c": linear()}
        return SomeOf(parts, 2, label="some")

    space = space_of(block, lambda: relu_or_tanh("last"))
    graph = space.graph(space.parse("some=a+c;inner=tanh;last=relu"))
    assert sorted(graph.edges) == [
        ("=input", "some=a"), ("=input", "some=c"), ("inner", "some="), ("last", "=output"),
        ("some=", "last"), ("some=a", "inner"), ("some=c", "some="),
    ]  # fmt: skip
    assert (graph.nodes["some="]["kind"], graph.nodes["some=a"]["op"]) == ("node", "some: a")
    assert graph.nodes["some="]["label"] == "some"


def test_graph_of_what_is_repeated() -> None:
    space = space_of(lambda: relu_or_tanh("a"), linear, lambda: relu_or_tanh("a"))
    graph = space.graph(space.parse("a=tanh"))
    assert list(graph.edges) == [("=input", "a"), ("a", "a=2"), ("a=2", "=output")]
    assert graph.nodes["a"]["op"] == graph.nodes["a=2"]["op"] == "a: tanh"


# -- derivation -------------------------------------------------------------------------------


def test_derive_takes_the_strongest() -> None:
    space = space_of(
        lambda: OneOf({"a": relu_or_tanh("inner"), "b": nn.Identity()}, label="outer"),
        lambda: SomeOf([linear() for _ in range(4)], 2, label="set"),
        lambda: SomeOf([linear() for _ in range(3)], 1, label="one"),
    )
    scores = {
        "outer": np.array([0.1, 0.9]),
        "inner": np.array([0.1, 0.9]),
        "set": np.array([0.1, 0.8, 0.2, 0.7]),
        "one": np.array([0.1, 0.0, 0.2]),
    }
    assert space.format(space.derive(scores)) == "outer=b;set=1_Linear+3_Linear;one=2_Linear"
    scores["outer"] = np.array([0.9, 0.1])
    assert "inner=tanh" in space.format(space.derive(scores))


# -- constraints ------------------------------------------------------------------------------


def equal(options: dict[str, Hashable]) -> str | None:
    return None if options["a"] == options["b"] else f"{options['a']} is not {options['b']}"


def test_constraint() -> None:
    space = space_of(lambda: relu_or_tanh("a"), lambda: relu_or_tanh("b"), constraint=equal)
    assert {a.choices for a in space.sample(np.random.default_rng(0), 50)} == {(0, 0), (1, 1)}
    assert space.check(Architecture(space.name, (0, 1))) == "relu is not tanh"
    with pytest.raises(NasError, match="has a constraint: its size is not known"):
        _ = space.size
    derived = space.derive({"a": np.array([0.9, 0.1]), "b": np.array([0.2, 0.8])})
    assert derived.choices == (0, 0)  # 0.9 * 0.2 against 0.1 * 0.8


def test_a_constraint_sees_what_is_active() -> None:
    seen: list[dict[str, Hashable]] = []

    def watch(options: dict[str, Hashable]) -> None:
        seen.append(options)

    space = space_of(
        lambda: OneOf({"a": relu_or_tanh("inner"), "b": nn.Identity()}, label="outer"),
        constraint=watch,
    )
    space.check(space.from_array(np.array([[1, 0]]))[0])
    assert seen == [{"outer": "b"}]


def test_derive_takes_the_strongest_valid_architecture() -> None:
    def constraint(options: dict[str, Any]) -> str | None:
        return "both are a" if options == {"x": "a", "y": "a"} else None

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x = OneOf({"a": nn.Identity(), "b": nn.ReLU()}, label="x")
            self.y = OneOf({"a": nn.Identity(), "b": nn.ReLU()}, label="y")

    scores = {"x": np.array([0.9, 0.1]), "y": np.array([0.6, 0.4])}
    assert ModuleSpace(Two).derive(scores).choices == (0, 0)
    assert ModuleSpace(Two, constraint=constraint).derive(scores).choices == (0, 1)
    with pytest.raises(NasError, match="strongest architectures of 'Two' is valid"):
        ModuleSpace(Two, constraint=lambda options: "never").derive(scores)


def test_constraint_of_the_class() -> None:
    class Bound(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = relu_or_tanh("a"), relu_or_tanh("b")

        @staticmethod
        def constraint(options: dict[str, Hashable]) -> str | None:
            return equal(options)

    space = ModuleSpace(Bound)
    assert space.check(Architecture("Bound", (0, 1))) == "relu is not tanh"
    other = ModuleSpace(Bound, constraint=lambda options: None)
    assert other.check(Architecture("Bound", (0, 1))) is None


class NotStatic(Net):
    def constraint(self, options: dict[str, Hashable]) -> str | None:
        return None


@pytest.mark.parametrize(
    ("make", "constraint", "message"),
    [
        (NotStatic, None, "constraint of 'mine' takes one argument.*it is a @staticmethod"),
        (Net, lambda options: True, "returned True; expected why the options are not valid"),
        (Net, lambda options: "", "returned ''; expected why"),
        (Net, lambda options: options["b"], "raised KeyError: 'b'.*options of decisions.*: act"),
    ],
)
def test_constraints_that_are_wrong(make: Any, constraint: Any, message: str) -> None:
    with pytest.raises(NasError, match=message):
        ModuleSpace(make, "mine", constraint).sample(np.random.default_rng(0), 1)


# -- conditions that are functions ------------------------------------------------------------


def wide(options: dict[str, Hashable]) -> bool:
    return options["depth"] == 3 and options.get("act") != "relu"


def conditional() -> ModuleSpace:
    """`act` inside the third block; `out` only where there are three and no relu."""

    def block() -> nn.Module:
        return Elastic(
            nn.Sequential(linear(), linear(), relu_or_tanh("act")), "depth", depth=(2, 3)
        )

    return space_of(block, lambda: OneOf([linear(), nn.ReLU(), nn.Tanh()], "out", when=wide))


def test_a_condition_that_is_a_function() -> None:
    space = conditional()
    assert space.size == 1 + (1 + 3)
    rows = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 2]])
    assert space.active(rows).tolist() == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip
    assert space.check(Architecture(space.name, (1, 0, 1))) == (
        "'out' is inactive here and must be its first option"
    )
    assert space.format(Architecture(space.name, (1, 1, 2))) == "depth=3;act=tanh;out=2_Tanh"
    drawn = {a.choices for a in space.sample(np.random.default_rng(0), 200)}
    assert drawn == {(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 2)}


def test_where_a_condition_does_not_hold_the_first_option_runs() -> None:
    space = conditional()
    a = space.parse("depth=2")
    network = space.build(a, TASK)
    assert isinstance(network[-1], nn.Linear)
    assert list(space.graph(a)) == ["=input", "depth", "=output"]
    scores = {"depth": np.array([0.9, 0.1]), "act": np.ones(2), "out": np.array([0.1, 0.2, 0.7])}
    assert space.derive(scores) == a


def test_the_size_of_a_large_space_with_functions_is_not_known() -> None:
    parts = [lambda i=i: OneOf([linear() for _ in range(9)], f"p{i}") for i in range(6)]
    space = space_of(*parts, lambda: OneOf([linear()] * 2, "last", when=lambda options: True))
    with pytest.raises(NasError, match="conditions that are functions: its size is not known"):
        _ = space.size


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (lambda: True, "condition of 'b' takes one argument"),
        (lambda options: options["c"], "condition of 'b' raised KeyError: 'c'.*earlier.*: a"),
    ],
)
def test_conditions_that_are_wrong(when: Any, message: str) -> None:
    last = OneOf([nn.ReLU(), nn.Tanh()], "b", when=when)
    with pytest.raises(NasError, match=message):
        space_of(lambda: relu_or_tanh("a"), lambda: last).sample(np.random.default_rng(0), 1)


def test_the_first_decision_has_no_condition() -> None:
    first = OneOf([nn.ReLU(), nn.Tanh()], "a", when=lambda options: True)
    with pytest.raises(NasError, match="condition of 'a' has nothing to ask"):
        space_of(lambda: first)


# -- a user's mistakes ------------------------------------------------------------------------


def test_a_module_that_cannot_be_made() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = self.nothing

    with pytest.raises(NasError, match=r"'Broken' cannot be made: AttributeError: .*nothing"):
        ModuleSpace(Broken)
