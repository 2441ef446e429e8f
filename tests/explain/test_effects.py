"""Effects of sub-structures: the derivative of the prediction, averaged."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from nas.explain.effects import Effect, effects_of
from nas.explain.motifs import motif_of
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


def weights_of(counts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    noisy = kernel_of(counts, counts) + 1e-3 * np.eye(len(counts))
    return np.linalg.solve(noisy, (scores - scores.mean()) / scores.std())


def kernel_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.asarray(a @ b.T / norms)


def test_an_own_effect_is_the_mean_derivative_by_a_count() -> None:
    """By differences, with every count of level 0 changed a little where it is not zero."""
    model, scores = fitted(level=0)
    counts = model.features.counts("dot", 0).toarray()
    weights = weights_of(counts, scores)
    wanted = []
    for column in range(counts.shape[1]):
        rows = np.flatnonzero(counts[:, column])
        if np.ptp(counts[:, column]) == 0:
            continue  # input and output
        higher, lower = counts[rows].copy(), counts[rows].copy()
        higher[:, column] += 1e-5
        lower[:, column] -= 1e-5
        change = (kernel_of(higher, counts) - kernel_of(lower, counts)) @ weights / 2e-5
        wanted.append((scores.std() * change.mean(), len(rows), counts[:, column].sum()))
    effects = effects_of(model, 1)
    found = [(e.own, e.count, e.occurrences) for e in effects]
    np.testing.assert_allclose(sorted(found), sorted(wanted), rtol=1e-4)
    assert [e.change for e in effects] == pytest.approx([e.own for e in effects])


def test_a_change_is_the_mean_derivative_by_all_labels_that_come_with_it() -> None:
    """By differences along the labels of the nodes of `nor_conv_1x1 -> nor_conv_3x3`."""
    model, scores = fitted(level=2, n=60)
    [effect] = [e for e in effects_of(model, 2) if e.motif.text == "nor_conv_1x1 -> nor_conv_3x3"]
    counts = model.features.counts("dot", 2).toarray()
    weights = weights_of(counts, scores)
    labels = model.features.labels[0, :3]
    columns = np.searchsorted(model.features.vocabulary("dot", 2), labels)
    changes, start = [], 0
    for row, architecture in enumerate(model.architectures):
        structure = model.wl.structure(architecture)
        graph = nx.DiGraph((i, t) for i, ts in enumerate(structure.successors) for t in ts)
        at = [
            node
            for node in range(len(structure.labels))
            if motif_of(structure, node, 1) == effect.motif
        ]
        for node in at[:1]:
            along = np.zeros((1, counts.shape[1]))
            for after, far in nx.single_source_shortest_path_length(graph, node, 1).items():
                for level in range(2 - far):
                    along[0, columns[level, start + after]] += 1e-5
            ends = (counts[[row]] + along, counts[[row]] - along)
            up, down = (kernel_of(end, counts) @ weights for end in ends)
            changes.append((up - down)[0] / 2e-5)
        start += len(structure.labels)
    assert effect.count == len(changes)
    assert effect.change == pytest.approx(scores.std() * np.mean(changes), rel=1e-4)


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
        have = np.array([has(model, a, effect) for a in model.architectures])
        assert effect.count == have.sum() >= 2
        assert effect.with_it == pytest.approx(scores[have].mean())
        assert effect.without == pytest.approx(scores[~have].mean())
        assert effect.occurrences >= effect.count


def has(model: WLGaussianProcess, architecture: Architecture, effect: Effect) -> bool:
    structure = model.wl.structure(architecture)
    nodes = range(len(structure.labels))
    return any(motif_of(structure, n, level) == effect.motif for n in nodes for level in (0, 1))


def test_what_every_architecture_has_is_compared_with_the_others() -> None:
    """There is one input: what follows it is better or worse than the mean of what does."""
    model, _ = fitted(level=1, n=40)
    after = [e for e in effects_of(model, 1) if e.motif.text.startswith("input ->")]
    assert len(after) > 3
    assert min(e.change for e in after) < 0 < max(e.change for e in after)


def test_rare_ones_and_what_is_everywhere_are_left_out() -> None:
    model, _ = fitted(level=2)
    assert all(effect.count >= 6 for effect in effects_of(model, 6))
    assert len(effects_of(model, 6)) < len(effects_of(model, 2))
    texts = {effect.motif.text for effect in effects_of(model, 1)}
    assert not texts & {"input", "output"}


def test_a_sub_structure_is_told_once() -> None:
    """A convolution before the output is the same at levels 1, 2 and 3."""
    model, _ = fitted(level=3)
    texts = [effect.motif.text for effect in effects_of(model, 2)]
    assert len(set(texts)) == len(texts)
    assert "nor_conv_3x3 -> output" in texts
