"""The banks of operations: every slot is the operation that it stands for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.cells import banks
from nas.search_spaces.cells.banks import (
    Bank,
    DilConvBank,
    FactorizedReduceBank,
    GroupStates,
    ReLUConvBank,
    SeparateBank,
    SepConvBank,
    SharedBank,
    bank_class,
    dense_pays,
    norm_state,
    run_norm,
    stack_norm,
)
from nas.search_spaces.cells.kernels import to_parity
from nas.search_spaces.cells.operations import DilConv, make_operation
from nas.search_spaces.cells.slots import Slots

SOURCES, TARGETS, CHANNELS = 2, 2, 3
EDGES = SOURCES * TARGETS

# The operations of a bank, and the strides that it is made for.
BANKS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "sep_conv_3x3": (("sep_conv_3x3",), (1, 2)),
    "sep_conv_5x5": (("sep_conv_5x5",), (1, 2)),
    "sep_conv_3x3+5x5": (("sep_conv_3x3", "sep_conv_5x5"), (1, 2)),
    "sep_conv_7x7+3x3": (("sep_conv_7x7", "sep_conv_3x3"), (1, 2)),
    "dil_conv_3x3": (("dil_conv_3x3",), (1, 2)),
    "dil_conv_5x5+3x3": (("dil_conv_5x5", "dil_conv_3x3"), (1, 2)),
    "nor_conv_1x1": (("nor_conv_1x1",), (1, 2)),
    "nor_conv_3x3": (("nor_conv_3x3",), (1, 2)),
    "skip_connect": (("skip_connect",), (2,)),
    "conv_7x1_1x7": (("conv_7x1_1x7",), (1, 2)),
}
CASES = [(names, stride) for names, strides in BANKS.values() for stride in strides]
IDS = [f"{name} {stride}" for name, (_, strides) in BANKS.items() for stride in strides]
EVERY_BANK = pytest.mark.parametrize(("names", "stride"), CASES, ids=IDS)


def make_bank(
    names: Sequence[str], stride: int, affine: bool = True
) -> tuple[Bank, list[nn.Module]]:
    """Return a bank in float64 and the operations that it was made of."""
    torch.manual_seed(0)
    kinds = [name for _ in range(SOURCES) for name in names for _ in range(TARGETS)]
    made = [make_operation(name, CHANNELS, stride, affine) for name in kinds]
    bank = bank_class(made[0])(copy.deepcopy(made), EDGES, TARGETS)
    return bank.double(), [op.double() for op in made]


def randomise(*modules: nn.Module) -> None:
    """Move batch norm away from its start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in modules:
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                if tensor.ndim == 1 and tensor.is_floating_point():
                    start = -0.5 if name.endswith(("bias", "mean")) else 0.5
                    tensor.uniform_(start, start + 1.0, generator=generator)


def states(size: int = 6, grad: bool = False) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    made = (
        torch.randn(4, CHANNELS, size, size, generator=generator, dtype=torch.float64)
        for _ in range(SOURCES)
    )
    form = torch.channels_last
    return [x.contiguous(memory_format=form).requires_grad_(grad) for x in made]


def slots_of(bank: Bank, at: Sequence[int]) -> Slots:
    return Slots(at, bank.slots, EDGES, TARGETS)


def choices(slots: int) -> list[list[int]]:
    """Return some choices of slots: all, one, neighbours, scattered, those of one state."""
    last = slots - 1
    some = [[*range(slots)], [0], [last], [1, 2], [0, last], [0, 1], [2, 3], [0, 2, 3], [0, 1, 3]]
    return [*some, [1, 2, last - 1, last]] if slots > EDGES else some


def one_after_the_other(bank: Bank, xs: list[Tensor], slots: Slots, scale: Tensor | None) -> Tensor:
    outputs = [bank.plain(xs[s], slot) for slot, s in zip(slots.at, slots.sources, strict=True)]
    y = torch.cat(outputs, dim=1)
    return y if scale is None else y * scale[:, None, None]


def tensors(bank: Bank) -> dict[str, Tensor]:
    """Return gradients, and buffers other than counts."""
    found = {f"{n}'": p.grad for n, p in bank.named_parameters() if p.grad is not None}
    found |= dict(bank.named_buffers())
    return {n: t.clone() for n, t in found.items() if not n.endswith("num_batches_tracked")}


Run = Callable[[Bank, list[Tensor], Slots, Tensor | None], Tensor]


def together(bank: Bank, xs: list[Tensor], slots: Slots, scale: Tensor | None) -> Tensor:
    group = GroupStates(xs, stride_of(bank))
    y = bank.fused(group, slots, scale)
    return unsplit(y) if bank.parity(group) else y


def stride_of(bank: Bank) -> int:
    layers = [m for m in bank.templates[0].modules() if isinstance(m, nn.Conv2d)]
    return max(max(layer.stride) for layer in layers)


def unsplit(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    parts = x.view(b // 4, 2, 2, c, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(b // 4, c, 2 * h, 2 * w)


def step(run: Run, bank: Bank, at: Sequence[int], scaled: bool, size: int) -> dict[str, Tensor]:
    """Make a forward and a backward pass; return all that it gave and changed."""
    bank.zero_grad()
    xs, slots = states(size, grad=True), slots_of(bank, at)
    scale = None
    if scaled:
        scale = torch.linspace(0.5, 1.5, len(at) * CHANNELS, dtype=torch.float64).requires_grad_()
    y = run(bank, xs, slots, scale)
    (y * torch.linspace(-1.0, 1.0, y.numel(), dtype=torch.float64).view(y.shape)).sum().backward()
    found = {"output": y.detach()} | tensors(bank)
    inputs = {f"state {i}": x.new_zeros(()) if x.grad is None else x.grad for i, x in enumerate(xs)}
    return found | inputs | ({} if scale is None or scale.grad is None else {"scale": scale.grad})


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], what: object) -> None:
    assert found.keys() == expected.keys(), what
    for name, value in expected.items():
        difference = (found[name] - value).abs().max()
        assert difference <= 1e-10 * (1.0 + value.abs().max()), f"{what}: {name} by {difference}"


# -- the same numbers -----------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["dense", "depthwise"])
def dense(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let separable convolutions that all run be one dense convolution, or two."""
    monkeypatch.setattr(banks, "dense_pays", lambda x, stride: request.param)
    return bool(request.param)


@EVERY_BANK
@pytest.mark.parametrize(("training", "affine"), [(True, True), (True, False), (False, True)])
def test_together_as_one_after_the_other(
    names: tuple[str, ...], stride: int, affine: bool, training: bool, dense: bool
) -> None:
    [one, _], [other, _] = make_bank(names, stride, affine), make_bank(names, stride, affine)
    randomise(one)
    other.load_state_dict(one.state_dict())
    one.train(training)
    other.train(training)
    for i, at in enumerate(choices(one.slots)):
        for size in (6, 5, 2)[: 3 if i < 3 else 1]:
            case = (at, size)
            found = step(together, one, at, bool(i % 2), size)
            assert_close(found, step(one_after_the_other, other, at, bool(i % 2), size), case)


@EVERY_BANK
def test_a_slot_is_its_operation(names: tuple[str, ...], stride: int) -> None:
    bank, made = make_bank(names, stride)
    for slot, op in enumerate(made):
        state = bank.state(slot)
        assert {n: t.shape for n, t in state.items()} == {
            n: t.shape for n, t in op.state_dict().items()
        }
        assert all(torch.equal(state[n], t) for n, t in op.state_dict().items())
        [x, _] = states()
        torch.testing.assert_close(bank.plain(x, slot), op(x), rtol=1e-12, atol=1e-12)


@EVERY_BANK
def test_the_tensors_of_a_slot_are_views(names: tuple[str, ...], stride: int) -> None:
    bank, _ = make_bank(names, stride)
    with torch.no_grad():
        for slot in range(bank.slots):
            for tensor in bank.state(slot).values():
                tensor.fill_(slot + 1)
    for slot in range(bank.slots):
        assert all(bool((t == slot + 1).all()) for t in bank.state(slot).values())


@EVERY_BANK
def test_slots_that_do_not_run_stay_as_they_are(names: tuple[str, ...], stride: int) -> None:
    bank, _ = make_bank(names, stride)
    randomise(bank)
    before = [{n: t.clone() for n, t in bank.state(i).items()} for i in range(bank.slots)]
    for at in choices(bank.slots):
        together(bank, states(), slots_of(bank, at), None)
        after = [bank.state(i) for i in range(bank.slots)]
        for slot in range(bank.slots):
            moved = {n for n, t in after[slot].items() if not torch.equal(t, before[slot][n])}
            assert bool(moved) == (slot in at), (at, slot, moved)
        before = [{n: t.clone() for n, t in state.items()} for state in after]


@pytest.mark.parametrize("at", [[0], [1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
def test_running_statistics(momentum: float | None, at: list[int]) -> None:
    """Of three batches; with momentum None they are averages over all, as PyTorch's are."""
    bank, made = make_bank(("nor_conv_1x1",), 1)
    for layer in [m for op in (bank, *made) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    slots = slots_of(bank, at)
    for i in range(3):
        xs = [x + i for x in states()]
        together(bank, xs, slots, None)
        for slot, source in zip(at, slots.sources, strict=True):
            made[slot](xs[source])
    for slot, op in enumerate(made):
        for name in ("norm.running_mean", "norm.running_var"):
            expected = op.state_dict()[name]
            torch.testing.assert_close(bank.state(slot)[name], expected, rtol=1e-12, atol=1e-12)


def test_averages_go_on_from_where_other_slots_ran() -> None:
    """Every slot counts its own batches."""
    bank, made = make_bank(("nor_conv_1x1",), 1)
    for layer in [m for op in (bank, *made) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    for i, at in enumerate(([0, 1], [1, 3], [1], [0, 3], [0, 1, 2, 3])):
        xs, slots = [x * (i + 1) for x in states()], slots_of(bank, at)
        together(bank, xs, slots, None)
        for slot, source in zip(at, slots.sources, strict=True):
            made[slot](xs[source])
    for slot, op in enumerate(made):
        for name, expected in op.state_dict().items():
            torch.testing.assert_close(bank.state(slot)[name], expected, rtol=1e-12, atol=1e-12)


# -- batch norm -----------------------------------------------------------------------------------


def test_one_batch_norm_for_several() -> None:
    layers = [nn.BatchNorm2d(2, eps=0.5, momentum=0.25, affine=False) for _ in range(3)]
    stacked = stack_norm(layers)
    assert (stacked.num_features, stacked.eps, stacked.momentum) == (6, 0.5, 0.25)
    assert stacked.weight is None
    state = norm_state(stacked, 1, 3, "norm")
    assert {n: tuple(t.shape) for n, t in state.items()} == {
        "norm.running_mean": (2,),
        "norm.running_var": (2,),
        "norm.num_batches_tracked": (),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_scaled_batch_norm(affine: bool, training: bool) -> None:
    layer = nn.BatchNorm2d(6, affine=affine).double().train(training)
    randomise(layer)
    reference = copy.deepcopy(layer)
    x, scale = torch.randn(2, 6, 3, 3).double(), torch.randn(6).double()
    found = run_norm(layer, x, Slots([0, 1, 2], 3, 3, 3), scale)
    torch.testing.assert_close(found, reference(x) * scale[:, None, None], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.running_var, reference.running_var)


# -- one dense convolution ------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("at", [None, [0, 1, 3]])
def test_dense_where_it_pays_and_all_run(
    stride: int, at: list[int] | None, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, _ = make_bank(("dil_conv_3x3",), stride)
    groups: list[int] = []
    convolve = torch.conv2d

    def conv2d(*arguments: Any, **named: Any) -> Tensor:
        groups.append(named.get("groups", arguments[-1]))
        return convolve(*arguments, **named)

    monkeypatch.setattr(torch, "conv2d", conv2d)
    monkeypatch.setattr(F, "conv2d", conv2d)
    slots = slots_of(bank, range(EDGES) if at is None else at)
    together(bank, states(), slots, None)
    depthwise, pointwise = CHANNELS * len(slots), len(slots)
    assert groups == ([SOURCES] if dense and at is None else [depthwise, pointwise])


def test_dense_pays_for_few_channels() -> None:
    few, many = torch.zeros(1, 2, 4, 4), torch.zeros(1, 64, 4, 4)
    for stride in (1, 2):
        assert dense_pays(few, stride) and not dense_pays(many, stride)
    assert not dense_pays(few.to("meta"), 1)


# -- kernels of several sizes ---------------------------------------------------------------------


def outside(names: Sequence[str], kernels: Tensor) -> Tensor:
    """Return the part of stacked kernels that is around the smaller ones."""
    ring = torch.ones_like(kernels, dtype=torch.bool)
    sizes = [int(name[-1]) for _ in range(SOURCES) for name in names for _ in range(TARGETS)]
    for slot, size in enumerate(sizes):
        edge, own = (kernels.shape[-1] - size) // 2, slice(CHANNELS * slot, CHANNELS * (slot + 1))
        ring[own, :, edge : edge + size, edge : edge + size] = False
    return kernels[ring]


@pytest.mark.parametrize("run", [together, one_after_the_other])
@pytest.mark.parametrize(
    "names",
    [("sep_conv_3x3", "sep_conv_5x5"), ("sep_conv_7x7", "sep_conv_3x3", "sep_conv_5x5"),
     ("dil_conv_3x3", "dil_conv_5x5")],
)  # fmt: skip
@pytest.mark.parametrize("size", [6, 5])
def test_kernels_keep_their_sizes(names: tuple[str, ...], run: Run, size: int, dense: bool) -> None:
    """What is around a small kernel stays zero, whatever an optimiser does with gradients."""
    bank, _ = make_bank(names, 1)
    optimizer = torch.optim.SGD(bank.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    wide = [p for n, p in bank.named_parameters() if n.endswith("depthwise")]
    before = [kernels.detach().clone() for kernels in wide]
    for at in (range(bank.slots), [0, 2], [3], range(bank.slots)):
        step(run, bank, [*at], False, size)
        optimizer.step()
    for kernels, start in zip(wide, before, strict=True):
        assert not outside(names, kernels).any()
        assert (kernels != start).sum() == kernels.numel() - outside(names, kernels).numel()


def test_what_keeps_kernels_small_is_not_saved() -> None:
    bank, _ = make_bank(("sep_conv_3x3", "sep_conv_5x5"), 1)
    assert {n for n in bank.state_dict() if "mask" in n} == set()
    assert [p.shape[-1] for n, p in bank.named_parameters() if n.endswith("depthwise")] == [5, 5]


# -- what states share ----------------------------------------------------------------------------


def test_dilation_needs_even_sizes_at_stride_1_only() -> None:
    bank, _ = make_bank(("dil_conv_3x3",), 1)
    assert bank.parity(GroupStates(states(6), 1))
    assert not bank.parity(GroupStates(states(5), 1))
    assert not bank.parity(GroupStates(states(6), 2))
    high, wide = torch.zeros(1, 3, 6, 5), torch.zeros(1, 3, 5, 6)
    assert not bank.parity(GroupStates([high], 1)) and not bank.parity(GroupStates([wide], 1))
    [x, _] = GroupStates(states(6), 1).dilated or []
    assert torch.equal(x, to_parity(states(6)[0].relu()))


def test_halves_of_an_odd_size() -> None:
    """The shifted half sees a row and a column of zeros beyond the image."""
    [x, _] = GroupStates(states(5), 2).halves
    assert x.shape == (4, 2 * CHANNELS, 3, 3)
    assert torch.equal(x[:, :CHANNELS], states(5)[0].relu()[:, :, ::2, ::2])
    assert torch.equal(x[:, CHANNELS:, :2, :2], states(5)[0].relu()[:, :, 1::2, 1::2])
    assert not x[:, CHANNELS:, 2].any() and not x[:, CHANNELS:, :, 2].any()


# -- other banks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stride", "kind"),
    [
        ("sep_conv_3x3", 1, SepConvBank),
        ("dil_conv_5x5", 2, DilConvBank),
        ("nor_conv_3x3", 1, ReLUConvBank),
        ("skip_connect", 1, SharedBank),
        ("skip_connect", 2, FactorizedReduceBank),
        ("max_pool_3x3", 1, SharedBank),
        ("conv_7x1_1x7", 1, SeparateBank),
    ],
)
def test_banks_of_operations(name: str, stride: int, kind: type[Bank]) -> None:
    assert bank_class(make_operation(name, 4, stride)) is kind


def test_a_layer_without_dilation_has_a_bank_of_its_own() -> None:
    assert bank_class(DilConv(4, 3, 1, dilation=1)) is SeparateBank


@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3", "skip_connect"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_operations_without_weights_run_once_a_state(
    name: str, stride: int, momentum: float | None
) -> None:
    if name == "skip_connect" and stride == 2:
        pytest.skip("it has weights")
    made = [make_operation(name, CHANNELS, stride, pool_norm=True) for _ in range(EDGES)]
    bank = SharedBank(copy.deepcopy(made), EDGES, TARGETS).double()
    own = [op.double() for op in made[::TARGETS]]
    for layer in [m for op in (bank, *own) for m in op.modules()]:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    for training in (True, True, False):
        for op in (bank, *own):
            op.train(training)
        for source, x in enumerate(states()):
            torch.testing.assert_close(bank.run(x, source), own[source](x))
    for slot in range(EDGES):
        state = bank.state(slot)
        assert state.keys() == made[slot].state_dict().keys()
        for statistic, expected in own[slot // TARGETS].state_dict().items():
            if momentum is None or not statistic.endswith("num_batches_tracked"):
                torch.testing.assert_close(state[statistic], expected)


def test_separate_operations_give_channels_last() -> None:
    bank, _ = make_bank(("conv_7x1_1x7",), 1)
    y = bank.fused(GroupStates(states(), 1), slots_of(bank, [1, 3]), None)
    assert y.is_contiguous(memory_format=torch.channels_last)
