"""Every space with every strategy and every evaluator: it runs as it should, or is refused.

The default run takes from what `nas compat` says to run a share in which every space, strategy and
evaluator comes up at least twice. The whole matrix, a test a pairing:

    pytest -m slow -n 2 tests/test_pairings.py

(2,376 pairings when this was written, of which 1,754 run; 7 minutes on 2 cores with AVX-512).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from every import BLACK_BOX, DIFFERENTIABLE, ENTRIES, EVALUATORS, SPACES
from tiny import make_task
from torch import nn

import nas
from nas import registry
from nas.catalog.compat import Pairing, find_pairings
from nas.data import load_task
from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.proxy import ProxyEvaluator, ProxySettings
from nas.mutables.supernet import Supernet
from nas.progress import Bar, Silent
from nas.registry import resolve_entry
from nas.run import Run
from nas.search import search
from nas.space import Architecture, SearchSpace
from nas.storage import SavePace
from nas.task import Task
from nas.testing.contract import tensors

# -- small settings -------------------------------------------------------------------------------

CELLS = {"supernet": {"channels": 4, "layers": 3}, "network": {"channels": 4, "layers": 3}}
DENSE = {"supernet": {"channels": 4, "cells": 1}, "network": {"channels": 4, "cells": 1}}
FEW = {"hidden": 8, "cells": 1}
EDGES = {"hidden": 8, "edge_hidden": 4, "cells": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "gnn": {"layers": 1},
    "gnn-edges": {"states": 1},
    "gnn-mp": {"nodes": 1},
}
"""Options of spaces, for small ones."""
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "darts": CELLS,
    "nas-bench-201": DENSE,
    "nasnet": {"network": {"channels": 4, "layers": 3}},
    "nas-bench-101": {"network": {"channels": 8, "stacks": 2, "cells": 1}},
    "gnn-mp": {"supernet": {"hidden": 8}, "network": {"hidden": 8}},
    "gnn-micro": {"supernet": FEW, "network": FEW},
    "gnn-edges": {"supernet": EDGES, "network": EDGES},
    "nas-bench-graph": {"supernet": {"hidden": 8}, "network": {"hidden": 8}},
}
"""Settings of small networks; a space without an entry takes its own for scale "small"."""
EPOCHS = 2
EVALUATIONS = 3
BATCH = 32  # more than there are examples: one step an epoch
EVALUATE: dict[str, dict[str, Any]] = {
    "weight-inheritance": {"batch_size": BATCH},
    "predictor": {"initial": 2, "measure_every": 0},
    "supernet": {"batch_size": BATCH, "epochs": EPOCHS},
    "train": {"batch_size": BATCH},
}
"""Settings of evaluators beside those for all tests: a supernet can be interrupted."""
LEARN_SOON: dict[str, Any] = {
    "batch": 5, "batch_size": 2, "draws": 10, "hidden": 8, "initial": 2, "mutants": 10, "pool": 10,
    "population": 2, "predictions": 20, "refit": 1, "starts": 2, "tournament": 2,
}  # fmt: skip
"""Settings that a black-box strategy may have, so that it learns from the first results."""

STRATEGIES = [*BLACK_BOX, *DIFFERENTIABLE]


def typed(evaluator: str) -> str:
    """Return an evaluator as the tests type it; by its name it would be slower."""
    return next(text for text in EVALUATORS if text.partition(":")[0] == evaluator)


def settings_of(pairing: Pairing) -> dict[str, dict[str, Any]]:
    groups = {name: dict(values) for name, values in SMALL.get(pairing.space, {}).items()}
    evaluator = typed(pairing.evaluator)
    groups["evaluator"] = EVALUATORS[evaluator] | EVALUATE.get(evaluator, {})
    if pairing.strategy in DIFFERENTIABLE:
        groups["strategy"] = {"epochs": EPOCHS, "batch_size": BATCH, "warm_up": 0.0}
        if pairing.evaluator == "supernet":
            del groups["evaluator"]["epochs"]
        return groups
    settings = ENTRIES[pairing.strategy].factory.Settings  # type: ignore[attr-defined]
    names = {field.name for field in fields(settings)} if settings else set()
    groups["strategy"] = {name: LEARN_SOON[name] for name in sorted(names & LEARN_SOON.keys())}
    return groups


def space_of(name: str) -> SearchSpace:
    return SPACES[name](**OPTIONS.get(name, {}))


@cache
def task_of(kind: str) -> Task:
    """Return the smallest data of a kind; images of 3 channels, as the spaces of `every` want."""
    if kind == "nodes":
        return load_task("digits-graph", limit=40, steps=1)
    if kind != "examples":
        return make_task(kind)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(52, 3, 8, 8)).astype("float32"), np.arange(52) % 3
    return Task.from_arrays(x[:40], y[:40], x[40:], y[40:], name="tiny")


def data_of(space: str) -> Task:
    return task_of(space_of(space).kind)


# -- what is said to run --------------------------------------------------------------------------


@cache
def said(space: str) -> dict[tuple[str, str], Pairing]:
    """Return what `nas compat` says of a space, by strategy and evaluator."""
    found = find_pairings(space_of(space), data=data_of(space))
    return {
        (p.strategy, p.evaluator): Pairing(space, p.strategy, p.evaluator, p.reason) for p in found
    }


@cache
def share() -> list[Pairing]:
    """Return pairings that run, with everything in at least two; those with most that is missing
    come first."""
    everything = [pairing for space in SPACES for pairing in said(space).values()]
    running = [pairing for pairing in everything if pairing.reason is None]
    missing = Counter({name: 2 for p in running for name in _names(p)})
    chosen: list[Pairing] = []
    while +missing:
        best = max(running, key=lambda p: sum(missing[name] > 0 for name in _names(p)))
        running.remove(best)
        chosen.append(best)
        missing.subtract(_names(best))
    return chosen


def _names(pairing: Pairing) -> list[tuple[str, str]]:
    return [(kind, getattr(pairing, kind)) for kind in ("space", "strategy", "evaluator")]


# -- one pairing ----------------------------------------------------------------------------------


class Stopped(BaseException):
    """What a test stops a search with."""


class Stopping(Silent):
    """Stops once in every stage of a search, after so many units of it.

    Args:
        stages: Title of a bar -> units.
    """

    def __init__(self, stages: Mapping[str, int]) -> None:
        self.left = dict(stages)

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        yield _StoppingBar(self.left, title)


class _StoppingBar:
    def __init__(self, left: dict[str, int], title: str) -> None:
        self.left, self.title = left, title

    def advance(self, **figures: float) -> None:
        if self.title in self.left:
            self.left[self.title] -= 1
            if not self.left[self.title]:
                del self.left[self.title]
                raise Stopped


class Extractions:
    """Keeps what was last extracted from which supernet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last: tuple[Supernet, Architecture] | None = None
        extract = Supernet.extract

        def kept(supernet: Supernet, architecture: Architecture) -> nn.Module:
            self.last = supernet, architecture
            return extract(supernet, architecture)

        monkeypatch.setattr(Supernet, "extract", kept)


@pytest.fixture
def extractions(monkeypatch: pytest.MonkeyPatch, no_report: None) -> Extractions:
    """Watch extractions, keep a checkpoint of every trial, and leave out drawings."""
    monkeypatch.setattr(SavePace, "due", lambda pace: True)
    return Extractions(monkeypatch)


def run(pairing: Pairing, folder: Path, progress: Silent) -> Run:
    return search(
        space_of(pairing.space), pairing.strategy, data_of(pairing.space), typed(pairing.evaluator),
        evaluations=EVALUATIONS if pairing.strategy in BLACK_BOX else None, device="cpu",
        out=folder, settings=settings_of(pairing), progress=progress,
    )  # fmt: skip


def check_pairing(pairing: Pairing, place: Path, extractions: Extractions) -> None:
    """Assert that a pairing does what is promised of it, or is refused as it is said to be."""
    if pairing.reason is not None:
        with pytest.raises(NasError) as caught:
            run(pairing, place / "run", Silent())
        assert str(caught.value) == pairing.reason
        assert not (place / "run").exists()  # nothing was begun
        return
    extractions.last = None
    whole, extracted = run(pairing, place / "whole", Silent()), extractions.last
    check_result(pairing, whole)
    assert (extracted is not None) == shares_weights(pairing)
    if extracted is not None:
        check_extraction(whole, *extracted, data_of(pairing.space))
    cut = run_with_stops(pairing, place / "cut")
    assert recorded(cut) == recorded(whole)


CHANGING = ("weight-inheritance", "predictor")
"""Evaluators whose answers change, so that leaders are evaluated again."""


def shares_weights(pairing: Pairing) -> bool:
    return pairing.strategy in DIFFERENTIABLE or pairing.evaluator == "supernet"


def check_result(pairing: Pairing, done: Run) -> None:
    """The best of what was tried is a valid architecture, and a network where there are weights."""
    task, found, trials = data_of(pairing.space), done.best, done.trials()
    space = space_of(pairing.space).for_task(task.info)
    assert space.check(found.architecture) is None
    assert [trial.measurement.error for trial in trials] == [""] * len(trials)
    searched = [trial for trial in trials if trial.origin == "search"]
    assert len(searched) == (EVALUATIONS if pairing.strategy in BLACK_BOX else 1) or few(space)
    again = pairing.strategy in BLACK_BOX and pairing.evaluator in CHANGING
    assert again or len({trial.architecture for trial in trials}) == len(trials)
    assert (len(trials) > len(searched)) == again
    decisive = done.decisive()
    scores = [done.objective.score(trial.measurement) for trial in decisive]
    assert np.isfinite(scores).all()
    best = decisive[int(np.argmax(scores))]
    assert found.architecture == best.architecture and found.metrics == best.measurement.metrics
    assert 0 <= found.metrics.get("accuracy", 0) <= 1
    if shares_weights(pairing):
        assert done.read_best()["weights"] == "supernet"
    elif pairing.evaluator == "train":
        assert done.read_best()["weights"] == "network"
    if done.read_best()["weights"]:
        [logits, *_] = outputs(found.build("inherited"), task.info.example(8))
        assert logits.shape[-1] == task.outputs
        assert logits.shape[:-1].numel() == task.info.target(8).numel()
        assert logits.isfinite().all()


def few(space: SearchSpace) -> bool:
    return len(space.decisions) <= 2


def outputs(network: nn.Module, *inputs: Any) -> list[torch.Tensor]:
    with torch.no_grad():
        return tensors(network.eval()(*inputs))


def check_extraction(done: Run, supernet: Supernet, architecture: Architecture, task: Task) -> None:
    """The network in the run's folder computes what the supernet computes along its path."""
    assert architecture == done.best.architecture
    batches: list[Any] = [task.info.example(8), next(iter(task.batches("test", 8)))[0]]
    for x in batches:
        inside = outputs(supernet, x, supernet.path(architecture))
        outside = outputs(done.best.build("inherited"), x)
        for one, other in zip(inside, outside, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def run_with_stops(pairing: Pairing, folder: Path) -> Run:
    """Stop in the training of a supernet, and in the search; continue each time."""
    stages = {"supernet": 1, "search": 2 if pairing.strategy in BLACK_BOX else 1}
    expected = 1 + (pairing.strategy in BLACK_BOX and pairing.evaluator == "supernet")
    stopping, stops = Stopping(stages), 0
    while True:
        try:
            done = run(pairing, folder, stopping)
        except Stopped:
            stops += 1
            continue
        assert stops == expected
        return done


def recorded(done: Run) -> dict[str, Any]:
    """Return all that a run found and recorded, but for what took how long."""
    events = done.events()
    for event in events:
        event.pop("seconds", None)
    weights = done.folder / "best.safetensors"
    return {
        "best": (done.folder / "best.json").read_text(),
        "weights": weights.read_bytes() if weights.exists() else None,
        "trials": [(t.number, t.architecture, t.measurement.metrics) for t in done.trials()],
        "log": events,
    }


# -- who knows whom -------------------------------------------------------------------------------

ROOT = Path(nas.__file__).parent


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of all that a file imports and of its strings, but for docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said_only = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in said_only:
                yield node.lineno, node.value
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = ".".join(alias.name for alias in node.names)
            yield node.lineno, f"{getattr(node, 'module', '')}.{names}"


@pytest.mark.parametrize(
    ("kind", "others"), [("strategies", "search_spaces"), ("search_spaces", "strategies")]
)
def test_strategies_and_spaces_do_not_name_each_other(kind: str, others: str) -> None:
    """In code and in messages; docstrings may. Names that are both, such as darts, are left out."""
    names = [
        rf"nas\.{others}",
        *map(re.escape, registry.names(others).keys() - registry.names(kind).keys()),
    ]
    pattern = re.compile(rf"(?<![\w-])({'|'.join(names)})(?![\w-])")
    files = sorted((ROOT / kind).rglob("*.py"))
    assert len(files) > 20
    found = [
        f"{file.relative_to(ROOT)}:{line}: {match[0]}"
        for file in files
        for line, text in texts(file)
        if (match := pattern.search(text))
    ]
    assert found == []


# -- the tests ------------------------------------------------------------------------------------


def test_every_evaluator_is_paired() -> None:
    assert {resolve_entry("evaluators", name)[0].name for name in EVALUATORS} == set(
        registry.names("evaluators")
    )


def test_everything_runs_at_least_twice_by_default() -> None:
    counts = Counter(name for pairing in share() for name in _names(pairing))
    everything = {
        "space": SPACES,
        "strategy": STRATEGIES,
        "evaluator": registry.names("evaluators"),
    }
    for kind, names in everything.items():
        for name in names:
            assert counts[kind, name] >= 2, name


@pytest.mark.parametrize("space", SPACES)
def test_the_share_of_a_space(space: str, tmp_path: Path, extractions: Extractions) -> None:
    """See `share`; and for each reason that a pairing is refused for, one that is."""
    refused = {p.reason: p for p in said(space).values() if p.reason is not None}
    own = [pairing for pairing in share() if pairing.space == space]
    for i, pairing in enumerate([*own, *refused.values()]):
        check_pairing(pairing, tmp_path / str(i), extractions)


@pytest.mark.slow
@pytest.mark.parametrize("evaluator", registry.names("evaluators"))
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("space", SPACES)
def test_every_pairing(
    space: str, strategy: str, evaluator: str, tmp_path: Path, extractions: Extractions
) -> None:
    check_pairing(said(space)[strategy, evaluator], tmp_path, extractions)


@pytest.mark.parametrize("space", SPACES)
def test_the_usual_proxies_score_every_space(space: str) -> None:
    """Those that `--evaluator proxy` takes; the pairings are judged by a faster one."""
    task = data_of(space)
    made = space_of(space).for_task(task.info)
    network = made.network_defaults("small") | SMALL.get(space, {}).get("network", {})
    for name in ProxySettings().names:
        settings = ProxySettings(score=name, batch_size=4)
        evaluator = ProxyEvaluator(Context(made, task, network=network), settings)
        for measurement in evaluator(made.sample(np.random.default_rng(0), 2)):
            assert measurement.error == "", name
