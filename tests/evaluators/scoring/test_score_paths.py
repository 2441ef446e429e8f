"""Scores of many paths: what each has alone, whatever is scored with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unsound import PartlySound

from nas.errors import NasError
from nas.evaluators.scoring import score, together
from nas.evaluators.scoring.score import score_paths, try_paths
from nas.evaluators.scoring.separate import score_path
from nas.evaluators.supernet import SupernetSettings
from nas.mutables.supernet import Supernet
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Path, SearchSpace
from nas.task import Task

BATCH_NORMS = ["recalibrate", "batch"]


def settings(**values: Any) -> SupernetSettings:
    return SupernetSettings(**({"batch_size": 8} | values))


def supernet_of(space: SearchSpace, task: Task, **options: Any) -> Supernet:
    torch.manual_seed(0)
    return space.supernet(task.info, channels=4, **options)


def sampled(space: SearchSpace, supernet: Supernet, n: int) -> list[Path]:
    return [supernet.path(a) for a in space.sample(np.random.default_rng(0), n)]


def require_close(found: list[dict[str, float]], expected: list[dict[str, float]]) -> None:
    for own, other in zip(found, expected, strict=True):
        assert own.keys() == other.keys() == {"accuracy", "loss"}
        assert own["accuracy"] == other["accuracy"]
        assert own["loss"] == pytest.approx(other["loss"], abs=1e-5)


# -- networks of cells ----------------------------------------------------------------------------


@pytest.mark.usefixtures("traceable")
@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_scores_are_those_of_each_path(tiny_task: Task, batch_norm: str) -> None:
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    paths, chosen = sampled(space, supernet, 12), settings(batch_norm=batch_norm)
    found = score_paths(supernet, paths, tiny_task, "valid", chosen)
    expected = [score_path(supernet, path, tiny_task, "valid", chosen) for path in paths]
    require_close(found, expected)
    assert len({score["loss"] for score in found}) > 6


@pytest.mark.usefixtures("traceable")
@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_scores_of_darts_are_those_of_each_path(tiny_task: Task, batch_norm: str) -> None:
    space = DARTS()
    supernet = supernet_of(space, tiny_task, layers=3)
    paths, chosen = sampled(space, supernet, 3), settings(batch_norm=batch_norm)
    found = score_paths(supernet, paths, tiny_task, "test", chosen)
    require_close(found, [score_path(supernet, p, tiny_task, "test", chosen) for p in paths])


@pytest.mark.usefixtures("traceable")
@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_a_score_does_not_depend_on_the_others(
    tiny_task: Task, batch_norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, whatever is scored together, in which order, in how much memory."""
    monkeypatch.setitem(together._WORKING_SET, "cpu", 4096)  # several chunks
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    paths, chosen = sampled(space, supernet, 10), settings(batch_norm=batch_norm)
    work = (tiny_task, "valid", chosen)
    whole = score_paths(supernet, paths, *work)
    assert score_paths(supernet, paths[::-1], *work)[::-1] == whole
    assert [score_paths(supernet, [path], *work)[0] for path in paths] == whole
    assert score_paths(supernet, paths[3:7], *work) == whole[3:7]
    assert score_paths(supernet, paths, *work, memory=0) == whole


@pytest.mark.usefixtures("traceable")
def test_the_supernet_is_left_as_it_was(tiny_task: Task) -> None:
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    paths = sampled(space, supernet, 4)
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    first = score_path(supernet, paths[0], tiny_task, "valid", settings())
    score_paths(supernet, paths, tiny_task, "valid", settings())
    assert score_path(supernet, paths[0], tiny_task, "valid", settings()) == first
    for name, parameter in supernet.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.grad is None
        assert not parameter.is_inference()


@pytest.mark.usefixtures("traceable")
def test_paths_that_compute_the_same_are_run_once(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edges out of a state that is zero, or into one that leads nowhere, do not matter."""
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    texts = [
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|",
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|none~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
    ]
    runs: list[int] = []
    original = together.Execution.run

    def watched(self: Any, chunk: Any) -> Any:
        runs.append(len(self.everything))
        return original(self, chunk)

    monkeypatch.setattr(together.Execution, "run", watched)
    paths = [supernet.path(space.parse(text)) for text in texts]
    first, *others = score_paths(supernet, paths, tiny_task, "valid", settings())
    assert others == [first, first]
    [at_once] = runs
    score_paths(supernet, paths[:1], tiny_task, "valid", settings())
    assert runs == [at_once, at_once]


@pytest.mark.usefixtures("traceable")
def test_a_lack_of_memory_for_many_is_none_for_few(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    paths, sizes = sampled(space, supernet, 5), []
    expected = score_paths(supernet, paths, tiny_task, "valid", settings())
    original = score.score_together

    def limited(supernet: Supernet, paths: list[Path], *rest: Any) -> Any:
        sizes.append(len(paths))
        if len(paths) > 2:
            raise torch.cuda.OutOfMemoryError("no memory")
        return original(supernet, paths, *rest)

    monkeypatch.setattr(score, "score_together", limited)
    assert score_paths(supernet, paths, tiny_task, "valid", settings()) == expected
    assert sizes == [5, 2, 3, 1, 2]


@pytest.mark.usefixtures("traceable")
def test_an_incomplete_path_fails_alone(tiny_task: Task) -> None:
    space = NASBench201()
    supernet = supernet_of(space, tiny_task, cells=1)
    paths = sampled(space, supernet, 3)
    expected = score_paths(supernet, paths, tiny_task, "valid", settings())
    del paths[1]["cell/2<-1"]
    first, failed, last = try_paths(supernet, paths, tiny_task, "valid", settings())
    assert (first, last) == (expected[0], expected[2])
    assert isinstance(failed, NasError) and "no weights for gate 'cell/2<-1'" in str(failed)
    with pytest.raises(NasError, match="no weights for gate"):
        score_paths(supernet, paths, tiny_task, "valid", settings())


# -- other networks -------------------------------------------------------------------------------


class Noisy(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(8)


class Net(PartlySound):
    """Two choices; some candidates are not sound."""

    def __init__(self) -> None:
        super().__init__({"noisy": Noisy})


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
@pytest.mark.parametrize("memory", [None, 0])
def test_any_supernet(tiny_task: Task, batch_norm: str, memory: int | None) -> None:
    supernet, chosen = ModuleSpace(Net).supernet(tiny_task.info), settings(batch_norm=batch_norm)
    paths: list[Path] = [{"first": 0, "second": i} for i in (0, 1, 0)]
    found = score_paths(supernet, paths, tiny_task, "valid", chosen, memory)
    require_close(found, [score_path(supernet, p, tiny_task, "valid", chosen) for p in paths])
    assert found[0] == found[2] != found[1]


def test_one_that_raises_does_not_spoil_the_others(tiny_task: Task) -> None:
    supernet = ModuleSpace(Net).supernet(tiny_task.info)
    paths: list[Path] = [{"first": i, "second": 0} for i in (0, 1, 2, 0)]
    good, raises, nan, again = try_paths(supernet, paths, tiny_task, "valid", settings())
    assert isinstance(good, dict) and good == again
    assert good == score_paths(supernet, paths[:1], tiny_task, "valid", settings())[0]
    assert isinstance(raises, RuntimeError) and str(raises) == "CUDA out of memory."
    assert isinstance(nan, dict) and np.isnan(nan["loss"])


def test_random_numbers_can_be_set_for_every_path(tiny_task: Task) -> None:
    supernet = ModuleSpace(Net).supernet(tiny_task.info)
    paths: list[Path] = [{"first": 3, "second": i} for i in (0, 1)]
    work = (tiny_task, "valid", settings())
    [first, second] = try_paths(supernet, paths, *work, before=torch.manual_seed)
    torch.manual_seed(1)
    [alone] = try_paths(supernet, paths[1:], *work)
    assert alone == second != first


def test_nothing_to_score(tiny_task: Task) -> None:
    assert (
        score_paths(ModuleSpace(Net).supernet(tiny_task.info), [], tiny_task, "test", settings())
        == []
    )
