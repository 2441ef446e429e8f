"""What holds for every source of data."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from unittest import SkipTest

import torch
from torch import Tensor

from nas.task import Graph, NodeExamples, Task, TaskInfo

__all__ = ["DataContract"]

SPLITS = ("train", "valid", "test")
_MEASURED = 2**15  # examples of the training split that statistics are of; see `nas.task.Task`
_TOLERANCE = 1e-3


class DataContract:
    """What holds for every source of data.

    class TestMine(DataContract):
        def make_task(self, seed=0) -> Task:
            return load_task("mine:PATH", seed=seed, limit=80)
    """

    shared = 0.02
    """Most of a split's examples, as a share, that may also be in another: data hold some twice."""
    batch_size = 7
    _made: ClassVar[dict[tuple[type, int], Task]] = {}

    def make_task(self, seed: int = 0) -> Task:
        """Return a small task, of up to some hundred examples, that the source makes."""
        raise NotImplementedError("override make_task")

    def task(self, seed: int = 0) -> Task:
        """Return the task of a seed, made once for all tests."""
        key = (type(self), seed)
        if key not in self._made:
            self._made[key] = self.make_task(seed)
        return self._made[key]

    # -- splits -------------------------------------------------------------------------------

    def test_splits_cover_the_examples(self) -> None:
        task = self.task()
        bounds = [task.bounds[split] for split in SPLITS]
        assert bounds[0][0] == 0 and bounds[2][1] == len(task.y)
        assert bounds[0][1] == bounds[1][0] and bounds[1][1] == bounds[2][0]
        assert task.bounds["train+valid"] == (0, bounds[1][1])
        for split in SPLITS:
            asked = sum(len(y) for _, y in task.batches(split, self.batch_size))
            assert asked == task.size(split) >= 1, split

    def test_splits_are_disjoint(self) -> None:
        found = {split: _keys(self.task(), split) for split in SPLITS}
        for split in SPLITS:
            others = {key for other in SPLITS if other != split for key in found[other]}
            twice = sum(key in others for key in found[split])
            assert twice <= self.shared * len(found[split]), f"{twice} of {split} are in another"

    def test_the_same_seed_gives_the_same_splits(self) -> None:
        task, again = self.task(), self.make_task()
        assert task.describe() == again.describe()
        assert all(_keys(task, split) == _keys(again, split) for split in SPLITS)

    def test_another_seed_holds_the_same_examples_out(self) -> None:
        """What one seed's search trains on, no other seed's training may be tested on."""
        task, other = self.task(), self.task(seed=1)
        assert _keys(task, "test") == _keys(other, "test")
        if task.origin.get("split") != "standard":
            assert _keys(task, "valid") != _keys(other, "valid")

    # -- batches ------------------------------------------------------------------------------

    def test_batches_have_shapes_and_types(self) -> None:
        task = self.task()
        for split in SPLITS:
            for x, y in task.batches(split, self.batch_size):
                require_inputs(x, task.info, len(y))
                assert y.dtype == torch.int64
                assert y.shape == ((len(y), *task.input_shape) if _is_text(task) else (len(y),))

    def test_labels_are_in_range(self) -> None:
        task = self.task()
        assert len(task.classes) == task.outputs >= 2
        for split in SPLITS:
            for _, y in task.batches(split, self.batch_size):
                assert int(y.min()) >= 0 and int(y.max()) < task.outputs

    def test_a_seed_decides_the_order(self) -> None:
        task = self.task()
        one, same, other = (_targets(task, seed) for seed in (0, 0, 1))
        assert one.equal(same)
        assert one.sort().values.equal(other.sort().values)

    def test_augmented_batches_are_of_the_same_form(self) -> None:
        task = self.task()
        for x, y in task.batches("train", self.batch_size, seed=0, augment=True):
            require_inputs(x, task.info, len(y))

    # -- what is recorded ---------------------------------------------------------------------

    def test_a_description_is_json(self) -> None:
        task = self.task()
        description = task.describe()
        assert json.loads(json.dumps(description)) == description
        assert TaskInfo.from_json(json.dumps(description)) == task.info
        assert description["sizes"] == {split: task.size(split) for split in SPLITS}

    def test_statistics_are_of_the_training_split(self) -> None:
        """Normalised by them it has mean 0 and deviation 1, which other examples would shift."""
        task = self.task()
        if not len(task.mean):
            raise SkipTest("the examples are used as they are")
        assert len(task.mean) == len(task.std) and bool((task.std > 0).all())
        x = torch.cat([x for x, _ in task.batches("train", self.batch_size)])[:_MEASURED].double()
        x = x.movedim(1, -1) if task.info.kind == "examples" else x
        values = x.flatten(0, -2)[:, _numbers(task.info, x.shape[-1])]
        assert bool((values.mean(0).abs() < _TOLERANCE).all())
        deviation = values.std(0, correction=0)
        least = 0.0 if task.info.kind == "table" else 1 - _TOLERANCE  # what is missing became 0
        constant = deviation < _TOLERANCE
        assert bool(((deviation < 1 + _TOLERANCE) & ((deviation > least) | constant)).all())


def require_inputs(x: Any, info: TaskInfo, count: int) -> None:
    """Assert that inputs are as `TaskInfo` says of their kind."""
    assert len(x) == count
    if info.kind in ("nodes", "graphs"):
        _require_graph(x, info)
        return
    assert isinstance(x, Tensor) and x.shape == (count, *info.input_shape)
    assert x.dtype == (torch.int64 if info.kind == "tokens" else torch.float32)
    assert bool(x.isfinite().all())
    if info.kind == "tokens":
        assert int(x.min()) >= 0 and int(x.max()) < info.vocabulary
    for column, count in enumerate(info.categories):
        codes = x[:, column]
        assert not count or bool(((codes == codes.round()) & (codes >= 0) & (codes < count)).all())


def _require_graph(x: Any, info: TaskInfo) -> None:
    assert isinstance(x, Graph) and x.features.shape[1:] == info.input_shape
    assert x.features.dtype == torch.float32 and x.edges.dtype == torch.int64
    assert bool(x.features.isfinite().all()) and x.edges.shape[0] == 2
    assert not x.edges.numel() or 0 <= int(x.edges.min()) <= int(x.edges.max()) < len(x.features)
    assert (x.index is not None) == (info.kind == "nodes")
    assert (x.batch is not None) == (info.kind == "graphs")
    edge = 0 if x.edge_features is None else x.edge_features.shape[1]
    assert edge == info.edge_features


def _is_text(task: Task) -> bool:
    return task.info.kind == "tokens"


def _targets(task: Task, seed: int) -> Tensor:
    return torch.cat([y.flatten() for _, y in task.batches("train", 5, seed=seed)])


def _numbers(info: TaskInfo, width: int) -> Tensor:
    """Return which columns hold numbers, not codes of categories: bool [width]."""
    return torch.tensor([not count for count in info.categories or (0,) * width])


def _keys(task: Task, split: str) -> list[Any]:
    """Return what tells each example of a split from others: a node's number, or the content."""
    if isinstance(task.examples, NodeExamples):
        start, stop = task.bounds[split]
        return [int(node) for node in task.examples.nodes[start:stop]]
    start, stop = task.bounds[split]
    raw = task.examples.batches(range(start, stop), 1)
    return [(_bytes(x), y.numpy().tobytes()) for x, y in zip(raw, task.y[start:stop], strict=True)]


def _bytes(x: Tensor | Graph) -> bytes:
    if isinstance(x, Graph):
        return x.features.numpy().tobytes() + x.edges.numpy().tobytes()
    return x.numpy().tobytes()
