"""Effects of sub-structures: the derivative of the prediction, averaged."""

from __future__ import annotations

import numpy as np
import pytest

from nas.explain.effects import effects_of
from nas.kernels.gaussian_process import Hyperparameters, WLGaussianProcess
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture

SPACE = NASBench201()


def fitted(level: int, n: int = 30) -> tuple[WLGaussianProcess, np.ndarray]:
    some = SPACE.sample(np.random.default_rng(0), n)
    scores = judged(some)
    model = WLGaussianProcess(SPACE, variants=("dot",))
    model.condition(some, Hyperparameters("dot", level, 1e-3))
    model.update(some, scores.tolist())
    return model, scores


def judged(some: list[Architecture]) -> np.ndarray:
    worth = np.array([0.0, 0.1, 0.5, 1.0, -0.3])
    return np.array([worth[list(a.choices)].sum() for a in some])


def test_an_effect_is_the_mean_derivative() -> None:
    """By differences, with every count of level 0 changed a little where it is not zero."""
    model, scores = fitted(level=0)
    counts = model.features.counts("dot", 0).toarray()
    noisy = _kernel(counts, counts) + 1e-3 * np.eye(len(counts))
    weights = np.linalg.solve(noisy, (scores - scores.mean()) / scores.std())
    wanted = []
    for column in range(counts.shape[1]):
        rows = np.flatnonzero(counts[:, column])
        if np.ptp(counts[:, column]) == 0:
            continue  # input and output
        higher, lower = counts[rows].copy(), counts[rows].copy()
        higher[:, column] += 1e-5
        lower[:, column] -= 1e-5
        change = (_kernel(higher, counts) - _kernel(lower, counts)) @ weights / 2e-5
        wanted.append((scores.std() * change.mean(), len(rows), counts[:, column].sum()))
    found = [(e.change, e.count, e.occurrences) for e in effects_of(model, 1)]
    np.testing.assert_allclose(sorted(found), sorted(wanted), rtol=1e-4)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.asarray(a @ b.T / norms)


def test_effects_are_sorted_and_what_is_good_is_on_top() -> None:
    model, _ = fitted(level=0)
    effects = effects_of(model, 3)
    changes = [effect.change for effect in effects]
    assert changes == sorted(changes, reverse=True)
    assert effects[0].motif.text == "nor_conv_3x3"
    assert effects[-1].motif.text == "avg_pool_3x3"


def test_means_and_counts_are_those_of_the_architectures() -> None:
    model, scores = fitted(level=1)
    for effect in effects_of(model, 2):
        texts = [{_text(model, a, node, effect) for node in range(9)} for a in model.architectures]
        have = np.array([True in found for found in texts])
        assert effect.count == have.sum() >= 2
        assert effect.with_it == pytest.approx(scores[have].mean())
        assert effect.without == pytest.approx(scores[~have].mean())
        assert effect.occurrences >= effect.count


def _text(model: WLGaussianProcess, a: Architecture, node: int, effect: object) -> bool:
    from nas.explain.motifs import motif_of

    structure = model.wl.structure(a)
    if node >= len(structure.labels):
        return False
    return any(motif_of(structure, node, level) == effect.motif for level in (0, 1))  # type: ignore[attr-defined]


def test_rare_ones_and_what_is_everywhere_are_left_out() -> None:
    model, _ = fitted(level=2)
    assert all(effect.count >= 6 for effect in effects_of(model, 6))
    assert len(effects_of(model, 6)) < len(effects_of(model, 2))
    texts = {effect.motif.text for effect in effects_of(model, 1)}
    assert not texts & {"input", "output"}


def test_a_sub_structure_is_told_once() -> None:
    """A convolution before the output is the same at levels 1, 2 and 3."""
    model, _ = fitted(level=3)
    effects = effects_of(model, 2)
    keys = [(effect.motif, effect.count, effect.occurrences) for effect in effects]
    assert len(set(keys)) == len(keys)
    assert sum(effect.motif.text == "nor_conv_3x3 -> output" for effect in effects) == 1
