"""One search from its settings to its result: where spaces, strategies and evaluators meet."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError
from nas.evaluators import Evaluator, SupernetSettings, score_path
from nas.mutables import Supernet, supernet_of
from nas.objective import Measurement
from nas.progress import Console, Progress
from nas.run import Run
from nas.search.black_box import run_black_box
from nas.search.collapse import collapse
from nas.search.differentiable import run_differentiable
from nas.search.limits import check_limits, limited_space
from nas.search.memory import say_memory
from nas.search.plan import Plan, make_plan
from nas.search.resolve import Request, resolve
from nas.search.start import Start, find_start, read_start
from nas.space import Architecture
from nas.storage import save_weights, seed_everything, seed_of
from nas.strategies import DifferentiableStrategy
from nas.task import Task

if TYPE_CHECKING:
    from torch import nn

__all__ = ["search"]


def search(
    space: Any = "darts",
    strategy: str = "pc-darts",
    data: str | Task | None = None,
    evaluator: str = "supernet",
    *,
    objective: str | None = None,
    limit: str = "",
    evaluations: int | None = None,
    timeout: float | None = None,
    scale: str | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    download: bool = False,
    start_from: Any = None,
    progress: Progress | None = None,
) -> Run:
    """Search, or continue a search with the same settings, to its end.

    Args:
        space: A name, `file.py:Name`, a `SearchSpace`, or a module class written with mutables.
        strategy: A name, or `NAME:VALUE` such as "optuna:tpe"; see `nas strategies`.
        data: A name such as "digits" or "npz:PATH", `file.py:name` of a task, or a `Task`; None
            is what the space names as `default_data`.
        evaluator: A name, or `NAME:VALUE` such as "table:nas-bench-graph:cora" or
            "proxy:gradsign+synflow"; how candidates are judged. A differentiable strategy trains
            a supernet itself: "supernet" scores its result there, another evaluator measures it
            anew.
        objective: The metric to maximise, or with a minus to minimise; several with commas, such
            as "accuracy,-latency", for strategies that search for a Pareto front. None is what the
            evaluator measures, which is accuracy for most.
        limit: What a candidate must keep, such as "params<1M,flops<=100M".
        evaluations: Budget of a black-box strategy; None is 50 at small and 1,000 at paper scale.
        timeout: Seconds after which an evaluation counts as failed; None is any time.
        scale: "small" or "paper": which default widths and epochs; None is what suits the data.
        seed: Of every random choice.
        device: "auto", "cpu", "cuda", "cuda:1" ...
        out: The run folder; None is `runs/<space>-<strategy>-<data>-s<seed>`.
        settings: Group -> setting -> value, such as {"strategy": {"epochs": 10}}; groups are
            space, strategy, supernet, network, evaluator and data.
        download: Whether missing data may be fetched.
        start_from: What is known already, for a black-box strategy: a run or its folder, a file of
            architectures, the name of a table, an architecture, or a list of such. Results of the
            same problem are told before the first proposal; of another one the best are evaluated
            first.
        progress: Where to report; None is standard error.

    Returns:
        The run; its `best` is what was found.

    Raises:
        NasError: For everything that the caller can mend.
    """
    request = Request(
        space, strategy, data, evaluator, objective, limit, evaluations, timeout, scale, seed,
        device, settings or {}, download, _listed(start_from),
    )  # fmt: skip
    plan = make_plan(resolve(request))
    progress = progress or Console()
    check_limits(plan, progress)
    folder = Path(out) if out is not None else None
    start = (folder and read_start(folder, plan.space)) or find_start(plan, request.start_from)
    run = _open_run(plan, folder, request.settings)
    with run.locked():
        if request.start_from and not run.finished:
            start.write(run.folder)
        if run.finished:
            progress.note(f"{run.folder} is finished already")
            if not (run.folder / "report.html").exists():
                _report(run, run.best.architecture)
        else:
            _execute(plan, run, start, progress)
    return run


def _listed(start_from: Any) -> tuple[Any, ...]:
    """Return what a search shall start from as a tuple."""
    if start_from is None:
        return ()
    return tuple(start_from) if isinstance(start_from, (list, tuple)) else (start_from,)


def _open_run(plan: Plan, out: Path | None, given: Mapping[str, Mapping[str, Any]]) -> Run:
    """Create or take up the run folder; the default name gets a number if it is taken."""
    if out is not None:
        return Run.create(out, plan.config, plan.space, given)
    config = plan.config
    judged_on = "data" if plan.evaluator.factory.uses_data else "evaluator"
    data = Path(str(config[judged_on]).rpartition(":")[2]).stem
    strategy = config["strategy"].replace(":", "-")
    space = re.sub("[:,]", "-", plan.space.name)
    stem = f"{space}-{strategy}-{data}-s{config['seed']}"
    for number in itertools.count(1):
        folder = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            return Run.create(folder, config, plan.space, given)
        except NasError:
            if not folder.exists() or number == 1000:
                raise
    raise AssertionError


# -- execution --------------------------------------------------------------------------------


def _execute(plan: Plan, run: Run, start: Start, progress: Progress) -> None:
    seed_everything(seed_of(plan.config["seed"], "search"))
    progress.note(f"searching {plan.space.name} with {plan.config['strategy']} into {run.folder}")
    if plan.strategy.is_black_box:
        architecture, metrics, network = _black_box(plan, run, start, progress)
    else:
        architecture, metrics, network = _differentiable(plan, run, progress)
    if network is not None:
        save_weights(network, run.folder / "best.safetensors")
    shared = not plan.strategy.is_black_box or plan.evaluator.factory.shares_weights
    run.save_best(architecture, metrics, _weights_kind(network, shared))
    reason = collapse(plan.space, architecture)
    if reason and not plan.strategy.is_black_box:
        progress.warn(f"the result has collapsed. {reason}")
        run.log({"event": "warning", "message": f"the result has collapsed. {reason}"})
    run.log({"event": "done", "architecture": plan.space.format(architecture), **metrics})
    _report(run, architecture)


def _make_evaluator(plan: Plan, run: Run, progress: Progress) -> Evaluator:
    """Return the evaluator, which keeps and reports what it does in the run."""
    return plan.make_evaluator(
        folder=run.folder / "checkpoint", progress=progress, log=run.log_once,
        timeout=plan.config["timeout"],
    )  # fmt: skip


def _black_box(
    plan: Plan, run: Run, start: Start, progress: Progress
) -> tuple[Architecture, dict[str, float], nn.Module | None]:
    evaluator = _make_evaluator(plan, run, progress)
    say_memory(plan, run, evaluator, progress)
    evaluator.prepare()
    # A strategy that starts from a run of the same seed must not draw what this one drew.
    seed = seed_of(plan.config["seed"], "strategy", *plan.config.get("from", []))
    space = limited_space(plan, evaluator, progress)
    strategy = plan.strategy.factory(space, plan.objective, seed, plan.strategy_settings)
    evaluations = plan.config["evaluations"]
    if hint := plan.strategy.hint(plan.strategy_settings, evaluations):
        progress.warn(hint)
    start = start.reduced(space, evaluations)
    for note in start.notes:
        progress.note(note)
    try:
        best = run_black_box(run, strategy, evaluator, evaluations, progress, start)
    except NasError:
        _report_trials(run, progress)
        raise
    return best.architecture, best.measurement.metrics, evaluator.weights_of(best.architecture)


def _differentiable(
    plan: Plan, run: Run, progress: Progress
) -> tuple[Architecture, dict[str, float], nn.Module | None]:
    supernet = supernet_of(plan.space, plan.task.info, **plan.supernet)
    supernet.to(plan.task.device)
    batch_size = plan.strategy_settings.batch_size
    whole = plan.task.size("train") >= batch_size  # as the loop leaves out a smaller last batch
    steps = plan.task.steps("train", batch_size, drop_last=whole)
    strategy = DifferentiableStrategy(plan.strategy_settings, supernet, plan.task, steps)
    architecture = run_differentiable(run, strategy, plan.task, plan.config["seed"], progress)
    network = _calibrated(plan, supernet, architecture)
    trials = run.trials()
    if trials:  # of a run that was killed after this
        run.log_trial(trials[0])
        return architecture, trials[0].measurement.metrics, network
    measurement = _judge(plan, run, supernet, architecture, progress)
    run.record(architecture, measurement)
    return architecture, measurement.metrics, network


def _calibrated(plan: Plan, supernet: Supernet, architecture: Architecture) -> nn.Module:
    """Return the plain network with the shared weights and batch norm statistics of its own."""
    chosen = plan.evaluator_settings  # so that the network is the one that is measured
    settings = chosen if isinstance(chosen, SupernetSettings) else SupernetSettings()
    settings = dataclasses.replace(settings, batch_norm="recalibrate")
    score_path(supernet, supernet.path(architecture), plan.task, "valid", settings)
    return supernet.extract(architecture)


def _judge(
    plan: Plan, run: Run, supernet: Supernet, architecture: Architecture, progress: Progress
) -> Measurement:
    """Measure what the gates chose: on the strategy's own supernet, or by another evaluator."""
    if plan.evaluator.factory.shares_weights:
        path = supernet.path(architecture)
        return Measurement(score_path(supernet, path, plan.task, "valid", plan.evaluator_settings))
    progress.note(f"measuring the result by evaluator '{plan.config['evaluator']}'")
    evaluator = _make_evaluator(plan, run, progress)
    evaluator.prepare()
    [measurement] = evaluator([architecture])
    if not measurement.ok:
        raise NasError(f"what was found could not be evaluated: {measurement.error}")
    return measurement


def _weights_kind(network: nn.Module | None, shared: bool) -> str:
    if network is None:
        return ""
    return "supernet" if shared else "network"


def _report(run: Run, architecture: Architecture) -> None:
    from nas.drawing import draw
    from nas.reporting import draw_front, write_report

    graph = run.space.graph(architecture)
    draw(graph, run.folder / "best.png")
    draw_front(run.folder)
    write_report(run.folder, graph=graph)


def _report_trials(run: Run, progress: Progress) -> None:
    """Report what became of the trials of a search that found nothing."""
    from nas.reporting import write_report

    if run.trials():
        progress.note(f"what became of each trial is in {write_report(run.folder)}")
