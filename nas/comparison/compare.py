"""A comparison: strategies x benchmarks x repeats, recorded so that it can be continued."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.benchmarks import Benchmark, open_benchmark
from nas.comparison.contestants import Contestant, contestants
from nas.comparison.facts import Facts, facts_of
from nas.comparison.folder import ResultFolder, open_folder
from nas.comparison.job import Job, run_job
from nas.comparison.pool import Failure, run_all
from nas.comparison.protocol import COUNTED, NOISE_FREE, require_protocol
from nas.comparison.renamed import NamedResults
from nas.comparison.repeat import Repeat
from nas.comparison.report import write_report
from nas.comparison.results import Comparison
from nas.comparison.simulate import Budget
from nas.errors import NasError
from nas.progress import Console, Progress

__all__ = ["EVALUATIONS", "compare"]

EVALUATIONS = 150
"""The budget of a repeat where none is given."""
LINES = "repeats.jsonl"
RULES = 2
"""How strategies take part. 1, before: none derives defaults from the budget, and
all are told again what they propose again."""
BEFORE = {"protocol": NOISE_FREE, "rules": 1}
"""What was done before there was a choice: folders from then do not say it."""


def compare(
    benchmarks: Sequence[str],
    strategies: Sequence[str],
    *,
    repeats: int = 20,
    evaluations: int | None = None,
    seconds: float | None = None,
    workers: int = 1,
    seed: int = 0,
    out: str | Path | None = None,
    processes: int | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    protocol: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare strategies on tables, or continue a comparison; then write its report.

    A repeat that was done is not done again. The same folder takes more repeats, strategies or
    benchmarks, but no other budget, seed or settings. With several processes, a script that calls
    this needs `if __name__ == "__main__":`, as Python starts them afresh.

    Args:
        benchmarks: `NAME` or `NAME:PROBLEM`, such as "nas-bench-graph:cora".
        strategies: Names of black-box strategies, each maybe with settings of its own:
            "evolution?population=50&tournament=10".
        repeats: Of each strategy on each benchmark, with different seeds.
        evaluations: Most queries a repeat, or without noise most different architectures; None
            without `seconds` is 150.
        seconds: Most simulated seconds a repeat, by the times in the table; None is any.
        workers: How many evaluate at the same time on the simulated clock.
        seed: Of every random choice.
        out: The folder; None is `runs/bench-...`.
        processes: How many repeats run at the same time; None is the number of cores.
        settings: Strategy -> setting -> value; for all contestants of that strategy.
        protocol: "counted": a query is one of the table's trainings at random, and all count;
            "noise-free": it is the mean of all trainings, and what is proposed again is free. None:
            counted, or that of the folder which is continued.
        progress: Where to report; None is standard error.

    Raises:
        NasError: For everything that the caller can mend, and if no repeat could be done.
    """
    progress = progress or Console()
    budget = _budget(evaluations, seconds, workers)
    if repeats < 1 or (processes is not None and processes < 1):
        raise NasError(f"repeats={repeats}, processes={processes}: at least 1 of each is needed")
    begun = _begun(out)
    protocol = require_protocol(protocol or str(begun.get("protocol", COUNTED)))
    rules = begun.get("rules", RULES)
    entered = contestants(strategies, settings or {}, budget.evaluations if rules > 1 else None)
    opened = {name: open_benchmark(name, progress) for name in _once("benchmark", benchmarks)}
    for benchmark in opened.values():
        _require_times(benchmark, budget)
    facts = {name: facts_of(name, benchmark) for name, benchmark in opened.items()}
    config = {
        "tables": [one.identity for one in facts.values()],
        "strategies": [_described(one) for one in entered],
        "repeats": repeats,
        "seed": seed,
        **dataclasses.asdict(budget),
        "protocol": protocol,
        "rules": rules,
    }
    stem = f"bench-{_plain('+'.join(opened))}-s{seed}"
    growing = ("tables", "strategies", "repeats")
    folder = open_folder(
        Path(out) if out is not None else None,
        stem,
        lambda path: NamedResults(path, config, LINES, growing, "strategies", BEFORE),
    )
    jobs = [
        Job(benchmark, one.name, repeat, seed, budget, one.choice.given, protocol, rules == 1)
        for repeat in range(repeats)
        for benchmark in opened
        for one in entered
    ]
    with folder.locked():
        done, failures = _finish(folder, jobs, processes or _cores(), facts, progress)
        order = {job.key: at for at, job in enumerate(jobs)}
        done.sort(key=lambda repeat: order[repeat.key])
        names = [one.name for one in entered]
        comparison = Comparison(folder.path, facts, names, budget, seed, done, failures, protocol)
        write_report(comparison)
    return comparison


# -- what was asked for -----------------------------------------------------------------------


def _begun(out: str | Path | None) -> dict[str, Any]:
    """Return the config of the folder that is continued; empty for a new or an unreadable one."""
    file = Path(out) / "config.json" if out is not None else None
    if file is None or not file.is_file():
        return {}
    try:
        return {**BEFORE, **json.loads(file.read_text(encoding="utf-8"))}
    except (OSError, TypeError, ValueError):
        return {}  # opening the folder says what is wrong with it


def _budget(evaluations: int | None, seconds: float | None, workers: int) -> Budget:
    if evaluations is not None and evaluations < 1:
        raise NasError(f"evaluations={evaluations}: at least 1 is needed")
    if seconds is not None and not seconds > 0:
        raise NasError(f"seconds={seconds}: expected simulated seconds above 0")
    if workers < 1:
        raise NasError(f"workers={workers}: at least 1 is needed")
    if evaluations is None and seconds is None:
        evaluations = EVALUATIONS
    return Budget(evaluations, seconds, workers)


def _once(what: str, names: Iterable[str]) -> list[str]:
    listed = list(names)
    twice = [name for name in listed if listed.count(name) > 1]
    if twice or not listed:
        raise NasError(f"{what} '{twice[0]}' is named twice" if twice else f"no {what} is named")
    return listed


def _require_times(benchmark: Benchmark, budget: Budget) -> None:
    """Refuse a simulated clock where the table has no times."""
    if benchmark.problem.seconds or (budget.seconds is None and budget.workers == 1):
        return
    asked = f"workers={budget.workers}" if budget.workers > 1 else f"seconds={budget.seconds:g}"
    raise NasError(
        f"{asked}: '{benchmark.name}' has no recorded times of training, so there is no simulated "
        "clock; give a budget in evaluations, with one worker"
    )


def _described(entered: Contestant) -> str:
    values = dataclasses.asdict(entered.settings) if entered.settings is not None else {}
    return " ".join([entered.name, *(f"{key}={value}" for key, value in values.items())])


def _plain(text: str) -> str:
    """Write a name as part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "-_+." else "-" for sign in text)[:80]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- the work ---------------------------------------------------------------------------------


def _finish(
    folder: ResultFolder,
    jobs: Sequence[Job],
    processes: int,
    facts: Mapping[str, Facts],
    progress: Progress,
) -> tuple[list[Repeat], dict[str, Failure]]:
    """Do what was not done yet; return all repeats and the failures."""
    wanted = {job.key for job in jobs}
    done = {r.key: r for r in map(Repeat.from_json, folder.results()) if r.key in wanted}
    left = [job for job in jobs if job.key not in done]
    failures: dict[str, Failure] = {}
    progress.note(_announcement(folder.path, len(jobs), len(done), min(processes, len(left))))
    with progress.bar("repeats", len(jobs), len(done)) as bar:
        for job, result in run_all(run_job, left, processes):
            if isinstance(result, Failure):
                failures[str(job)] = result
                progress.warn(f"{job}: {result.reason}")
                bar.advance()
                continue
            folder.append([result.to_json()])
            done[result.key] = result
            bar.advance(**_figures(result, facts[job.benchmark]))
    _write_details(folder.path / "failures.txt", failures)
    if not done:
        reason = next(iter(failures.values())).reason
        raise NasError(f"none of {len(jobs)} repeats could be done: {reason}")
    return list(done.values()), failures


def _announcement(folder: Path, total: int, done: int, processes: int) -> str:
    if done == total:
        return f"{folder} is finished already: all {total} repeats"
    side = f", {processes} at a time" if processes > 1 else ""
    before = f" ({done} are done already)" if done else ""
    return f"{total} repeats{before} into {folder}{side}"


def _figures(repeat: Repeat, facts: Facts) -> dict[str, float]:
    best = repeat.best[-1] if repeat.best else None
    return {} if best is None else {"regret": facts.regret(best)}


def _write_details(file: Path, failures: Mapping[str, Failure]) -> None:
    """Keep the tracebacks of failures, or remove those of an earlier try."""
    details = [f"{job}: {f.reason}\n{f.details}" for job, f in failures.items()]
    if details:
        file.write_text("\n".join(details), encoding="utf-8")
    else:
        file.unlink(missing_ok=True)
