"""An architecture that somebody has found, from wherever it is named, and how to build it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.errors import NasError, nearest
from nas.resolve import resolve_space
from nas.run import Run
from nas.space import Architecture, SearchSpace
from nas.weights import load_weights

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["WEIGHTS", "Found", "find"]

WEIGHTS = ("fresh", "inherited", "trained")


@dataclass(frozen=True)
class Found:
    """An architecture with where it comes from.

    Args:
        space: Its space.
        architecture: Itself.
        name: What the user called it.
        run: The run that found it, if it comes from one.
        metrics: What the run measured.
    """

    space: SearchSpace
    architecture: Architecture
    name: str
    run: Run | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def build(
        self, weights: str = "fresh", info: TaskInfo | None = None, **settings: Any
    ) -> nn.Module:
        """Build the plain network.

        Args:
            weights: "fresh", "inherited" (from the search, at its widths) or "trained" (by
                `nas train`, at its widths).
            info: The shapes of a task; None takes those of the run.
            **settings: Of the space's networks, such as channels=36; for fresh weights only.

        Returns:
            The network in evaluation mode.

        Raises:
            NasError: If there are no such weights, or for a wrong setting.
        """
        if weights not in WEIGHTS:
            raise NasError(f"weights '{weights}': allowed is {', '.join(WEIGHTS)}")
        if weights == "fresh":
            defaults = self.run.settings("network") if self.run else {}
            return self.space.build(
                self.architecture, self._info(info), **(defaults | settings)
            ).eval()
        if settings:
            raise NasError(f"{weights} weights have fixed widths: no setting can be changed")
        return self._inherited() if weights == "inherited" else self._trained()

    def _info(self, info: TaskInfo | None) -> TaskInfo:
        if info is None and self.run is None:
            raise NasError(f"'{self.name}' comes without a task: say which with --data")
        if info is None:
            assert self.run is not None
            return self.run.info
        return info

    def _inherited(self) -> nn.Module:
        if self.run is None:
            raise NasError(f"'{self.name}' comes from no search: it has no inherited weights")
        best = self.run.read_best()
        if not best.get("weights"):
            raise NasError(f"{self.run.folder} kept no weights; use --weights fresh or trained")
        if best["weights"] == "supernet":
            options = self.run.settings("supernet")
            network = self.space.supernet(self.run.info, **options).extract(self.architecture)
        else:
            settings = self.run.settings("network")
            network = self.space.build(self.architecture, self.run.info, **settings)
        return load_weights(network, self.run.folder / "best.safetensors")

    def _trained(self) -> nn.Module:
        from nas.task import TaskInfo

        if self.run is None:
            raise NasError(f"'{self.name}' comes from no run: it has no trained weights")
        file = self.run.folder / "train" / "result.json"
        if not file.exists():
            raise NasError(f"{self.run.folder} is not trained yet: nas train {self.run.folder}")
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            settings, shapes = dict(record["network"]), json.dumps(record["data"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NasError(f"{file} is damaged: {error!r}") from error
        if record.get("architecture") != self.space.format(self.architecture):  # nas rerank
            raise NasError(
                f"{file.parent} holds the training of another architecture; rename it, then: "
                f"nas train {self.run.folder}"
            )
        info = TaskInfo.from_json(shapes)  # perhaps of other data than the run's
        network = self.space.build(self.architecture, info, **settings)
        return load_weights(network, file.parent / "weights.safetensors")


def find(source: str | Path, space: str | None = None) -> Found:
    """Find an architecture by what a user wrote.

    Args:
        source: A run folder; a file with an architecture (JSON, or text in a space's notation); a
            published name such as "DARTS_V2"; or text in a space's notation.
        space: The name of the space; None tries all.

    Raises:
        NasError: If it is none of these; it says what the nearest would be.
    """
    text = str(source)
    path = Path(text)
    if _exists(path):
        return _from_folder(path) if path.is_dir() else _from_file(path, space)
    return _from_name(text, space)


def _from_name(text: str, space: str | None) -> Found:
    """Find a published name, or parse a text."""
    spaces = [space] if space else list(registry.names("search_spaces"))
    candidates = [resolve_space(name) for name in spaces]
    for candidate in candidates:
        if text in candidate.catalogue():
            return Found(candidate, candidate.catalogue()[text], text)
    return _from_text(text, candidates)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a genotype is longer than a file name may be
        return False


def _from_folder(folder: Path) -> Found:
    return Run(folder).best


def _from_file(file: Path, space: str | None) -> Found:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NasError(f"{file} cannot be read: {error}") from error
    if not text:
        raise NasError(f"{file} is empty; expected an architecture")
    if not text.startswith("{"):
        return _from_name(text, space)
    architecture = Architecture.from_json(text)
    owner = resolve_space(space or architecture.space)
    return Found(owner, owner.require(architecture), file.name)


def _from_text(text: str, spaces: list[SearchSpace]) -> Found:
    """Parse a text in the notation of some space."""
    reasons = []
    for space in spaces:
        try:
            return Found(space, space.parse(text), space.name)
        except NasError as error:
            reasons.append(f"{space.name}: {error}")
    if any(mark in text for mark in "(|="):
        likely = [r for r in reasons if ("Genotype" in text) == r.startswith(("darts", "nasnet"))]
        raise NasError("not an architecture of any space; " + "; ".join(likely or reasons))
    names = [name for space in spaces for name in space.catalogue()]
    guess = nearest(text, names)
    hint = f" Did you mean '{guess}'?" if guess else ""
    raise NasError(
        f"'{text}' is no run folder, file, genotype or published architecture.{hint} "
        f"Published: {', '.join(names)}."
    )
