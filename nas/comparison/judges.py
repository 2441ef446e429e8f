"""Evaluators by name, ready to judge the architectures of a space."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.aliases import current, first_name, renamed
from nas.errors import unknown
from nas.evaluators import Context, Evaluator
from nas.progress import Progress
from nas.registry import resolve_entry
from nas.settings import Groups, fill
from nas.space import SearchSpace
from nas.storage import seed_of

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["Workbench", "described", "expand", "make_evaluator"]


@dataclass
class Workbench:
    """What all evaluators of one comparison share.

    Args:
        space: Whose architectures are judged.
        task: The problem.
        scale: "small" or "paper": which default widths and epochs.
        seed: Of every random choice.
        settings: Group -> setting -> value: "supernet", "network", "evaluator" (of all
            evaluators), and names of evaluators.
        folder: Where evaluators keep checkpoints.
        progress: Where to report.
    """

    space: SearchSpace
    task: Task
    scale: str
    seed: int
    settings: Groups
    folder: Path
    progress: Progress

    @property
    def supernet(self) -> dict[str, Any]:
        """Options of the supernet."""
        return self.space.supernet_defaults(self.scale) | self.settings.get("supernet", {})

    @property
    def network(self) -> dict[str, Any]:
        """Settings of single networks."""
        return self.space.network_defaults(self.scale) | self.settings.get("network", {})


def expand(names: Sequence[str]) -> list[str]:
    """Return today's names of evaluators, each once, with `proxy:all` replaced by every proxy."""
    found: list[str] = []
    for name in names:
        every = name == "proxy:all"
        one = [current("evaluators", name)]
        found += [f"proxy:{proxy}" for proxy in registry.names("proxies")] if every else one
    return list(dict.fromkeys(found))


def make_evaluator(
    name: str, bench: Workbench, costs: tuple[str, ...] = (), seed: int | None = None
) -> Evaluator:
    """Make an evaluator.

    Args:
        name: `NAME`, or `NAME:VALUE` such as "proxy:gradsign".
        bench: What to work with.
        costs: Which costs a measurement shall have.
        seed: Another than the bench's.

    Raises:
        NasError: For an unknown evaluator or setting.
    """
    entry, argument = resolve_entry("evaluators", name)
    factory: Any = entry.factory
    groups = bench.settings
    of_all = renamed("evaluators", name, groups.get("evaluator", {}))[1]
    values = {**of_all, **groups.get(entry.name, {}), **argument}
    context = Context(
        bench.space,
        bench.task,
        bench.seed if seed is None else seed,
        bench.supernet,
        bench.network,
        bench.folder / f"{seed_of(0, first_name('evaluators', name)):012x}",
        bench.progress,
        costs=costs,
    )
    defaults = factory.defaults(bench.scale, bench.task.info.kind)
    filled = _filled(factory, defaults | values, name)
    factory.require(bench.space, filled)
    made: Evaluator = factory(context, filled)
    return made


def _filled(factory: Any, values: Mapping[str, Any], name: str) -> Any:
    if factory.Settings is None:
        for key in values:
            raise unknown(f"setting of {name}", key, [])
        return None
    return fill(factory.Settings, values, name)


def described(evaluator: Evaluator, name: str) -> str:
    """Write an evaluator with its settings."""
    settings: Any = evaluator.settings
    values = {} if settings is None else dataclasses.asdict(settings)
    return " ".join([name, *(f"{key}={value}" for key, value in values.items())])
