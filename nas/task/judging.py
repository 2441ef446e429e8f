"""What a network's output is worth: its loss, and how much of it is right."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

__all__ = ["Output", "count_correct", "cross_entropy"]

Output = Tensor | Sequence[Tensor | None]
"""What a network returns: logits [B, classes], or [B, T, vocabulary] of tokens; or these and
something auxiliary, in training: logits, a scalar that is added to the loss, or None."""


def cross_entropy(
    output: Output, target: Tensor, label_smoothing: float, auxiliary_weight: float
) -> Tensor:
    """Return the mean cross entropy, plus what is auxiliary; see `Task.loss`.

    Args:
        output: Of a network.
        target: Labels, int64 [B] or [B, T].
        label_smoothing: In [0, 1).
        auxiliary_weight: Of the cross entropy of auxiliary logits.
    """
    logits, auxiliary = _logits(output)
    loss = _of_logits(logits, target, label_smoothing)
    if auxiliary is None:
        return loss
    if auxiliary.dim() == 0:
        return loss + auxiliary
    if not auxiliary_weight:
        return loss
    return loss + auxiliary_weight * _of_logits(auxiliary, target, label_smoothing)


def _of_logits(logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    logits, target = logits.flatten(0, -2), target.flatten()
    return functional.cross_entropy(logits, target, label_smoothing=label_smoothing)


def count_correct(output: Output, target: Tensor) -> int:
    """Return how many labels have the largest logit; of tokens each one counts."""
    logits, _ = _logits(output)
    return int((logits.argmax(-1) == target).sum())


def _logits(output: Output) -> tuple[Tensor, Tensor | None]:
    if isinstance(output, Tensor):
        return output, None
    logits, auxiliary = output
    assert logits is not None
    return logits, auxiliary
