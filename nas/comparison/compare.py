"""A comparison: strategies x benchmarks x repeats, recorded so that it can be continued."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.benchmarks import Benchmark, open_benchmark
from nas.comparison.asked import (
    BEFORE,
    RULES,
    begun_as,
    budget_of,
    described,
    once,
    require_counts,
    require_times,
)
from nas.comparison.contestants import Contestant, contestants
from nas.comparison.facts import Facts, facts_of, objective_of
from nas.comparison.folder import ResultFolder, open_folder
from nas.comparison.job import Job, run_job
from nas.comparison.limits import require_constant
from nas.comparison.pool import Failure, run_all
from nas.comparison.protocol import COUNTED, require_protocol
from nas.comparison.renamed import NamedResults
from nas.comparison.repeat import Repeat
from nas.comparison.report import write_report
from nas.comparison.results import Comparison
from nas.comparison.simulate import Budget
from nas.errors import NasError
from nas.objective import Objective, parse_limits
from nas.progress import Console, Progress

__all__ = ["compare"]

LINES = "repeats.jsonl"


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
    initial: int = 0,
    objective: str = "",
    limits: str = "",
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
        initial: Random architectures that come first, the same for all strategies in a repeat; they
            count.
        objective: What is searched, such as "accuracy,-params": metrics of the table that are not
            reported ones; empty: what the benchmark's problem searches. Of several, the quality of
            what is found is its hypervolume.
        limits: On such metrics, such as "params<1M", with commas between them.
        progress: Where to report; None is standard error.

    Raises:
        NasError: For everything that the caller can mend, and if no repeat could be done.
    """
    progress = progress or Console()
    budget = budget_of(evaluations, seconds, workers)
    require_counts(repeats, processes, initial, budget)
    begun = begun_as(out)
    protocol = require_protocol(protocol or str(begun.get("protocol", COUNTED)))
    rules = 1 if begun.get("rules") == 1 else RULES
    bounds = parse_limits(limits)
    entered = contestants(strategies, settings or {}, budget.evaluations if rules > 1 else None)
    facts = {}
    for name in once("benchmark", benchmarks):
        benchmark = open_benchmark(name, progress)
        searched = objective_of(benchmark, objective, bounds)
        _require_fit(benchmark, searched, entered, budget, protocol)
        facts[name] = facts_of(name, benchmark, searched)
    config = {
        "objective": objective,
        "limits": [str(limit) for limit in bounds],
        "tables": [one.identity for one in facts.values()],
        "strategies": [described(one) for one in entered],
        "repeats": repeats,
        "seed": seed,
        **dataclasses.asdict(budget),
        "protocol": protocol,
        "initial": initial,
        "rules": rules,
    }
    stem = f"bench-{_plain('+'.join(facts))}-s{seed}"
    growing = ("tables", "strategies", "repeats")
    folder = open_folder(
        Path(out) if out is not None else None,
        stem,
        lambda path: NamedResults(path, config, LINES, growing, "strategies", BEFORE),
    )
    jobs = [
        Job(
            name, one.name, repeat, seed, budget, one.choice.given, protocol, rules == 1, initial,
            objective, bounds,
        )
        for repeat in range(repeats)
        for name in facts
        for one in entered
    ]  # fmt: skip
    with folder.locked():
        done, failures = _finish(folder, jobs, processes or _cores(), facts, progress)
        order = {job.key: at for at, job in enumerate(jobs)}
        done.sort(key=lambda repeat: order[repeat.key])
        names = [one.name for one in entered]
        comparison = Comparison(
            folder.path, facts, names, budget, seed, done, failures, protocol, initial
        )
        write_report(comparison)
    return comparison


def _require_fit(
    benchmark: Benchmark,
    objective: Objective,
    entered: Sequence[Contestant],
    budget: Budget,
    protocol: str,
) -> None:
    """Refuse what a table cannot answer, and strategies that cannot heed what is searched."""
    require_times(benchmark, budget)
    if protocol == COUNTED:
        require_constant(benchmark, objective)
    for one in entered:
        one.choice.require_goals(objective)


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
