"""Candidates share the weights of one supernet, trained by the paths of architectures.

These are drawn uniformly before the search (Guo et al., Single Path One-Shot NAS, SPOS, ECCV 2020,
arXiv:1904.00420, sec. 3), or from what the strategy proposes, in turn with the search (Pham et al.,
ENAS, ICML 2018, arXiv:1802.03268, sec. 2.2). How many a step runs, and which besides those that are
drawn, see `supernet_paths`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from nas import registry
from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.evaluators.scoring.batch_norm import leaves_one, recalibrate, use_batch_statistics
from nas.evaluators.scoring.score import score_paths, try_paths
from nas.evaluators.scoring.separate import score_path
from nas.evaluators.supernet_paths import paths_of
from nas.evaluators.supernet_settings import SupernetSettings
from nas.evaluators.supernet_training import SupernetTraining
from nas.mutables import supernet_of
from nas.objective import Measurement
from nas.space import Architecture, Path, SearchSpace
from nas.storage import (
    SavePace,
    load_checkpoint,
    restoring,
    save_checkpoint,
    seed_everything,
    seed_of,
)
from nas.training import shared_weights_recipe

__all__ = [
    "SupernetEvaluator",
    "SupernetSettings",
    "leaves_one",
    "recalibrate",
    "score_path",
    "score_paths",
    "use_batch_statistics",
]


@registry.register(
    "evaluators",
    "supernet",
    "shared weights, trained by paths of architectures, scored on the validation split",
    "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020, arXiv:1904.00420",
)
class SupernetEvaluator(Evaluator):
    """Train a supernet, and score every candidate with its weights.

    With `train_on=proposals` only the warm-up comes before the search. Then, whenever
    `proposals_per_epoch` results have been observed, the supernet is trained for one more epoch,
    each step on one of these architectures, until it has had `epochs` epochs. What an architecture
    scores depends on when it is evaluated; what is proposed again is trained on and scored again.
    """

    Settings = SupernetSettings
    metrics = ("accuracy", "loss")
    prepare_settings = (
        "epochs", "train_on", "warmup_epochs", "proposals_per_epoch", "paths", "largest_epochs",
        "learning_rate", "momentum", "weight_decay", "grad_clip", "precision",
    )  # fmt: skip
    shares_weights = True
    depends_on_seed = True
    runs_networks = True
    settings: SupernetSettings

    def __init__(self, context: Context, settings: SupernetSettings | None = None) -> None:
        super().__init__(context, settings or SupernetSettings())
        seed_everything(seed_of(context.seed, "supernet"))
        self.supernet = supernet_of(context.space, context.task.info, **context.supernet)
        self.supernet.to(context.task.device)
        if not any(True for _ in self.supernet.parameters()):
            raise NasError(f"space '{context.space.name}' has no weights to share or train")
        self.training = SupernetTraining(self.supernet, context, self.settings)
        self._saving = SavePace()
        self._observed = 0  # since the last epoch
        self._recent: list[Architecture] = []  # those of them that could be scored

    @classmethod
    def defaults(cls, scale: str, kind: str = "examples") -> dict[str, Any]:
        if scale == "paper":
            return shared_weights_recipe(kind)
        if kind == "tokens":  # four paths a step by the sandwich rule, and gradients are small
            return {"epochs": 12, "batch_size": 64, "learning_rate": 0.3}
        small = {"epochs": 60, "batch_size": 64, "learning_rate": 0.05}
        return small | shared_weights_recipe(kind)

    @classmethod
    def require(cls, space: SearchSpace, settings: SupernetSettings) -> None:
        paths_of(space, settings.paths, settings.train_on)

    @property
    def constant(self) -> bool:
        return self.settings.train_on == "uniform"

    # -- training -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Train the supernet, from the last checkpoint if there is one."""
        s, training = self.settings, self.training
        epochs = s.epochs if s.train_on == "uniform" else min(s.warmup_epochs, s.epochs)
        if training.epoch == 0:
            self._resume()
        with self.context.progress.bar("supernet", epochs, training.epoch) as bar:
            while training.epoch < epochs:
                self._say_phase()
                figures = training.run_epoch(self._uniform)
                if training.epoch == epochs or self._saving.due():
                    self._save()
                bar.advance(**figures)

    def _say_phase(self) -> None:
        """Say what is trained from this epoch on, where that is something else than before."""
        training = self.training
        phase = training.schedule.phase(training.epoch).name
        if phase and (
            not training.epoch or phase != training.schedule.phase(training.epoch - 1).name
        ):
            self.context.progress.note(f"supernet, from epoch {training.epoch + 1}: {phase}")

    def _resume(self) -> None:
        file = self._file
        state = load_checkpoint(file) if file else None
        if state is not None:
            with restoring(file):
                self.training.load_state_dict(state)

    def _save(self) -> None:
        if self._file:
            with self._saving.saving():
                save_checkpoint(self._file, self.training.state_dict())

    @property
    def _file(self) -> Any:
        return self.context.folder and self.context.folder / "supernet.pt"

    def _uniform(self, rng: np.random.Generator) -> Architecture:
        return self.context.space.sample(rng, 1)[0]

    # -- training on proposals ----------------------------------------------------------------

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        """Count a proposal; train on the last ones when there are enough."""
        s = self.settings
        if s.train_on == "uniform" or self.training.epoch >= s.epochs:
            return
        self._observed += 1
        if measurement.ok:
            self._recent.append(architecture)
        if self._observed < s.proposals_per_epoch:
            return
        self.training.run_epoch(self._proposed if self._recent else self._uniform)
        self._observed, self._recent = 0, []

    def _proposed(self, rng: np.random.Generator) -> Architecture:
        return self._recent[int(rng.integers(len(self._recent)))]

    def state_dict(self) -> dict[str, Any]:
        if self.settings.train_on == "uniform":
            return {}
        recent = [list(architecture.choices) for architecture in self._recent]
        counts = {"observed": self._observed, "failures": self.training.failures}
        return {**self.training.state_dict(), **counts, "recent": recent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.settings.train_on == "uniform":
            return
        self.training.load_state_dict(state)
        self._observed, self.training.failures = int(state["observed"]), int(state["failures"])
        name = self.context.space.name
        self._recent = [Architecture(name, tuple(choices)) for choices in state["recent"]]

    # -- scoring ------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        s = self.settings
        if s.train_on == "uniform" or self.training.epoch >= s.epochs:
            return s.score_together
        # The weights change after the last of these is observed.
        return min(s.score_together, s.proposals_per_epoch - self._observed)

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        [path] = self._paths([architecture])
        [score] = score_paths(self.supernet, [path], self.context.task, "valid", self.settings)
        return score

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        """Return what `evaluate` gives for each; what they share is computed once."""
        return try_paths(
            self.supernet,
            self._paths(architectures),
            self.context.task,
            "valid",
            self.settings,
            before=lambda i: self.seed(architectures[i]),
        )

    def _paths(self, architectures: Sequence[Architecture]) -> list[Path]:
        return [self.supernet.path(architecture) for architecture in architectures]

    def weights_of(self, architecture: Architecture) -> nn.Module:
        path = self.supernet.path(architecture)
        settings = replace(self.settings, batch_norm="recalibrate")
        # Leaves this candidate's batch norm statistics behind.
        score_path(self.supernet, path, self.context.task, "valid", settings)
        return self.supernet.extract(architecture)
