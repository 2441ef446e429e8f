"""Loads of experts, as a metric of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import text_task
from torch import Tensor

from nas.costs.measure import watching
from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.supernet import SupernetEvaluator, SupernetSettings
from nas.run import Run
from nas.search import search
from nas.search_spaces.moe import MoE, MoELayer, expert_loads
from nas.search_spaces.moe.loads import load_balance, watch_loads

SMALL = {"width": 8, "heads": 2, "expansion": 1}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 20, "paths": "single"}


def drawn(n: int) -> list[Any]:
    return MoE(1).sample(np.random.default_rng(0), n)


def uneven() -> tuple[MoELayer, Tensor]:
    """A layer whose first expert is every token's first choice; the second is tied with others."""
    layer = MoELayer(4, 8, "top-k", 4, 6, k=2).eval()
    with torch.no_grad():
        layer.router.linear.weight.copy_(torch.eye(4) * torch.tensor([9.0, 1.0, 1.0, 1.0]))
    x = torch.ones(2, 6, 4)
    x[:, :, 1:] = torch.tensor([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]] * 2)
    return layer, x


def test_the_first_expert_has_half_of_all_loads() -> None:
    layer, x = uneven()
    [loads] = expert_loads(layer, [x]).values()
    assert loads.tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    assert load_balance(layer, [x]) == {"max_load": pytest.approx(2.0)}


def test_what_is_watched_is_what_was_run_in_the_block() -> None:
    layer, x = uneven()
    layer(x)
    with watch_loads(layer) as metrics:
        assert metrics() == {"max_load": 1.0}
        layer(x[:1])
        layer(x[1:])
    layer(x * torch.tensor([0, 1.0, 1.0, 1.0]))
    assert metrics() == {"max_load": pytest.approx(2.0)}


def test_networks_and_supernets_say_their_loads() -> None:
    space, task = MoE(1), text_task()
    x, _ = next(iter(task.batches("valid", 4)))
    for network in (space.build(drawn(1)[0], task.info), space.supernet(task.info).network):
        with watching(network) as metrics:
            assert metrics() == {"max_load": 1.0}
    for architecture in drawn(8):
        network = space.build(architecture, task.info, **SMALL).eval()
        with watching(network) as metrics:
            network(x)
        assert metrics() == load_balance(network, [x])


def test_a_supernet_scores_the_loads_of_the_extracted_network() -> None:
    task = text_task()
    evaluator = SupernetEvaluator(Context(MoE(1), task, supernet=SMALL), SupernetSettings(**QUICK))
    assert evaluator.metrics == ("accuracy", "loss", "bits_per_byte", "max_load")
    evaluator.prepare()
    seen = []
    for architecture in drawn(8):
        [measurement] = evaluator([architecture])
        network = evaluator.supernet.extract(architecture).eval()
        batches = [x for x, _ in task.batches("valid", 20)]
        seen.append(measurement.metrics["max_load"])
        assert seen[-1] == pytest.approx(load_balance(network, batches)["max_load"])
    assert len(set(seen)) > 2


def find(folder: Path, objective: str, limit: str, evaluator: str = "supernet") -> Run:
    settings: dict[str, dict[str, Any]] = {"supernet": SMALL, "network": SMALL}
    settings["evaluator"] = QUICK if evaluator == "supernet" else {"epochs": 1, "batch_size": 20}
    return search(
        MoE(1), "random", text_task(), evaluator, objective=objective, limit=limit, evaluations=6,
        device="cpu", out=folder / "run", settings=settings,
    )  # fmt: skip


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("evaluator", ["supernet", "train"])
def test_loads_bits_and_multiply_adds_are_objectives_and_limits(
    tmp_path: Path, evaluator: str
) -> None:
    run = find(tmp_path, "-bits_per_byte", "max_load<3,flops_per_token<=4k", evaluator)
    metrics = [trial.measurement.metrics for trial in run.trials()]
    names = {"accuracy", "loss", "bits_per_byte", "max_load", "flops_per_token"}
    assert all(names <= found.keys() for found in metrics)
    assert all(found["flops_per_token"] <= 4000 for found in metrics)
    kept = [found["bits_per_byte"] for found in metrics if found["max_load"] < 3]
    assert run.best.metrics["bits_per_byte"] == min(kept)


@pytest.mark.usefixtures("no_report")
def test_the_most_even_loads_are_found(tmp_path: Path) -> None:
    run = find(tmp_path, "-max_load", "")
    loads = [trial.measurement.metrics["max_load"] for trial in run.trials()]
    assert run.best.metrics["max_load"] == min(loads) < max(loads)


def test_images_have_no_tokens(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="metric of a limit 'flops_per_token'"):
        search("nas-bench-201", "random", limit="flops_per_token<1k", out=tmp_path / "run")
