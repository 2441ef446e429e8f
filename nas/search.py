"""One search from its settings to its result: where spaces, strategies and evaluators meet."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas import registry
from nas.checkpoint import seed_everything, seed_of
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import Context, Evaluator
from nas.loops.black_box import run_black_box
from nas.loops.differentiable import collapse, run_differentiable
from nas.objective import Measurement, Objective
from nas.progress import Console, Progress
from nas.resolve import import_object, name_of, resolve_space
from nas.run import Run
from nas.settings import Groups, fill
from nas.space import Architecture, SearchSpace
from nas.strategies.strategy import Strategy
from nas.supernet import Supernet
from nas.task import Task
from nas.weights import save_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["GROUPS", "SCALES", "load_data", "search"]

GROUPS = ("strategy", "supernet", "network", "evaluator", "data")
"""Groups of settings of a search."""
SCALES = ("small", "paper")
EVALUATIONS = {"small": 50, "paper": 1000}
_SUPERNET_PARTS = ("partial_channels", "edge_gates")


def search(
    space: Any = "darts",
    strategy: str = "pc-darts",
    data: str | Task = "digits",
    evaluator: str = "supernet",
    *,
    objective: str = "accuracy",
    evaluations: int | None = None,
    scale: str | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    download: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Search, or continue a search with the same settings, to its end.

    Args:
        space: A name, `file.py:Name`, a `SearchSpace`, or a module class written with mutables.
        strategy: A name; see `nas strategies`.
        data: A name such as "digits" or "npz:PATH", `file.py:name` of a task, or a `Task`.
        evaluator: A name; how candidates are judged. A differentiable strategy trains a supernet
            itself: "supernet" scores its result there, another evaluator measures it anew.
        objective: The metric to maximise, or with a minus to minimise.
        evaluations: Budget of a black-box strategy; None is 50 at small and 1,000 at paper scale.
        scale: "small" or "paper": which default widths and epochs; None is what suits the data.
        seed: Of every random choice.
        device: "auto", "cpu", "cuda", "cuda:1" ...
        out: The run folder; None is `runs/<space>-<strategy>-<data>-s<seed>`.
        settings: Group -> setting -> value, such as {"strategy": {"epochs": 10}}; see `GROUPS`.
        download: Whether missing data may be fetched.
        progress: Where to report; None is standard error.

    Returns:
        The run; its `best` is what was found.

    Raises:
        NasError: For everything that the caller can mend.
    """
    plan = _make_plan(
        space, strategy, data, evaluator, objective, evaluations, scale, seed, device,
        settings or {}, download,
    )  # fmt: skip
    run = _open_run(plan, Path(out) if out is not None else None)
    progress = progress or Console()
    with run.locked():
        if run.finished:
            progress.note(f"{run.folder} is finished already")
            if not (run.folder / "report.html").exists():
                _report(run, run.best.architecture)
        else:
            _execute(plan, run, progress)
    return run


@dataclass
class _Plan:
    """All that a search needs, checked, before anything is written."""

    space: SearchSpace
    task: Task
    strategy: Any  # a registry entry's factory
    strategy_settings: Any
    evaluator: Any
    evaluator_settings: Any
    supernet: dict[str, Any]
    network: dict[str, Any]
    config: dict[str, Any]

    @property
    def is_black_box(self) -> bool:
        """Whether the strategy asks and is told, instead of training gates."""
        return _is_black_box(self.strategy)


def _make_plan(
    space: Any, strategy: str, data: str | Task, evaluator: str, objective: str,
    evaluations: int | None, scale: str | None, seed: int, device: str,
    settings: Mapping[str, Mapping[str, Any]], download: bool,
) -> _Plan:  # fmt: skip
    groups: Groups = {group: dict(values) for group, values in settings.items()}
    for group in groups:
        if group not in GROUPS:
            raise unknown("group of settings", group, GROUPS)
    if scale is not None and scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    if evaluations is not None and evaluations < 1:
        raise NasError(f"evaluations={evaluations}: at least 1 is needed")
    Objective(objective)
    resolved = resolve_space(space)
    factory = registry.get("strategies", strategy).factory
    judge: Any = registry.get("evaluators", evaluator).factory
    task = load_data(data, seed, device, download, groups.get("data", {}))
    scale = scale or task.scale
    chosen = _strategy_settings(factory, scale, groups.get("strategy", {}))
    judged = _filled(judge.Settings, judge.defaults(scale), groups.get("evaluator"), "evaluator")
    supernet = resolved.supernet_defaults(scale) | _supernet_parts(chosen)
    supernet |= groups.get("supernet", {})
    network = resolved.network_defaults(scale) | groups.get("network", {})
    config = {
        "space": name_of(space, resolved),
        "strategy": strategy,
        "evaluator": evaluator,
        "data": _absolute(data) if isinstance(data, str) else task.name,
        "objective": objective,
        "evaluations": _budget(factory, strategy, evaluations, scale),
        "scale": scale,
        "seed": seed,
        "device": device,
        "download": download,
        "settings": {
            "strategy": dataclasses.asdict(chosen) if chosen else {},
            "evaluator": dataclasses.asdict(judged) if judged else {},
            "supernet": supernet,
            "network": network,
            "data": groups.get("data", {}),
        },
        "task": {"input_shape": list(task.input_shape), "outputs": task.outputs}
        | {"splits": task.describe()},
    }
    plan = _Plan(resolved, task, factory, chosen, judge, judged, supernet, network, config)
    _check_objective(plan)
    _check_networks(plan)
    return plan


def _check_objective(plan: _Plan) -> None:
    """Refuse a metric that will not be measured, where that is known beforehand."""
    metric = Objective(plan.config["objective"]).metric
    measured = plan.evaluator.metrics
    if measured and metric not in measured:
        raise unknown("objective", metric, measured)


def _check_networks(plan: _Plan) -> None:
    """Build what is to be searched, so that a setting that cannot work is found now."""
    if not plan.is_black_box or plan.evaluator.shares_weights:
        plan.space.supernet(plan.task.info, **plan.supernet)
    refused: NasError | None = None
    for architecture in plan.space.sample(np.random.default_rng(0), 3):
        try:
            plan.space.build(architecture, plan.task.info, **plan.network)
            return
        except NasError as error:  # not for every architecture, perhaps
            refused = error
        except Exception:  # a candidate's own fault, which is recorded when it is evaluated
            return
    if refused:
        raise refused


def _is_black_box(factory: Any) -> bool:
    """Tell whether a strategy asks and is told, instead of training gates."""
    return isinstance(factory, type) and issubclass(factory, Strategy)


def _budget(factory: Any, strategy: str, evaluations: int | None, scale: str) -> int | None:
    """Return how many architectures a black-box strategy may try; None for another."""
    if _is_black_box(factory):
        return evaluations or EVALUATIONS[scale]
    if evaluations is not None:
        raise NasError(
            f"evaluations={evaluations}: this is the budget of a black-box strategy; '{strategy}' "
            "trains gates for a number of epochs (--set epochs=...)"
        )
    return None


def load_data(
    data: str | Task, seed: int, device: str, download: bool, settings: Mapping[str, Any]
) -> Task:
    """Load data by name, `file.py:name` or as given.

    Args:
        data: A source, `file.py:name` of a `Task` or of a function that makes one, or a `Task`.
        seed: Of the splits.
        device: Where the data shall lie.
        download: Whether missing data may be fetched.
        settings: Of the source.
    """
    from nas.data import load_task
    from nas.data.device import find_device

    if isinstance(data, str) and ".py:" in data:
        made = import_object(data)
        data = made() if callable(made) else made
    if isinstance(data, Task):
        return data.to(find_device(device)) if device != "auto" else data
    if not isinstance(data, str):
        raise NasError(f"not data: {data!r:.80}; expected a name, a Task, or file.py:NAME of one")
    return load_task(data, seed=seed, device=device, download=download, **settings)


def _absolute(data: str) -> str:
    """Write the path in `npz:PATH` and the like so that it holds from every folder."""
    place, colon, rest = data.partition(":")
    if colon and Path(rest).exists():
        return f"{place}:{Path(rest).resolve()}"
    if Path(place).is_file():
        return f"{Path(place).resolve()}:{rest}"
    return data


def _strategy_settings(factory: Any, scale: str, values: Mapping[str, Any]) -> Any:
    if isinstance(factory, type) and issubclass(factory, Strategy):
        return _filled(factory.Settings, {}, values, "strategy")
    settings = factory(scale).changed(values)
    for kind in ("relaxation", "solver", "selection"):
        registry.get(f"strategies.differentiable.{kind}s", getattr(settings, kind))
    for name in settings.regularisers:
        registry.get("strategies.differentiable.regularisers", name)
    return settings


def _filled(
    cls: type | None, defaults: Mapping[str, Any], values: Mapping[str, Any] | None, where: str
) -> Any:
    if cls is None:
        for name in values or {}:
            raise unknown(f"setting of {where}", name, [])
        return None
    return fill(cls, {**defaults, **(values or {})}, where)


def _supernet_parts(settings: Any) -> dict[str, Any]:
    """Return the supernet's options that belong to a strategy's composition, if not the default."""
    options = {name: getattr(settings, name, None) for name in _SUPERNET_PARTS}
    return {name: value for name, value in options.items() if value and value != 1}


def _open_run(plan: _Plan, out: Path | None) -> Run:
    """Create or take up the run folder; the default name gets a number if it is taken."""
    if out is not None:
        return Run.create(out, plan.config, plan.space)
    config = plan.config
    data = Path(str(config["data"]).rpartition(":")[2]).stem
    stem = f"{plan.space.name}-{config['strategy']}-{data}-s{config['seed']}"
    for number in itertools.count(1):
        folder = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            return Run.create(folder, config, plan.space)
        except NasError:
            if not folder.exists() or number == 1000:
                raise
    raise AssertionError


# -- execution --------------------------------------------------------------------------------


def _execute(plan: _Plan, run: Run, progress: Progress) -> None:
    seed_everything(seed_of(plan.config["seed"], "search"))
    progress.note(f"searching {plan.space.name} with {plan.config['strategy']} into {run.folder}")
    finish = _black_box if plan.is_black_box else _differentiable
    architecture, metrics, network = finish(plan, run, progress)
    if network is not None:
        save_weights(network, run.folder / "best.safetensors")
    shared = not plan.is_black_box or plan.evaluator.shares_weights
    run.save_best(architecture, metrics, _weights_kind(network, shared))
    reason = collapse(plan.space, architecture)
    if reason and not plan.is_black_box:
        progress.warn(f"the result has collapsed. {reason}")
        run.log({"event": "warning", "message": f"the result has collapsed. {reason}"})
    run.log({"event": "done", "architecture": plan.space.format(architecture), **metrics})
    _report(run, architecture)


def _context(plan: _Plan, run: Run, progress: Progress) -> Context:
    return Context(
        plan.space,
        plan.task,
        plan.config["seed"],
        plan.supernet,
        plan.network,
        run.folder / "checkpoint",
        progress,
        run.log_once,
    )


def _black_box(
    plan: _Plan, run: Run, progress: Progress
) -> tuple[Architecture, dict[str, float], nn.Module | None]:
    evaluator: Evaluator = plan.evaluator(_context(plan, run, progress), plan.evaluator_settings)
    evaluator.prepare()
    seed = seed_of(plan.config["seed"], "strategy")
    strategy = plan.strategy(plan.space, run.objective, seed, plan.strategy_settings)
    best = run_black_box(run, strategy, evaluator, plan.config["evaluations"], progress)
    return best.architecture, best.measurement.metrics, evaluator.weights_of(best.architecture)


def _differentiable(
    plan: _Plan, run: Run, progress: Progress
) -> tuple[Architecture, dict[str, float], nn.Module | None]:
    from nas.strategies.differentiable.strategy import DifferentiableStrategy

    supernet: Supernet = plan.space.supernet(plan.task.info, **plan.supernet)
    supernet.to(plan.task.device)
    steps = max(1, plan.task.size("train") // plan.strategy_settings.batch_size)
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


def _calibrated(plan: _Plan, supernet: Supernet, architecture: Architecture) -> nn.Module:
    """Return the plain network with the shared weights and batch norm statistics of its own."""
    from nas.evaluators.supernet import SupernetSettings, score_path

    chosen = plan.evaluator_settings  # so that the network is the one that is measured
    settings = chosen if isinstance(chosen, SupernetSettings) else SupernetSettings()
    settings = dataclasses.replace(settings, batch_norm="recalibrate")
    score_path(supernet, supernet.path(architecture), plan.task, "valid", settings)
    return supernet.extract(architecture)


def _judge(
    plan: _Plan, run: Run, supernet: Supernet, architecture: Architecture, progress: Progress
) -> Measurement:
    """Measure what the gates chose: on the strategy's own supernet, or by another evaluator."""
    from nas.evaluators.supernet import score_path

    if plan.evaluator.shares_weights:
        path = supernet.path(architecture)
        return Measurement(score_path(supernet, path, plan.task, "valid", plan.evaluator_settings))
    progress.note(f"measuring the result by evaluator '{plan.config['evaluator']}'")
    evaluator: Evaluator = plan.evaluator(_context(plan, run, progress), plan.evaluator_settings)
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
    from nas.draw import draw
    from nas.report import write_report

    graph = run.space.graph(architecture)
    draw(graph, run.folder / "best.png")
    write_report(run.folder, graph=graph)
