"""The best of a search are trained again, several times each, before one of them is taken.

A search that looks at many candidates once takes one that was lucky. The last step of GraphNAS has
this form: the best few are trained several times anew and the best mean on validation examples
wins (Gao et al., IJCAI 2020, arXiv:1904.09981; its code, `derive_from_history`).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from nas.data import load_data
from nas.drawing import draw
from nas.errors import NasError, unknown
from nas.evaluators import CandidateSettings, Context, TrainEvaluator
from nas.objective import Measurement, Objective
from nas.progress import Console, Progress
from nas.reporting import write_report
from nas.run import Run, load
from nas.settings import fill
from nas.space import Architecture
from nas.storage import open_folder, save_weights, seed_of, write_json
from nas.training import TrainSettings, recipe_note, train_defaults

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["Candidate", "rerank"]

_RESULT = ("best.json", "best.safetensors", "best.png")  # what a new result replaces


@dataclass(frozen=True)
class Candidate:
    """One of the best of a search, and what its trainings came to.

    Args:
        origin: Where the search has it from: "trial 7", "epoch 3", or "result" of trained gates.
        architecture: Itself.
        text: The same in the space's notation.
        searched: What the search measured of it.
        metric: What of the trainings is compared.
        metrics: Means over the trainings, and what else the search measured.
        values: `metric` after each training.
        error: Why a training failed; empty where none did.
    """

    origin: str
    architecture: Architecture
    text: str
    searched: dict[str, float]
    metric: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    error: str = ""

    @property
    def measurement(self) -> Measurement:
        """The means, or the failure, as an objective takes them."""
        return Measurement(self.metrics, error=self.error)

    @property
    def deviation(self) -> float:
        """The standard deviation of `values`; 0 of a single one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "origin": self.origin,
            "architecture": self.text,
            "metric": self.metric,
            "searched": self.searched,
            "metrics": self.metrics,
            "values": list(self.values),
            "deviation": self.deviation,
            **({"error": self.error} if self.error else {}),
        }


def rerank(
    source: str | Path | Run,
    *,
    top: int = 5,
    repeats: int = 3,
    objective: str | None = None,
    data: Task | None = None,
    seed: int = 0,
    device: str = "auto",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    download: bool = False,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Train the best of a run again and make the best mean on 'valid' the run's result.

    Trainings that are done are kept in `RUN/rerank`: the same call goes on after a stop, and one
    with a larger `top` or more `repeats` trains what is missing. The search's own result is kept in
    `RUN/rerank/before`.

    Args:
        source: A finished run for one metric, or its folder.
        top: How many of the best different architectures; of trained gates, of what they named
            after every epoch, the last ones.
        repeats: How often each is trained, with seeds of its own.
        objective: What of the trainings is compared, such as "accuracy" or "-loss"; None is the
            run's objective, or accuracy where training does not measure that (as of a proxy).
        data: The task, where the run's was given as an object.
        seed: Of the trainings.
        device: "auto", "cpu", "cuda" ...
        settings: Group "train" -> setting -> value; the defaults are those of `nas.train`.
        download: Whether missing data may be fetched.
        progress: Where to report; None is standard error.

    Returns:
        The candidates, the best mean first. The run's `best` is the first.

    Raises:
        NasError: For everything that the caller can mend.
    """
    run = source if isinstance(source, Run) else load(source)
    for name, value in (("top", top), ("repeats", repeats)):
        if value < 1:
            raise NasError(f"{name}={value}: at least 1 is needed")
    with run.locked():
        candidates = _first_different(run, _ranked(run), top)
        task = data if data is not None else _task_of(run, device, download)
        recipe = _recipe(run, task, settings or {})
        judged = _judged_by(run, task, objective)
        work = _Reranking(run, task, recipe, judged, seed, progress or Console())
        return work.run_all(candidates, repeats)


def _ranked(run: Run) -> Iterator[Candidate]:
    """Yield what the search has found, the best first; ties go to the earlier.

    Of trained gates these are the result and what they named after every epoch, the last first; a
    search often has its best moment before its end (Zela et al., ICLR 2020, arXiv:1909.09656).
    """
    if not run.finished:
        raise NasError(f"{run.folder} is not finished; continue with: nas resume {run.folder}")
    objective = run.objective
    if len(objective.goals) > 1:
        raise NasError(
            f"{run.folder} has a front of several metrics ({objective.text}), not one best; "
            "train its members: nas train"
        )
    gates = run.config["evaluations"] is None
    latest = run.latest(objective.metric)  # of what was evaluated again the last score
    trials = [trial for trial in latest if objective.allows(trial.measurement)]
    for trial in sorted(trials, key=lambda trial: -objective.score(trial.measurement)):
        origin, text = f"trial {trial.number}", run.space.format(trial.architecture)
        found = trial.measurement.metrics
        yield Candidate("result" if gates else origin, trial.architecture, text, found)
    if gates:
        named = {e["epoch"]: e["architecture"] for e in run.events() if e.get("phase") == "search"}
        for epoch in sorted(named, reverse=True):
            text = named[epoch]
            yield Candidate(f"epoch {epoch}", run.space.parse(text), text, {})


def _first_different(run: Run, found: Iterable[Candidate], top: int) -> list[Candidate]:
    different: dict[Architecture, Candidate] = {}
    for one in found:
        different.setdefault(run.space.canonical(one.architecture), one)
    if len(different) < 2:
        raise NasError(
            f"{run.folder} has found {len(different)} architecture; at least 2 are needed to "
            "choose between"
        )
    return list(different.values())[:top]


def _task_of(run: Run, device: str, download: bool) -> Task:
    config = run.config
    return load_data(str(config["data"]), config["seed"], device, download, run.settings("data"))


def _recipe(run: Run, task: Task, settings: Mapping[str, Mapping[str, Any]]) -> TrainSettings:
    for group in settings:
        if group != "train":
            raise unknown("group of settings", group, ["train"])
    usual = train_defaults(run.config["scale"] or task.scale, task.info.kind)
    return fill(TrainSettings, usual | {**settings.get("train", {})}, "train")


def _judged_by(run: Run, task: Task, text: str | None) -> Objective:
    """Return what trainings are compared by, under the run's limits."""
    measured = TrainEvaluator.metrics_for(run.space, task.info)
    if text is None and run.objective.metric in measured:
        return run.objective
    objective = Objective(text or "accuracy", run.objective.limits)
    if len(objective.goals) > 1 or objective.metric not in measured:
        raise unknown("objective", objective.text, measured)
    return objective


class _Reranking:
    """The trainings of one call, and the file that they are written to."""

    def __init__(
        self,
        run: Run,
        task: Task,
        recipe: TrainSettings,
        objective: Objective,
        seed: int,
        progress: Progress,
    ) -> None:
        self.run, self.task, self.seed, self.progress = run, task, seed, progress
        self.objective = objective
        self.recipe = CandidateSettings(**dataclasses.asdict(recipe))
        self.folder = run.folder / "rerank"
        plan = {
            "data": task.describe(),
            "seed": seed,
            "network": run.settings("network"),
            "train": dataclasses.asdict(recipe),
        }
        open_folder(
            self.folder, "rerank.json", "reranking", plan, f"remove {self.folder} to begin anew"
        )
        self.file = self.folder / "trainings.jsonl"

    # -- trainings ----------------------------------------------------------------------------

    def run_all(self, candidates: list[Candidate], repeats: int) -> list[Candidate]:
        """Train what is not trained yet and take the best."""
        done = {(tuple(r["choices"]), r["repeat"]): r for r in self._records()}
        wanted = [(one, repeat) for one in candidates for repeat in range(repeats)]
        missing = [w for w in wanted if (w[0].architecture.choices, w[1]) not in done]
        self._say(len(candidates), repeats, len(missing))
        with self.progress.bar("reranking", len(wanted), len(wanted) - len(missing)) as bar:
            for one, repeat in missing:
                record = done[one.architecture.choices, repeat] = self._train(one, repeat)
                name = self.objective.metric
                bar.advance(**{n: v for n, v in record["metrics"].items() if n == name})
        found = [
            self._judged(one, [done[one.architecture.choices, r] for r in range(repeats)])
            for one in candidates
        ]
        found.sort(key=lambda one: -self.objective.score(one.measurement))
        if found[0].error:
            raise NasError(f"{found[0].origin}, {found[0].text}, and all others: {found[0].error}")
        self._take(found)
        return found

    def _say(self, top: int, repeats: int, missing: int) -> None:
        scale = self.run.config["scale"] or self.task.scale
        own = recipe_note(self.task.info.kind, scale, self.recipe)
        self.progress.note(
            f"the {top} best of {self.run.folder}, {repeats} trainings each on 'train', judged on "
            f"'valid'; {missing} to do" + (f" ({own})" if own else "")
        )

    def _records(self) -> Iterator[dict[str, Any]]:
        """Read the trainings that are done; a line that a stop cut off is left out."""
        if not self.file.exists():
            return
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def _evaluator(self, repeat: int) -> TrainEvaluator:
        run = self.run
        context = Context(run.space, self.task, seed_of(self.seed, "rerank", repeat))
        context.network = run.settings("network")
        return TrainEvaluator(context, self.recipe)

    def _train(self, one: Candidate, repeat: int) -> dict[str, Any]:
        """Train once; return what is recorded of it."""
        [measurement] = self._evaluator(repeat)([one.architecture])
        record = {
            "choices": list(one.architecture.choices), "architecture": one.text, "repeat": repeat,
            **measurement.to_json(),
        }  # fmt: skip
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write("\n" * self._cut_off() + json.dumps(record) + "\n")
        return record

    def _cut_off(self) -> bool:
        """Tell whether the file ends in the middle of a line."""
        there = self.file.read_bytes() if self.file.exists() else b""
        return bool(there) and not there.endswith(b"\n")

    def _judged(self, one: Candidate, records: list[dict[str, Any]]) -> Candidate:
        name = self.objective.metric
        for record in records:
            if record.get("error"):
                return replace(one, metric=name, error=record["error"])
        trainings = [record["metrics"] for record in records]
        means = {name: mean(training[name] for training in trainings) for name in trainings[0]}
        values = tuple(training[name] for training in trainings)
        return replace(one, metric=name, metrics=one.searched | means, values=values)

    # -- the result ---------------------------------------------------------------------------

    def _take(self, found: list[Candidate]) -> None:
        """Make the first candidate the run's result, with the weights of its first training."""
        run, best = self.run, found[0]
        architecture = best.architecture
        self._keep_before()
        write_json(self.folder / "result.json", {"candidates": [one.to_json() for one in found]})
        network = self._evaluator(0).weights_of(architecture)
        run.save_best(architecture, best.metrics)  # never one with the weights of another
        save_weights(network, run.folder / "best.safetensors")
        by = f"the mean of {len(best.values)} trainings"
        run.save_best(architecture, best.metrics, "network", by)
        graph = run.space.graph(architecture)
        draw(graph, run.folder / "best.png")
        write_report(run.folder, graph=graph)

    def _keep_before(self) -> None:
        """Keep what the search itself found, once."""
        kept, begun = self.folder / "before", self.folder / "before.part"
        if kept.exists():
            return
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir()
        for name in _RESULT:
            if (self.run.folder / name).exists():
                shutil.copy2(self.run.folder / name, begun / name)
        begun.rename(kept)
