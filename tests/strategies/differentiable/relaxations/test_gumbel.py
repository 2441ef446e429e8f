"""Soft Gumbel-softmax samples."""

from __future__ import annotations

import torch

from nas.strategies.differentiable.relaxations.gumbel import GumbelSoftmax, gumbel_like

LOGITS = torch.tensor([1.0, 0.0, -1.0, 0.5])
MANY = LOGITS.expand(20_000, -1)


def test_the_strongest_option_is_distributed_as_the_softmax() -> None:
    torch.manual_seed(0)
    for temperature in (0.1, 1.0, 10.0):
        strongest = GumbelSoftmax().weights(MANY, temperature).argmax(-1)
        frequency = strongest.bincount(minlength=4) / len(MANY)
        p = LOGITS.softmax(0)
        deviation = (p * (1 - p) / len(MANY)).sqrt()
        assert ((frequency - p).abs() < 4 * deviation).all()


def test_a_constant_added_to_the_logits_changes_nothing() -> None:
    samples = []
    for shift in (0.0, 7.0):
        torch.manual_seed(1)
        samples.append(GumbelSoftmax().weights(LOGITS + shift, 0.5))
    assert torch.allclose(*samples, atol=1e-5)


def test_temperature_limits() -> None:
    torch.manual_seed(0)
    cold = GumbelSoftmax().weights(MANY, 1e-4)
    assert (cold.max(-1).values > 0.999).float().mean() > 0.99
    hot = GumbelSoftmax().weights(MANY, 1e4)
    assert (hot - 0.25).abs().max() < 0.01


def test_samples_are_weights_that_gradients_flow_through() -> None:
    torch.manual_seed(0)
    logits = LOGITS.clone().requires_grad_()
    weights = GumbelSoftmax().weights(logits, 0.5)
    assert weights.min() > 0
    assert torch.isclose(weights.sum(), torch.tensor(1.0))
    (gradient,) = torch.autograd.grad(weights[0], logits)
    assert gradient[0] > 0
    assert (gradient[1:] < 0).all()


def test_every_draw_is_another() -> None:
    torch.manual_seed(0)
    first, second = (GumbelSoftmax().weights(LOGITS, 1.0) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_noise_is_standard_gumbel() -> None:
    torch.manual_seed(0)
    noise = gumbel_like(torch.empty(100_000))
    assert torch.isfinite(noise).all()
    assert abs(noise.mean().item() - 0.5772) < 0.02  # Euler's constant
    assert abs(noise.var().item() - torch.pi**2 / 6) < 0.05


def test_scores_are_the_probabilities() -> None:
    assert torch.allclose(GumbelSoftmax().scores(LOGITS), LOGITS.softmax(0))
