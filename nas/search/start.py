"""What a search starts from: a run, a list of architectures, a table (`--from`).

Results of the same problem, judged in the same way, are told to the strategy before its first
proposal and are not evaluated again. Of other problems the best architectures are evaluated first,
and all are a prior, for strategies that can use one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas.benchmarks import Benchmark, installed, open_benchmark, readers
from nas.errors import NasError, nearest
from nas.objective import Goal, Measurement
from nas.run import Run, same_problem
from nas.search.plan import Plan
from nas.space import Architecture, SearchSpace
from nas.storage import seed_of, write_json

__all__ = ["Start", "find_start", "read_start"]

FILE = "start.json"
_BEST = 10  # of another problem, that are evaluated first
_EVALUATIONS_EACH = 5  # of the budget, for one of them
_MOST_PRIOR = 500  # results of another problem

Known = tuple[Architecture, Measurement]
Scored = tuple[Architecture, float]


@dataclass
class Start:
    """What is known before the first proposal.

    Args:
        known: Results of the same problem.
        first: Architectures that are evaluated before any proposal.
        prior: Architectures and their scores in another problem, larger is better.
        notes: What to tell.
    """

    known: list[Known] = field(default_factory=list)
    first: list[Architecture] = field(default_factory=list)
    prior: list[Scored] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def merged(self, other: Start) -> Start:
        """Return both, one after the other."""
        return Start(
            self.known + other.known, self.first + other.first, self.prior + other.prior,
            self.notes + other.notes,
        )  # fmt: skip

    def reduced(self, space: SearchSpace, evaluations: int) -> Start:
        """Return it without what is there twice, is not valid in a space, or exceeds a budget."""
        known = {space.canonical(a): (a, m) for a, m in self.known}
        first = {space.canonical(a): a for a in self.first if space.check(a) is None}
        left = [a for key, a in first.items() if key not in known]
        return Start(list(known.values()), left[:evaluations], self.prior, self.notes)

    def write(self, folder: Path) -> None:
        """Keep it in the folder of a run, so that the run goes on without its sources."""
        known = [[list(a.choices), m.to_json()] for a, m in self.known]
        first = [list(a.choices) for a in self.first]
        prior = [[list(a.choices), score] for a, score in self.prior]
        write_json(folder / FILE, {"known": known, "first": first, "prior": prior})


def read_start(folder: Path, space: SearchSpace) -> Start | None:
    """Read what `Start.write` kept; None where it kept nothing.

    Raises:
        NasError: If the file is damaged.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))

        def read(choices: Sequence[int]) -> Architecture:
            return space.require(Architecture(space.name, tuple(choices)))

        known = [
            (read(row), Measurement(m["metrics"], m["seconds"], m.get("error", "")))
            for row, m in data["known"]
        ]
        first = [read(row) for row in data["first"]]
        return Start(known, first, [(read(row), float(score)) for row, score in data["prior"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NasError(f"{file} is damaged: {error}") from error


# -- finding it -----------------------------------------------------------------------------------


def find_start(plan: Plan, sources: Sequence[Any]) -> Start:
    """Find what a search shall start from.

    Args:
        plan: Of the search.
        sources: Each a run or its folder, a file of architectures, the name of a table (perhaps
            with a problem), a published name, an architecture, or its text.

    Raises:
        NasError: For what is none of these, or is of another space.
    """
    if sources and not plan.strategy.is_black_box:
        raise NasError(
            f"--from {sources[0]}: '{plan.strategy.name}' trains gates and starts from no "
            "architectures; take a black-box strategy, such as evolution or bo-wl"
        )
    start = Start()
    for source in sources:
        start = start.merged(_find(plan, source))
    return start


def _find(plan: Plan, source: Any) -> Start:
    space = plan.space
    if isinstance(source, Architecture):
        return Start(first=[space.require(source)])
    if isinstance(source, Run):
        return _from_run(plan, source)
    text = str(source)
    path = Path(text)
    if _exists(path):
        return _from_run(plan, Run(path)) if path.is_dir() else _from_file(space, path)
    table = text.partition(":")[0]
    if table in installed() or table in readers():
        return _from_table(plan, open_benchmark(text))
    return Start(first=[_named(space, text)], notes=[f"starting from {text}"])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the text of an architecture is longer than a file name may be
        return False


def _beside(path: Path) -> list[str]:
    """Return what lies in the same folder, as a user would write it."""
    try:
        return [str(path.parent / other.name) for other in path.parent.iterdir()]
    except OSError:
        return []


def _named(space: SearchSpace, text: str) -> Architecture:
    """Return a published architecture of a space, or one in its notation."""
    published = space.catalogue()
    if text in published:
        return published[text]
    try:
        return space.parse(text)
    except NasError as error:
        if any(mark in text for mark in "(|="):
            raise
        guess = nearest(text, [*published, *installed(), *_beside(Path(text))])
        hint = f" Did you mean '{guess}'?" if guess else ""
        raise NasError(
            f"--from {text}: no run folder, file, table, nor architecture of '{space.name}'.{hint}"
        ) from error


def _from_file(space: SearchSpace, file: Path) -> Start:
    """Read architectures, one a line or a JSON list: names, texts, or objects as in best.json."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NasError(f"{file} cannot be read: {error}") from error
    entries = _entries(file, text)
    found = []
    for number, entry in enumerate(entries, start=1):
        try:
            read = Architecture.from_json(json.dumps(entry)) if isinstance(entry, dict) else None
            found.append(space.require(read) if read else _named(space, str(entry)))
        except NasError as error:
            raise NasError(f"{file}, architecture {number}: {error}") from error
    if not found:
        raise NasError(f"{file} holds no architectures")
    return Start(first=found, notes=[f"starting from the {len(found)} architectures of {file}"])


def _entries(file: Path, text: str) -> list[Any]:
    """Split a file into architectures, each a text or a JSON object."""
    try:
        data = json.loads(text)
        return data if isinstance(data, list) else [data]
    except ValueError:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        return [json.loads(line) if line.startswith("{") else line for line in lines]
    except ValueError as error:
        raise NasError(f"{file} is no list of architectures: {error}") from error


# -- runs and tables ------------------------------------------------------------------------------


def _from_run(plan: Plan, run: Run) -> Start:
    if run.config["space"] != plan.config["space"] or run.space.name != plan.space.name:
        raise NasError(
            f"--from {run.folder}: it searched space '{run.config['space']}', not "
            f"'{plan.config['space']}'"
        )
    trials = run.decisive()
    results = [(trial.architecture, trial.measurement) for trial in trials]
    if not results:
        raise NasError(f"--from {run.folder}: it has evaluated nothing yet")
    wanted = plan.objective.metrics
    told = all(name in m.metrics for _, m in results if m.ok for name in wanted)
    if told and _judged_alike(plan, run):
        return Start(known=results, notes=[f"{len(results)} results of {run.folder} are known"])
    objective = run.objective
    allowed = [(a, m) for a, m in results if objective.allows(m)]
    scored = [(a, objective.score(m)) for a, m in allowed]
    return _elsewhere(plan, scored, f"{run.folder}, of another problem or judged otherwise")


def _judged_alike(plan: Plan, run: Run) -> bool:
    """Tell whether a run's results are what this search would measure."""
    judge = plan.evaluator.factory
    alike = same_problem(run.config, plan.config, judge.depends_on_seed, judge.uses_data)
    return alike and plan.make_evaluator().constant


def _from_table(plan: Plan, benchmark: Benchmark) -> Start:
    if benchmark.space.name != plan.space.name:
        raise NasError(
            f"--from {benchmark.name}: its architectures are of space '{benchmark.space.name}', "
            f"not '{plan.space.name}'"
        )
    goal = Goal(benchmark.metric if benchmark.maximise else f"-{benchmark.metric}")
    values = goal.sign * benchmark.values(benchmark.metric)
    rows = np.flatnonzero(np.isfinite(values))
    order = rows[np.argsort(-values[rows], kind="stable")]
    rng = np.random.default_rng(seed_of(plan.config["seed"], "prior", benchmark.name))
    some = rng.permutation(rows)[:_MOST_PRIOR]
    chosen = np.concatenate([order[:_BEST], some])
    scored = [(benchmark.table.architecture(int(row)), float(values[row])) for row in chosen]
    return _elsewhere(plan, scored, f"table {benchmark.name}")


def _elsewhere(plan: Plan, scored: list[Scored], name: str) -> Start:
    """Start from scores of another problem."""
    valid = [(a, score) for a, score in scored if plan.space.check(a) is None]
    if not valid:
        raise NasError(f"--from {name}: it has no result that is valid in '{plan.space.name}'")
    ranked = sorted(valid, key=lambda one: -one[1])
    different: dict[Architecture, Architecture] = {}
    for architecture, _ in ranked:
        different.setdefault(plan.space.canonical(architecture), architecture)
    best = list(different.values())
    most = min(_BEST, max(1, (plan.config["evaluations"] or 0) // _EVALUATIONS_EACH))
    note = f"starting from {name}: its best {min(most, len(best))} are evaluated first"
    return Start(first=best[:most], prior=valid[:_MOST_PRIOR], notes=[note])
