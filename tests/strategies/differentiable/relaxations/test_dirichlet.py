"""Samples of a Dirichlet distribution."""

from __future__ import annotations

import torch

from nas.strategies.differentiable.relaxations.dirichlet import DirichletSample, concentration

LOGITS = torch.tensor([1.0, 0.0, -1.0, 0.5])
N = 40_000


def samples(logits: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return DirichletSample().weights(logits.expand(N, -1), 1.0)


def test_concentration() -> None:
    expected = torch.tensor([2.0, 1.0, torch.e**-1, 1.5])  # elu(a) + 1
    assert torch.allclose(concentration(LOGITS), expected)
    assert concentration(torch.tensor([-1e4])).item() > 0


def test_the_mean_is_concentration_over_sum() -> None:
    weights = samples(LOGITS)
    beta = concentration(LOGITS)
    mean = beta / beta.sum()
    deviation = (mean * (1 - mean) / (beta.sum() + 1) / N).sqrt()
    assert ((weights.mean(0) - mean).abs() < 4 * deviation).all()
    assert torch.allclose(weights.sum(-1), torch.ones(N))


def test_scores_are_the_mean() -> None:
    beta = concentration(LOGITS)
    assert torch.allclose(DirichletSample().scores(LOGITS), beta / beta.sum())


def test_the_pathwise_gradient_is_that_of_the_expectation() -> None:
    """The expectation of c . w is known in closed form, and so is its gradient."""
    c = torch.tensor([3.0, -1.0, 2.0, 0.5])
    logits = LOGITS.clone().requires_grad_()
    (sampled,) = torch.autograd.grad((samples(logits) * c).sum(-1).mean(), logits)
    mean = DirichletSample().scores(logits)
    (exact,) = torch.autograd.grad((mean * c).sum(), logits)
    assert torch.allclose(sampled, exact, atol=0.03)
    assert torch.equal(sampled.sign(), exact.sign())


def test_a_stronger_logit_gets_more_weight() -> None:
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(samples(logits)[:, 0].mean(), logits)
    assert gradient[0] > 0
    assert (gradient[1:] < 0).all()


def test_extreme_logits_give_finite_weights_and_gradients() -> None:
    for extreme in (torch.full((4,), -50.0), torch.tensor([50.0, -50.0, 0.0, 0.0])):
        torch.manual_seed(0)
        logits = extreme.clone().requires_grad_()
        weights = DirichletSample().weights(logits.expand(1000, -1), 1.0)
        assert torch.isfinite(weights).all()
        assert torch.allclose(weights.sum(-1), torch.ones(1000), atol=1e-4)
        (gradient,) = torch.autograd.grad(weights[:, 0].sum(), logits)
        assert torch.isfinite(gradient).all()
