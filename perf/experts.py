"""The stacked layer of experts against a Python loop over them: forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from nas.search_spaces.moe import MoELayer
from perf.expert_loop import ExpertLoop
from perf.measure import interleaved, profiled
from perf.report import Column, Report, mebibytes

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-4}
"""Largest difference of outputs and gradients over the largest of them."""

COLUMNS = (
    Column("layer", -34),
    Column("loop, all", 10, "    ms forward and backward"),
    Column("loop", 8),
    Column("stacked", 8),
    Column("all", 7, " faster"),
    Column("loop", 6),
    Column("loop", 6, "MiB peak"),
    Column("stacked", 7),
    Column("diff.", 6),
)


@dataclass(frozen=True)
class ExpertCase:
    """A layer and what it runs on.

    Args:
        sequences: In the batch.
        tokens: Of a sequence.
        dimension: Of a token.
        hidden: Units of an expert.
        k: Experts a token.
        experts: How many.
        capacity: Room of an expert, as a multiple of what equal loads would need.
    """

    sequences: int
    tokens: int = 32
    dimension: int = 32
    hidden: int = 64
    k: int = 1
    experts: int = 16
    capacity: float = 1.25

    def __str__(self) -> str:
        size = f"{self.experts} x {self.dimension}-{self.hidden}, k {self.k}"
        return f"{size}, {self.sequences * self.tokens:,} tokens"

    def layers(self) -> dict[str, nn.Module]:
        """Return the three layers, with the same weights."""
        torch.manual_seed(0)
        shape, routing = (self.dimension, self.hidden), (self.k, self.capacity)
        stacked = MoELayer(*shape, "top-k", self.experts, self.tokens, *routing)
        loops = {
            name: ExpertLoop(*shape, self.experts, *routing, everything).take_weights(stacked)
            for name, everything in (("loop, all", True), ("loop", False))
        }
        return {**loops, "stacked": stacked}

    def tokens_in(self, like: Tensor) -> Tensor:
        """Return random tokens, the same ones at every call."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(self.sequences, self.tokens, self.dimension, generator=generator)
        return x.to(like).requires_grad_()


def experts_table(
    cases: tuple[ExpertCase, ...], device: torch.device, repeats: int, report: Report
) -> None:
    """Print a row for every case."""
    title = "Experts: all of a layer in two batched products, against a Python loop"
    notes = (
        f"Medians of {repeats} repeats in turn. Loop: every expert on the tokens that it has; all: "
        "every expert on all tokens. Diff.: the largest difference of outputs and gradients in "
        "fp32, over the largest of them; in double precision it is below 1e-12."
    )
    report.table("experts", title, COLUMNS, notes)
    for case in cases:
        with report.doing(str(case)):
            _measure(case, device, repeats, report)


def _measure(case: ExpertCase, device: torch.device, repeats: int, report: Report) -> None:
    differences = {dtype: largest_difference(case, device, dtype) for dtype in TOLERANCES}
    layers = {name: layer.to(device) for name, layer in case.layers().items()}
    works = {name: work(layer, case, device) for name, layer in layers.items()}
    times = {n: t.median for n, t in interleaved(works, repeats, device, report.status).items()}
    peaks = {name: profiled(works[name], device).peak_bytes for name in ("loop", "stacked")}
    faster = {name: times[name] / times["stacked"] for name in ("loop, all", "loop")}
    cells = [str(case), *(f"{1e3 * t:.2f}" for t in times.values())]
    cells += [f"{ratio:.1f}x" for ratio in faster.values()]
    cells += [*map(mebibytes, peaks.values()), f"{differences[torch.float32]:.0e}"]
    record = {**asdict(case), "milliseconds": {n: 1e3 * t for n, t in times.items()}}
    record |= {"times_faster": faster, "peak_bytes": peaks}
    record |= {"largest_difference": {str(d): value for d, value in differences.items()}}
    apart = [d for d, value in differences.items() if not value <= TOLERANCES[d]]
    report.row(cells, record, f"MISMATCH in experts, {case}: {apart[0]}" if apart else "")


def work(layer: nn.Module, case: ExpertCase, device: torch.device) -> Callable[[], Tensor]:
    """Return a forward and a backward pass through a layer."""
    x = case.tokens_in(next(layer.parameters()).to(device))
    like = torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).to(x)

    def run() -> Tensor:
        x.grad = None
        layer.zero_grad()
        y: Tensor = layer(x)
        torch.autograd.backward(y, like)
        assert x.grad is not None
        return y

    run.x = x  # type: ignore[attr-defined]
    return run


def largest_difference(case: ExpertCase, device: torch.device, dtype: torch.dtype) -> float:
    """Return how far outputs and gradients of the loops are from those of the stacked layer."""
    found: dict[str, list[Tensor]] = {}
    for name, layer in case.layers().items():
        layer.to(device, dtype)
        run = work(layer, case, device)
        y = run().detach()
        found[name] = [y, run.x.grad, *_gradients(layer)]  # type: ignore[attr-defined]
    expected = found.pop("stacked")
    return max(
        float((one - other).abs().max() / other.abs().max())
        for tensors in found.values()
        for one, other in zip(tensors, expected, strict=True)
    )


def _gradients(layer: nn.Module) -> list[Tensor]:
    if isinstance(layer, ExpertLoop):
        return layer.stacked_gradients()
    assert isinstance(layer, MoELayer)
    weights = (layer.router.linear.weight, layer.experts.w1, layer.experts.w2)
    return [
        weight.grad for weight in weights if isinstance(weight, Tensor) and weight.grad is not None
    ]
