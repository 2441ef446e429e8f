"""The space of token networks: what is valid, what is refused, what never leaks."""

from __future__ import annotations

import sys
from itertools import product
from subprocess import run

import numpy as np
import pytest
import torch

from nas.costs.measure import measure
from nas.errors import NasError
from nas.search_spaces.moe import CompeteRouter, MoE, MoELayer, MoESequence, expert_loads
from nas.search_spaces.moe.decisions import CAUSAL_ROUTERS, ROUTERS
from nas.search_spaces.moe.loads import load_balance
from nas.search_spaces.moe.size import distribution
from nas.space import Architecture
from nas.task import TaskInfo

TEXT = TaskInfo((12,), 20, "tokens", vocabulary=20)
VECTORS = TaskInfo((12, 5), 7, "sequence")
SMALL = {"width": 16, "heads": 2, "expansion": 2}


def architecture(space: MoE, **chosen: object) -> Architecture:
    """Return an architecture with these choices in every block."""
    row = [
        decision.index(chosen.get(decision.name.partition(".")[2], decision.options[0]))
        for decision in space.decisions
    ]
    return space.require(Architecture(space.name, tuple(row)))


def test_importing_the_space_leaves_torch_alone() -> None:
    code = "import sys, nas.search_spaces.moe; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error() -> None:
    import nas.search_spaces.moe as package

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = package.Nothing


def test_size_is_counted_right() -> None:
    space = MoESequence(1)
    rows = np.array(list(product(*(range(n) for n in space.cardinalities))), np.int64)
    assert int(space.valid(rows).sum()) == space.size
    assert MoESequence(3).size == space.size**3


def test_more_experts_a_token_than_there_are_is_refused() -> None:
    space = MoE(1)
    with pytest.raises(NasError, match="block1 has 2 experts, fewer than k=4"):
        architecture(space, layer="moe", experts=2, k=4)


def test_choices_of_routers_are_conditional() -> None:
    space = MoE(1)
    names = {
        router: set(space.options(architecture(space, layer="moe", router=router)))
        for router in space.routers
    }
    assert "block1.k" in names["top-k"] and "block1.auxiliary" in names["top-k"]
    assert "block1.k" not in names["hash"] and "block1.capacity" in names["hash"]
    assert "block1.capacity" not in names["kan"]
    assert set(space.options(architecture(space))) == {"block1.layer"}


@pytest.mark.parametrize("space", [MoE(1), MoESequence(1)])
def test_images_are_refused(space: MoE) -> None:
    with pytest.raises(NasError, match=r"needs text or sequences.*kind 'examples'"):
        space.supernet(TaskInfo((3, 8, 8), 10))


def test_routers_that_leak_are_refused_for_text_with_the_reason() -> None:
    space = MoESequence(1)
    for refused in (
        lambda: space.for_task(TEXT),
        lambda: space.supernet(TEXT),
        lambda: space.build(architecture(space), TEXT),
    ):
        with pytest.raises(NasError, match="expert-choice: its experts take the best tokens"):
            refused()
    assert space.for_task(VECTORS) is space
    assert not {"expert-choice", "soft", "smear"} & set(MoE(1).routers)


@pytest.mark.parametrize("router", ["dense", *CAUSAL_ROUTERS])
@pytest.mark.parametrize("training", [True, False])
def test_the_future_is_never_seen(router: str, training: bool) -> None:
    space = MoE(2)
    chosen: dict[str, object] = {}
    if router != "dense":
        chosen = {"layer": "moe", "router": router, "experts": 4, "shared": "yes"}
        chosen |= {"k": 2} if ROUTERS[router].k else {}
        chosen |= {"auxiliary": 0.01} if ROUTERS[router].auxiliary else {}
    network = space.build(architecture(space, **chosen), TEXT, **SMALL).train(training)
    for module in network.modules():
        if isinstance(module, CompeteRouter):  # in training, every step is a competition
            module.rate, module.warm_up = 1.0, 0
    x = torch.randint(20, (3, 12))
    changed = x.clone()
    changed[:, 7:] = (x[:, 7:] + 1 + torch.randint(19, (3, 5))) % 20
    outputs = []
    for given in (x, changed):
        torch.manual_seed(0)  # of the noise
        outputs.append(network(given))
    torch.testing.assert_close(outputs[0][:, :7], outputs[1][:, :7])
    assert not torch.allclose(outputs[0][:, 7:], outputs[1][:, 7:])


def test_a_mixture_sees_no_future_either() -> None:
    space = MoE(1)
    supernet = space.supernet(TEXT, **SMALL).eval()
    weights = {n: torch.full((len(g.options),), 0.25) for n, g in supernet.gates.items()}
    x = torch.randint(20, (3, 12))
    changed = torch.cat([x[:, :7], (x[:, 7:] + 1) % 20], 1)
    one, other = supernet(x, weights), supernet(changed, weights)
    torch.testing.assert_close(one[:, :7], other[:, :7])


def test_tokens_that_overflow_pass_a_block_by() -> None:
    space = MoE(1)
    network = space.build(architecture(space, layer="moe", experts=4), TEXT, **SMALL).eval()
    layer = network.layers[0]
    assert isinstance(layer, MoELayer)
    layer.router.linear.weight.data.zero_()  # of equal scores, the first expert's comes first
    x = torch.randn(2, 12, 16)
    y = x + layer(x)
    assert torch.equal(y[:, 3:], x[:, 3:])
    assert (y[:, :3] != x[:, :3]).any(-1).all()


def test_multiply_adds_are_those_of_active_experts() -> None:
    """k experts a token and the router, on top of a network with no hidden units."""
    space = MoE(1)

    def flops(**chosen: object) -> float:
        made = space.build(architecture(space, layer="moe", **chosen), TEXT, **SMALL)
        return measure(made, TEXT)["flops"]

    one_expert = 2 * 16 * 32 * 12  # d, hidden units, tokens
    router = 16 * 4 * 12
    assert flops(experts=4, width=2.0) - flops(experts=4, width=1.0) == one_expert
    assert flops(experts=4, k=2, width=1.0) - flops(experts=4, k=1, width=1.0) == one_expert
    assert flops(experts=4, width=1.0) - flops(experts=1, width=1.0) == router * 3 / 4
    more = flops(experts=4, width=1.0, shared="yes") - flops(experts=4, width=1.0)
    assert more == one_expert


def test_loads_are_counted() -> None:
    space = MoE(1)
    made = space.build(architecture(space, layer="moe", experts=4, k=2), TEXT, **SMALL).eval()
    batches = [torch.randint(20, (2, 12)), torch.randint(20, (3, 12))]
    [loads] = expert_loads(made, batches).values()
    assert loads.shape == (4,)
    assert 0 < loads.sum() <= 2
    assert 1 <= load_balance(made, batches)["max_load"] <= 4
    dense = space.build(architecture(space), TEXT, **SMALL)
    assert load_balance(dense, batches) == {"max_load": 1.0}


def test_expert_weights_are_held_once() -> None:
    """Three stacked tensors hold all numbers and widths of experts; a smaller one is their part."""
    space = MoE(1)
    supernet = space.supernet(TEXT, **SMALL)
    small = architecture(space, layer="moe", experts=2, width=0.5)
    layer = supernet.extract(small).layers[0]
    whole = supernet.network.layers[0].experts
    assert whole.w1.shape == (8, 16, 64)
    assert torch.equal(layer.experts.w1, whole.w1[:2, :, :16])
    assert torch.equal(layer.experts.w2, whole.w2[:2, :16])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("router", list(ROUTERS))
def test_every_router_is_extracted_exactly(router: str, training: bool) -> None:
    """At a small and at the largest size, also as a one-hot mixture."""
    space, facts = MoESequence(1), ROUTERS[router]
    torch.manual_seed(0)
    supernet = space.supernet(VECTORS, **SMALL).double().train(training)
    x = torch.randn(3, 12, 5, dtype=torch.float64)
    for experts, width, k, shared in ((2, 0.5, 1, "yes"), (8, 2.0, 4, "no"), (1, 1.0, 1, "yes")):
        chosen = {"experts": experts, "width": width, "shared": shared}
        chosen |= {"k": k} if facts.k else {}
        chosen |= {"auxiliary": 0.01} if facts.auxiliary else {}
        path = supernet.path(a := architecture(space, layer="moe", router=router, **chosen))
        hot = {
            name: torch.eye(len(gate.options), dtype=torch.float64)[path[name]]
            for name, gate in supernet.gates.items()
        }
        network = supernet.extract(a)
        outputs = []
        for forward in (
            lambda net=network: net(x),
            lambda p=path: supernet(x, p),
            lambda h=hot: supernet(x, h),
        ):
            torch.manual_seed(0)
            outputs.append(forward())
        torch.testing.assert_close(outputs[1], outputs[0])
        torch.testing.assert_close(outputs[2], outputs[0])
        assert measure(network.float(), VECTORS) == measure(
            space.build(a, VECTORS, **SMALL), VECTORS
        )


@pytest.mark.parametrize("router", list(ROUTERS))
def test_sorting_hidden_units_keeps_the_largest_network(router: str) -> None:
    space = MoESequence(1)
    supernet = space.supernet(VECTORS, **SMALL).double().eval()
    chosen = {"layer": "moe", "router": router, "experts": 8, "width": 2.0, "shared": "yes"}
    path = supernet.path(architecture(space, **chosen))
    x = torch.randn(3, 12, 5, dtype=torch.float64)
    before = supernet(x, path)
    supernet.network.sort_hidden()
    torch.testing.assert_close(supernet(x, path), before)
    shared = supernet.network.layers[0].shared
    assert ((shared.w1.norm(dim=0) * shared.w2.norm(dim=1)).diff() <= 0).all()


def test_supernets_of_experts_are_trained_by_the_sandwich_rule() -> None:
    assert MoE.supernet_paths == MoESequence.supernet_paths == "sandwich"


def test_sizes_are_mixed_by_shares() -> None:
    weights = torch.tensor([0.6, 0.4], requires_grad=True)
    same = distribution(((2, weights[0]), (4, weights[1])))
    assert [value for value, _ in same] == [2, 4]
    shares = torch.stack([w for _, w in same if w is not None])
    assert torch.allclose(shares, weights)
    (gradient,) = torch.autograd.grad(shares[0], weights)
    assert gradient.tolist() == pytest.approx([1.0, 0.0])  # as of the weight itself
    signed = distribution(((2, torch.tensor(-0.6)), (4, torch.tensor(0.8))))
    assert [float(w) for _, w in signed if w is not None] == pytest.approx([3 / 7, 4 / 7])
    assert distribution(((2, None),)) == ((2, None),)


def test_weights_of_any_sign_give_numbers() -> None:
    """A sparse code over the options is no distribution."""
    info = TaskInfo((6, 5), 3, "sequence")
    supernet = MoESequence(blocks=1).supernet(info)
    torch.manual_seed(0)
    weights = {
        name: torch.nn.functional.normalize(torch.randn(len(gate.options)), dim=0).requires_grad_()
        for name, gate in supernet.gates.items()
    }
    assert any((w < 0).any() for w in weights.values())
    output = supernet(info.example(4), weights)
    loss = output.square().mean()
    loss.backward()
    assert loss.isfinite()
    assert all(w.grad is None or w.grad.isfinite().all() for w in weights.values())
