"""Candidates are scored untrained, by zero-cost proxies.

Sources: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134;
each proxy in `nas/proxies` names its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas import registry
from nas.errors import NasError, unknown
from nas.evaluators.evaluator import Context, Evaluator, Measurement
from nas.proxies import Proxy, Reference, finite
from nas.settings import require_ranges, setting
from nas.space import Architecture
from nas.storage import load_checkpoint, restoring, save_checkpoint, seed_everything, seed_of
from nas.timeouts import time_limit

__all__ = ["ProxyEvaluator", "ProxySettings"]

INPUTS = ("data", "gaussian")


@dataclass
class ProxySettings:
    """Which proxies, and what they look at."""

    score: str = setting("gradsign+synflow", "a proxy, or several joined by + (an ensemble)")
    batch_size: int = setting(64, "examples that a network is scored on")
    inputs: str = setting("data", "data: a batch of the train split; gaussian: noise, no data")
    reference: int = setting(128, "random architectures that an ensemble is scaled by")
    seed: int | None = setting(None, "of weights, inputs, reference; none: the search's own")

    def __post_init__(self) -> None:
        if self.inputs not in INPUTS:
            raise unknown("evaluator.inputs", self.inputs, INPUTS)
        ranges: dict[str, tuple[bool, str]] = {
            "batch_size": (self.batch_size >= 2, "at least 2"),
            "reference": (self.reference >= 2, "at least 2"),
        }
        require_ranges(self, "evaluator", ranges)
        for name in self.names:
            registry.get("proxies", name)
        if len(set(self.names)) < len(self.names):
            raise NasError(f"evaluator.score={self.score!r}: the same proxy twice")

    @property
    def names(self) -> list[str]:
        """The proxies, in order."""
        return [name.strip() for name in self.score.split("+")]


@registry.register(
    "evaluators",
    "proxy",
    "scored untrained by zero-cost proxies, such as proxy:gradsign+synflow",
    "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134",
)
class ProxyEvaluator(Evaluator):
    """Score freshly initialised networks; several proxies are an ensemble.

    The metric "score" of a single proxy is its value. That of several is the mean of their normal
    quantiles among reference architectures, which are drawn and scored once, by `prepare`: 0 is the
    median of random architectures, 1 a standard deviation above it. The quantiles go on beyond the
    best of the reference (`Reference.quantile`), so that whatever is better in one proxy and not
    worse in the others has a higher score, and a score does not depend on what else is evaluated.
    Every proxy's value is a metric under its own name.

    At the end of a search all that were evaluated are compared with each other (`final_scores`).
    """

    Settings = ProxySettings
    default_objective = "score"
    depends_on_seed = True
    argument = "score"
    settings: ProxySettings

    def __init__(self, context: Context, settings: ProxySettings | None = None) -> None:
        super().__init__(context, settings or ProxySettings())
        names = self.settings.names
        self.proxies: dict[str, Proxy] = {n: registry.get("proxies", n).factory for n in names}
        self.metrics = ("score", *names)
        own = self.settings.seed
        self._seed = context.seed if own is None else own
        self._batch: tuple[Any, Tensor] | None = None
        self._reference: dict[str, Reference] = {}  # of each proxy
        self._by_shares = False

    # -- the reference ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Score the reference architectures, if they are needed; once a run."""
        if len(self.proxies) == 1 or self._reference:
            return
        file = self.context.folder and self.context.folder / "proxy.pt"
        state = load_checkpoint(file) if file else None
        if file and state is not None:
            with restoring(file):
                if state["settings"] != asdict(self.settings):
                    raise ValueError("other settings")
                self._reference = {n: Reference(state["reference"][n]) for n in self.proxies}
            # A search from before there were quantiles goes on with the scores that it began with.
            self._by_shares = state.get("score", "shares") == "shares"
            return
        self._reference = self._score_reference()
        if file:
            values = {name: found.values for name, found in self._reference.items()}
            state = {"settings": asdict(self.settings), "reference": values, "score": "quantiles"}
            save_checkpoint(file, state)

    def _score_reference(self) -> dict[str, Reference]:
        rng = np.random.default_rng(seed_of(self._seed, "proxy", "reference"))
        sampled = dict.fromkeys(self.context.space.sample(rng, self.settings.reference))
        found: dict[str, list[float]] = {name: [] for name in self.proxies}
        failure: Exception | None = None
        with self.context.progress.bar("reference", len(sampled), 0) as bar:
            for architecture in sampled:
                try:
                    with time_limit(self.context.timeout):
                        values = self._values(architecture)
                    for name, value in values.items():
                        found[name].append(value)
                except Exception as error:  # of this architecture; there are others
                    failure = error
                bar.advance()
        if not found[self.settings.names[0]]:
            raise NasError(f"none of {len(sampled)} architectures could be scored: {failure}")
        return {name: Reference(values) for name, values in found.items()}

    # -- scores -------------------------------------------------------------------------------

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        values = self._values(architecture)
        if len(values) == 1:
            return {"score": next(iter(values.values())), **values}
        self.prepare()
        score = Reference.share if self._by_shares else Reference.quantile
        scores = [score(self._reference[name], value) for name, value in values.items()]
        return {"score": sum(scores) / len(scores), **values}

    def final_scores(self, measurements: Sequence[Measurement]) -> list[float] | None:
        """Rank architectures of an ensemble among each other: by the mean of the proxies' ranks.

        So none that another one dominates (is as good in all proxies and better in one) comes
        before it. Equal means are told apart by the score.

        Args:
            measurements: Of all architectures that a search has evaluated.

        Returns:
            Their places, from 0; equal ones have equal places, failures -inf. None for a single
            proxy: its score says it all.

        Candidates are compared with each other, as by the votes of Abdelfattah et al.
        """
        names = list(self.proxies)
        if len(names) == 1:
            return None
        judged = [m.ok and m.metrics.keys() >= {"score", *names} for m in measurements]
        metrics = [m.metrics for m, there in zip(measurements, judged, strict=True) if there]
        ranks = sum((_ranks([m[name] for m in metrics]) for name in names), np.zeros(len(metrics)))
        places = iter(_places(list(zip(ranks, (m["score"] for m in metrics), strict=True))))
        return [next(places) if there else -math.inf for there in judged]

    def _values(self, architecture: Architecture) -> dict[str, float]:
        """Return every proxy's value of a network whose weights follow from seed and choices."""
        context = self.context
        x, y = self._examples()
        seed_everything(seed_of(self._seed, "proxy", architecture.choices))
        network = context.space.build(architecture, context.task.info, **context.network)
        network.to(context.task.device)
        loss: Any = context.task.loss
        return {
            name: finite(proxy(network, x, y, loss), name) for name, proxy in self.proxies.items()
        }

    def _examples(self) -> tuple[Any, Tensor]:
        """Return the batch that all networks are scored on."""
        if self._batch is None:
            make = self._noise if self.settings.inputs == "gaussian" else self._first_batch
            self._batch = make(seed_of(self._seed, "proxy", "inputs"))
        return self._batch

    def _noise(self, seed: int) -> tuple[Any, Tensor]:
        task, size = self.context.task, self.settings.batch_size
        generator = torch.Generator().manual_seed(seed)
        if task.info.kind == "examples":
            x: Any = torch.randn(size, *task.input_shape, generator=generator)
        else:
            x = task.info.example(size, generator)
        y = task.info.target(size, generator)
        return x.to(task.device), y.to(task.device)

    def _first_batch(self, seed: int) -> tuple[Any, Tensor]:
        batches: Any = self.context.task.batches("train", self.settings.batch_size, seed=seed)
        with closing(batches):
            x, y = next(batches)
            size = self.settings.batch_size
            return (x, y) if len(y) <= size else (x[:size], y[:size])  # of a whole graph


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Return for every value twice its rank, from 0; the mean of theirs for equal ones."""
    ordered = np.sort(values)
    lower, not_higher = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    ranks: NDArray[np.float64] = (lower + not_higher).astype(np.float64)
    return ranks


def _places(keys: Sequence[tuple[float, float]]) -> list[float]:
    """Return the place of every key among the different ones, from 0."""
    place = {key: float(i) for i, key in enumerate(sorted(set(keys)))}
    return [place[key] for key in keys]
