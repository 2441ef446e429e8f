"""Evaluators against a table: how well do they order architectures whose results are known?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks import Benchmark, open_benchmark
from nas.comparison.agreement import Agreement, agreements
from nas.comparison.correlation import Correlation, Judged
from nas.comparison.correlation_report import write_correlation
from nas.comparison.facts import Facts, facts_of, objective_of, reported_metrics
from nas.comparison.folder import ResultFolder, open_folder
from nas.comparison.judges import Workbench, described, expand, make_evaluator
from nas.comparison.predicting import FittedPredictor
from nas.comparison.renamed import NamedResults, by_current_names
from nas.comparison.resampling import Resamples
from nas.data import load_data
from nas.errors import NasError, unknown
from nas.evaluators import Evaluator, PredictorEvaluator
from nas.objective import Measurement, Objective
from nas.progress import Console, Progress
from nas.registry import resolve_entry
from nas.settings import Groups
from nas.space import Architecture
from nas.storage import seed_of
from nas.task import check_scale

__all__ = ["correlate"]

Floats = NDArray[np.float64]

LINES = "scores.jsonl"
_AT_ONCE = 16  # architectures between two lines of the record
_LEAST = 3  # architectures that an evaluator is judged by
_BASELINES = ("params", "proxy:params")  # a column of the table; else counted in our networks


def correlate(
    evaluators: Sequence[str],
    benchmark: str,
    *,
    samples: int = 200,
    train: int = 100,
    top: float = 0.1,
    data: Any = "digits",
    scale: str | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    download: bool = False,
    progress: Progress | None = None,
) -> Correlation:
    """Score architectures of a table by evaluators, or continue that; then write the report.

    Every evaluator is judged on all of the architectures: those that it could not judge rank last.
    All are compared with the number of parameters: the table's, where it has one, else that of
    our networks (`proxy:params`, which then takes part unasked).

    Args:
        evaluators: `NAME` or `NAME:VALUE`, such as "proxy:gradsign"; "proxy:all" is every proxy.
        benchmark: `NAME` or `NAME:PROBLEM`: whose numbers are the truth.
        samples: How many architectures of the table, drawn at random.
        train: How many others a predictor is fitted to, by the number that a search sees.
        top: Which part counts as the best, for the precision at the top.
        data: What the evaluators that look at examples see; as in `nas.search`.
        scale: "small" or "paper"; None is what suits the data.
        seed: Of every random choice.
        device: "auto", "cpu", "cuda" ...
        out: The folder; None is `runs/correlate-...`.
        settings: Group -> setting -> value: "supernet", "network", "data", "evaluator" (of all
            evaluators), or the name of one, such as "proxy".
        download: Whether missing data may be fetched.
        progress: Where to report; None is standard error.

    Raises:
        NasError: For everything that the caller can mend.
    """
    progress = progress or Console()
    if samples < 3 or train < 0 or not 0 < top < 1:
        raise NasError(
            f"samples={samples}, train={train}, top={top}: expected at least 3, at least 0, and "
            "between 0 and 1"
        )
    check_scale(scale)
    names, groups = by_current_names("evaluators", expand(evaluators), settings or {})
    _check_groups(groups, names)
    opened = open_benchmark(benchmark, progress)
    facts = facts_of(benchmark, opened)
    task = load_data(data, seed, device, download, groups.get("data", {}))
    bench = Workbench(opened.space, task, scale or task.scale, seed, groups, Path(), progress)
    made = {name: make_evaluator(name, bench) for name in names}  # refuses what is not known
    made |= _counting(opened, bench, made)
    config = {
        "table": facts.identity,
        "evaluators": [described(evaluator, name) for name, evaluator in made.items()],
        "samples": samples,
        "train": train,
        "data": task.describe(),
        "network": bench.network,
        "supernet": bench.supernet,
        "seed": seed,
    }
    folder = open_folder(
        Path(out) if out is not None else None,
        f"correlate-{opened.table.benchmark}-s{seed}",
        lambda path: NamedResults(path, config, LINES, ("evaluators",), "evaluators"),
    )
    bench.folder = folder.path / "checkpoint"
    sampled, shown = _draw(opened, samples, train, seed)
    with folder.locked():
        judged = {name: _judge(name, bench, opened, sampled, shown, folder) for name in made}
        correlation = _correlation(folder.path, facts, opened, sampled, judged, top, len(shown))
        write_correlation(correlation)
    return correlation


def _check_groups(settings: Groups, names: Sequence[str]) -> None:
    """Refuse settings of what takes no part."""
    used = {resolve_entry("evaluators", name)[0].name for name in names}
    allowed = ["supernet", "network", "data", "evaluator", *sorted(used)]
    for group in settings:
        if group not in allowed:
            raise unknown("group of settings", group, allowed)
    if not names:
        raise NasError("no evaluator is named")


def _counting(
    benchmark: Benchmark, bench: Workbench, made: Mapping[str, Evaluator]
) -> dict[str, Evaluator]:
    """Return what counts parameters, by name, where neither the table nor an evaluator does."""
    if any(name in benchmark.metrics or name in made for name in _BASELINES):
        return {}
    try:
        return {_BASELINES[-1]: make_evaluator(_BASELINES[-1], bench)}
    except NasError:  # it does not go with this space, or with settings meant for others
        return {}


def _draw(
    benchmark: Benchmark, samples: int, train: int, seed: int
) -> tuple[list[Architecture], list[Architecture]]:
    """Draw architectures whose numbers are all known, and others to learn from."""
    metrics = (benchmark.metric, *reported_metrics(benchmark))
    known = np.all([np.isfinite(benchmark.values(metric)) for metric in metrics], axis=0)
    rows = np.random.default_rng(seed_of(seed, "correlate")).permutation(np.flatnonzero(known))
    if len(rows) < 3:
        raise NasError(f"{benchmark.name}: only {len(rows)} architectures have all numbers")
    chosen = [benchmark.table.architecture(int(row)) for row in rows[: samples + train]]
    return chosen[:samples], chosen[samples:]


# -- scores -----------------------------------------------------------------------------------


def _judge(
    name: str,
    bench: Workbench,
    benchmark: Benchmark,
    sampled: Sequence[Architecture],
    shown: Sequence[Architecture],
    folder: ResultFolder,
) -> tuple[Floats, float]:
    """Score what was not scored yet; return all scores [n] and the mean seconds."""
    lines = {tuple(r["choices"]): r for r in folder.results() if r["evaluator"] == name}
    left = [a for a in sampled if a.choices not in lines]
    if left:
        evaluator = _ready(name, bench, benchmark, shown)
        step = min(_AT_ONCE, max(1, evaluator.at_once))
        with bench.progress.bar(name, len(sampled), len(sampled) - len(left)) as bar:
            for at in range(0, len(left), step):
                some = left[at : at + step]
                made = [
                    _line(name, evaluator, architecture, measurement)
                    for architecture, measurement in zip(some, evaluator(some), strict=True)
                ]
                folder.append(made)
                lines |= {tuple(line["choices"]): line for line in made}
                for _ in made:
                    bar.advance()
    _warn_of_failures(name, [lines[a.choices] for a in sampled], bench.progress)
    scores = [lines[a.choices]["score"] for a in sampled]
    seconds = float(np.mean([lines[a.choices]["seconds"] for a in sampled]))
    return np.array([math.nan if score is None else score for score in scores]), seconds


def _ready(
    name: str, bench: Workbench, benchmark: Benchmark, shown: Sequence[Architecture]
) -> Evaluator:
    """Return an evaluator that is trained or fitted, where it needs that."""
    evaluator = make_evaluator(name, bench)
    if isinstance(evaluator, PredictorEvaluator):
        objective = objective_of(benchmark)
        scores = [objective.score(benchmark.measure(architecture)) for architecture in shown]
        return FittedPredictor(evaluator.context, evaluator.settings, shown, scores)
    evaluator.prepare()
    return evaluator


def _line(
    name: str, evaluator: Evaluator, architecture: Architecture, measurement: Measurement
) -> dict[str, Any]:
    objective = Objective(evaluator.objective_for(evaluator.settings))
    line: dict[str, Any] = {"evaluator": name, "choices": list(architecture.choices)}
    score = objective.score(measurement) if measurement.ok else None
    return line | {
        "score": score,
        "metrics": measurement.metrics,
        "seconds": measurement.seconds,
        "error": measurement.error,
    }


def _warn_of_failures(name: str, lines: Sequence[Mapping[str, Any]], progress: Progress) -> None:
    errors = [str(line["error"]) for line in lines if line["error"]]
    if errors:
        progress.warn(f"{name} could not judge {len(errors)} of {len(lines)}: {errors[0]}")


# -- what they are worth ----------------------------------------------------------------------


def _correlation(
    folder: Path,
    facts: Facts,
    benchmark: Benchmark,
    sampled: Sequence[Architecture],
    judged: Mapping[str, tuple[Floats, float]],
    top: float,
    trained_on: int,
) -> Correlation:
    rows = benchmark.table.rows(benchmark.space.to_array(sampled))
    columns = {metric: benchmark.table.columns[c] for metric, c in benchmark.metrics.items()}
    targets, words = {}, {}
    for metric in (facts.metric, *facts.reported):
        sign = 1.0 if columns[metric].maximise else -1.0
        targets[metric] = sign * benchmark.values(metric)[rows]
        words[metric] = columns[metric].describe()
    scores = dict(judged)
    for metric, column in benchmark.metrics.items():
        if column in benchmark.problem.costs and metric not in scores:
            scores[metric] = (benchmark.values(metric)[rows], 0.0)
    compared = {name: x for name, (x, _) in scores.items() if np.isfinite(x).sum() >= _LEAST}
    baseline = next((name for name in _BASELINES if name in compared), None)
    resamples = Resamples(len(rows))
    found: dict[str, dict[str, Agreement]] = {name: {} for name in scores}
    for metric, values in targets.items():
        share = metric in facts.shares
        for name, one in agreements(compared, values, share, top, baseline, resamples).items():
            found[name][metric] = one
    last = list(targets)[-1]
    judges = {name: Judged(*scores[name], agreed) for name, agreed in found.items()}
    ordered = dict(sorted(judges.items(), key=lambda item: -_spearman(item[1], last)))
    return Correlation(folder, facts, targets, words, ordered, trained_on, baseline)


def _spearman(judged: Judged, target: str) -> float:
    found = judged.agreements.get(target)
    value = found.spearman.value if found else math.nan
    return value if math.isfinite(value) else -math.inf
