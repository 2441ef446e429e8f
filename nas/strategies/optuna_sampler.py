"""One sampler of Optuna for a whole search, that draws in every trial what a new one would."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from nas.errors import NasError, unknown

__all__ = ["ENUMERATING", "EXCESSES", "TrialSampler", "check_options", "samplers", "starts_with"]

ENUMERATING = ("bruteforce", "grid")
"""Samplers that list the space, and end."""
EXCESSES = "constraints"
"""The attribute of a trial under which Optuna looks for what `constraints_func` returned."""
_CONSTRAINED = ("gp", "nsgaii", "nsgaiii", "tpe")
_ONE_SEED = ("qmc", "grid")  # what they draw is one sequence
_FORGETFUL = ("gp",)  # it keeps fits of its kernels, which no state would have
_LEFT_OUT = ("Base", "BaseGA", "PartialFixed")
_STARTS = {"n_startup_trials", "population_size"}


def samplers() -> dict[str, type[optuna.samplers.BaseSampler]]:
    """Return Optuna's samplers by name: its class in lower case, without "Sampler"."""
    classes = {
        name.removesuffix("Sampler"): getattr(optuna.samplers, name)
        for name in dir(optuna.samplers)
        if name.endswith("Sampler")
    }
    return {name.lower(): cls for name, cls in classes.items() if name not in _LEFT_OUT}


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse arguments that a sampler does not have.

    Raises:
        NasError: With the nearest that it has.
    """
    own = ("seed", "search_space", "constraints_func")  # are given by the strategy
    allowed = inspect.signature(samplers()[name]).parameters.keys() - own
    for option in options:
        if option not in allowed:
            raise unknown(f"argument of sampler {name}", option, allowed)


def starts_with(name: str, options: Mapping[str, Any]) -> int:
    """Return how many trials a sampler draws at random before it learns; 0 if it never does."""
    parameters = inspect.signature(samplers()[name]).parameters
    for argument in _STARTS & parameters.keys():
        return int(options.get(argument, parameters[argument].default))
    return 0


class TrialSampler:
    """Makes a sampler, and gives it in every trial the random numbers of that trial.

    So all that changes is in the study, and a state can be saved without what a sampler remembers
    only to be faster. Most draw from a seed of the trial; what is one sequence, from one seed.

    Args:
        name: Of `samplers()`.
        options: Its arguments.
        seed: Of all trials.
        grid: Parameter -> its values; only for sampler "grid".
        limited: Whether trials have excesses over limits.

    Raises:
        NasError: If the options do not go together.
    """

    def __init__(
        self,
        name: str,
        options: str,
        seed: int,
        grid: Mapping[str, Sequence[int]],
        limited: bool,
    ) -> None:
        self.name, self.seed = name, seed
        self._options: dict[str, Any] = json.loads(options)
        self._given = options
        parameters = inspect.signature(samplers()[name]).parameters
        known = hasattr(FrozenTrial, "constraints")  # since Optuna 5, without a function
        self.heeds_limits = name in _CONSTRAINED and (known or "constraints_func" in parameters)
        """Whether it learns from excesses."""
        if limited and "constraints_func" in parameters:
            self._options["constraints_func"] = _excesses
        if name == "grid":
            self._options["search_space"] = grid
        if name == "tpe":  # what is being evaluated counts as bad, so that it is not asked again
            self._options.setdefault("constant_liar", True)
        elif "warn_independent_sampling" in parameters:  # as happens with conditional decisions
            self._options.setdefault("warn_independent_sampling", False)
        self._seeded = "seed" in parameters
        self._sampler = self._make(seed)
        self._sources = [*_sources(self._sampler)]
        self._fresh = [source.get_state() for source in self._sources]

    def of(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the sampler for the trial of a number."""
        seed = (self.seed + 7919 * number) % 2**32
        if self.name in _FORGETFUL:
            return self._make(seed)
        for source, state in zip(self._sources, self._fresh, strict=True):
            if self.name in _ONE_SEED:
                source.set_state(state)
            else:
                source.seed(seed)
        return self._sampler

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        make: Callable[..., optuna.samplers.BaseSampler] = samplers()[self.name]
        seeded = {"seed": seed % 2**32} if self._seeded else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna
            try:
                return make(**self._options, **seeded)
            except ImportError as error:
                raise NasError(f"sampler {self.name} needs a missing package: {error}") from error
            except (TypeError, ValueError) as error:
                raise NasError(f"sampler {self.name}, {self._given}: {error}") from error


def _excesses(trial: FrozenTrial) -> Sequence[float]:
    excesses: Sequence[float] = trial.system_attrs[EXCESSES]
    return excesses


def _sources(sampler: optuna.samplers.BaseSampler) -> Iterator[np.random.RandomState]:
    """Yield what a sampler, and those that it is made of, draw from."""
    for part in vars(sampler).values():
        source = getattr(part, "rng", None)
        if isinstance(source, np.random.RandomState):
            yield source
        elif isinstance(part, optuna.samplers.BaseSampler):
            yield from _sources(part)
