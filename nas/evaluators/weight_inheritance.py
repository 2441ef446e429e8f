"""Every candidate is trained for few epochs, from weights that earlier candidates have left.

Source: Zhou et al., Auto-GNN: Neural Architecture Search of Graph Neural Networks (AGNN),
arXiv:1909.03184, sec. 4.3: weights are passed on only between layers that agree in the shapes of
their weights, the attention and the activation; those of batch norm and skip connections never are.
Whose weights are passed on where several candidates agree is a choice of ours (`leave`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nas import registry
from nas.errors import unknown
from nas.evaluators.evaluator import Context
from nas.evaluators.train import CandidateSettings, TrainEvaluator
from nas.objective import Measurement
from nas.settings import require_ranges, setting
from nas.space import Architecture, SearchSpace
from nas.training import Stop

if TYPE_CHECKING:
    from nas.task import TaskInfo

__all__ = ["WeightInheritanceEvaluator", "WeightInheritanceSettings", "shareable"]

LEAVE = ("best", "latest")
_MEGABYTE = 2**20
_SKIPS = ("skip", "shortcut", "downsample", "identity", "factorizedreduce")
_ANY = object()  # stands for the key of a module that has none


@dataclass
class WeightInheritanceSettings(CandidateSettings):
    """How a candidate is trained, and what it leaves to others."""

    leave: str = setting(
        "best", "whose weights others start from: best, of those that agree, or latest"
    )
    store_megabytes: int = setting(256, "most memory for weights; the oldest go first")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.leave not in LEAVE:
            raise unknown("evaluator.leave", self.leave, LEAVE)
        ranges = {"store_megabytes": (self.store_megabytes >= 0, "at least 0")}
        require_ranges(self, self.group, ranges)


@registry.register(
    "evaluators",
    "weight-inheritance",
    "candidates trained for few epochs, from the weights of earlier ones that agree with them",
    "Zhou et al., Auto-GNN: Neural Architecture Search of Graph Neural Networks, arXiv:1909.03184",
)
class WeightInheritanceEvaluator(TrainEvaluator):
    """Train a network of its own for every candidate, but not all of it from scratch.

    A module starts with the weights that earlier candidates of the search have left for one that
    agrees with it (see `shareable`), of the one that scored best among these (by what is searched)
    or of the latest; other modules start afresh. The metric "inherited" is the share of parameters
    that were found. What an architecture scores depends on when it is evaluated: later ones start
    from more, and so does one that is proposed again.
    """

    Settings = WeightInheritanceSettings
    metrics = ("accuracy", "loss", "inherited")
    settings: WeightInheritanceSettings

    def __init__(self, context: Context, settings: WeightInheritanceSettings | None = None) -> None:
        super().__init__(context, settings or WeightInheritanceSettings())
        self._store: dict[str, dict[str, Any]] = {}  # "score", "weights": name -> tensor
        self._best: dict[str, Any] | None = None  # the same of a whole network, with its "choices"
        self._observed = 0  # how often the store may have changed
        self._trained_at = 0
        self._inherited = 0.0

    @classmethod
    def defaults(cls, scale: str, kind: str = "examples") -> dict[str, Any]:
        """Return half as many epochs as for candidates that are trained from scratch."""
        usual = super().defaults(scale, kind)
        return usual | {"epochs": usual["epochs"] // 2}

    @classmethod
    def metrics_for(cls, space: SearchSpace, info: TaskInfo) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().metrics_for(space, info), "inherited")))

    @property
    def constant(self) -> bool:
        return False

    # -- one candidate ------------------------------------------------------------------------

    def _network(self, architecture: Architecture) -> nn.Module:
        network = super()._network(architecture)
        found = 0
        for key, weights in shareable(network).items():
            if key in self._store:
                network.load_state_dict(self._store[key]["weights"], strict=False)
                found += sum(tensor.numel() for tensor in weights.values())
        every = sum(tensor.numel() for tensor in network.state_dict().values())
        self._inherited = found / max(every, 1)
        return network

    def _trained(self, architecture: Architecture, stop: Stop | None) -> dict[str, float]:
        metrics = super()._trained(architecture, stop)
        self._trained_at = self._observed
        return metrics | {"inherited": self._inherited}

    # -- what it leaves -----------------------------------------------------------------------

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        """Keep the weights of a candidate for others."""
        network = self._judged(architecture, measurement) if measurement.ok else None
        super().observe(architecture, measurement)
        if network is None:
            return
        self._observed += 1
        score = self._goal.sign * measurement.metrics[self._goal.metric]
        for key, weights in shareable(network).items():
            self._leave(key, score, weights)
        self._limit()
        if self._best is None or score > self._best["score"]:
            choices = list(architecture.choices)
            self._best = {"choices": choices, **_kept(score, network.state_dict())}

    def _judged(self, architecture: Architecture, measurement: Measurement) -> nn.Module | None:
        """Return the trained network; it is trained again if it only stands in the record.

        Also where something was observed since it was trained: what it leaves follows from what
        was observed, and in which order, alone.
        """
        fresh = self._trained_at == self._observed
        if self._last is None or self._last[0] != architecture or not fresh:
            self.seed(architecture)
            try:
                self._trained(architecture, _after(measurement.metrics.get("epochs")))
            except Exception:  # such as too little memory now: then it leaves nothing
                return None
        assert self._last is not None
        return self._last[1]

    def _leave(self, key: str, score: float, weights: dict[str, Tensor]) -> None:
        there = self._store.get(key)
        if there and self.settings.leave == "best" and there["score"] > score:
            return
        self._store.pop(key, None)  # to the end: the newest
        self._store[key] = _kept(score, weights)

    def _limit(self) -> None:
        """Forget what was kept first where there is too much."""
        sizes = {key: _bytes(kept["weights"]) for key, kept in self._store.items()}
        total = sum(sizes.values())
        for key, size in sizes.items():
            if total <= self.settings.store_megabytes * _MEGABYTE:
                return
            del self._store[key]
            total -= size

    def state_dict(self) -> dict[str, Any]:
        state = {"store": dict(self._store), "best": self._best}
        return state | {"halving": super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state["halving"])
        self._store = {key: _scored(kept) for key, kept in state["store"].items()}
        self._best = state["best"] and _scored(state["best"])
        self._observed += 1

    def weights_of(self, architecture: Architecture) -> nn.Module:
        """Return the network that was judged, if it is the most accurate one or the last.

        Any other is trained again, from the weights that are kept now.
        """
        best = self._best
        judged_last = self._last is not None and self._last[0] == architecture
        if best and not judged_last and best["choices"] == list(architecture.choices):
            network = TrainEvaluator._network(self, architecture)
            network.load_state_dict(best["weights"])
            self._last, self._trained_at = (architecture, network), -1
        return super().weights_of(architecture)


def shareable(network: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return the weights that may be passed on, by what modules must agree in.

    That is the name in the network, the class, and the shapes of all parameters and buffers. A
    module with an attribute `sharing_key` is taken as a whole, with the modules in it, and its key
    must be equal too; where the key is None it is never shared. Neither are normalisation layers,
    known by their class, nor skip connections, known by the name of the class or the attribute.

    Returns:
        What must be equal, as a text -> name in the network's state -> tensor.
    """
    state = network.state_dict()
    found = {}
    for name, module, key, own in _units(network, "", "", False):
        weights = {n: state[n] for n in own if n in state}
        if any(is_lazy(tensor) for tensor in weights.values()):
            continue
        shapes = {n.removeprefix(name): list(tensor.shape) for n, tensor in weights.items()}
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        text = "" if key is _ANY else repr(key)
        found[f"{name}|{kind}|{text}|{sorted(shapes.items())}"] = weights
    return found


def _units(
    module: nn.Module, name: str, attribute: str, inside: bool
) -> Iterator[tuple[str, nn.Module, Any, list[str]]]:
    """Find what is shared as a whole: name with a dot, module, key, names of its weights."""
    key = getattr(module, "sharing_key", _ANY)
    if key is None or _never(module, attribute):
        return
    if key is not _ANY and not inside:
        parts = [own for *_, own in _units(module, name, attribute, True)]
        yield name, module, key, [n for own in parts for n in own]
        return
    parameters = [n for n, _ in module.named_parameters(recurse=False)]
    if parameters:
        buffers = [n for n, _ in module.named_buffers(recurse=False)]
        yield name, module, _ANY, [f"{name}{n}" for n in (*parameters, *buffers)]
    for child_name, child in module.named_children():
        yield from _units(child, f"{name}{child_name}.", child_name, inside)


def _never(module: nn.Module, attribute: str) -> bool:
    kinds = [kind.__name__.lower() for kind in type(module).__mro__]
    if any("norm" in kind for kind in kinds):
        return True
    return any(skip in name for name in (attribute.lower(), kinds[0]) for skip in _SKIPS)


def _after(epochs: float | None) -> Stop | None:
    """Return the rule that ends a training after so many epochs; None is all."""
    return None if epochs is None else lambda epoch, judge: epoch == epochs


def _kept(score: float, weights: dict[str, Tensor]) -> dict[str, Any]:
    copies = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
    return {"score": score, "weights": copies}


def _scored(kept: dict[str, Any]) -> dict[str, Any]:
    """Read what was kept; the score was once called "accuracy", which it was."""
    score = kept.get("score", kept.get("accuracy"))
    return {**kept, "score": score}


def _bytes(weights: dict[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
