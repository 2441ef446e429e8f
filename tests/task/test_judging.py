"""Loss and metric of tasks."""

from __future__ import annotations

import torch
from image_tasks import (
    make,
)
from torch.nn import functional


def test_loss_and_auxiliary_loss() -> None:
    logits, auxiliary = torch.randn(5, 3), torch.randn(5, 3)
    target = torch.tensor([0, 1, 2, 0, 1])
    main, extra = (functional.cross_entropy(o, target) for o in (logits, auxiliary))
    task = make()
    assert torch.equal(task.loss(logits, target), main)
    assert torch.equal(task.loss((logits, None), target), main)
    assert torch.allclose(task.loss((logits, auxiliary), target), main + 0.4 * extra)
    weighted = make(auxiliary_weight=0.1)
    assert torch.allclose(weighted.loss([logits, auxiliary], target), main + 0.1 * extra)


def test_label_smoothing() -> None:
    logits, target = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    task = make(label_smoothing=0.2)
    uniform = -functional.log_softmax(logits, 1).mean()
    expected = 0.8 * functional.cross_entropy(logits, target) + 0.2 * uniform
    assert torch.allclose(task.loss(logits, target), expected)


def test_correct() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 2.0]])
    target = torch.tensor([0, 1, 1])
    task = make()
    assert task.correct(logits, target) == task.correct((logits, -logits), target) == 2
    assert type(task.correct(logits, target)) is int
