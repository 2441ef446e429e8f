"""The contract of evaluators: every registered one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("nas.testing")

from every import EVALUATORS  # noqa: E402
from tiny import tiny_arrays  # noqa: E402

from nas import registry  # noqa: E402
from nas.evaluators.evaluator import Context, Evaluator  # noqa: E402
from nas.registry import resolve_entry  # noqa: E402
from nas.settings import fill  # noqa: E402
from nas.space import SearchSpace  # noqa: E402
from nas.task import Task  # noqa: E402
from nas.testing import EvaluatorContract  # noqa: E402

MORE: dict[str, dict[str, Any]] = {
    "proxy:gradsign+synflow": {"batch_size": 4, "reference": 3},
    "proxy:naswot": {"batch_size": 4, "inputs": "gaussian"},
    "supernet": {"epochs": 1, "train_on": "proposals", "proposals_per_epoch": 2},
}
"""Further settings, tested beside those of `EVALUATORS`."""


def contracts() -> Iterator[type]:
    """Make a test class of every evaluator with some settings."""
    for text, settings in [*EVALUATORS.items(), *MORE.items()]:
        entry, argument = resolve_entry("evaluators", text)
        place = "nas-bench-graph" if text == "table" else "nas-bench-201"

        def make(
            self: Any,
            space: SearchSpace,
            seed: int,
            folder: Path | None = None,
            factory: Any = entry.factory,
            settings: dict[str, Any] = {**settings, **argument},  # noqa: B006
        ) -> Evaluator:
            context = Context(
                space,
                Task.from_arrays(**tiny_arrays(), name="tiny"),
                seed,
                {"channels": 4, "cells": 1},
                {"channels": 4, "cells": 1},
                folder,
            )
            made: Evaluator = factory(context, fill(factory.Settings, settings, "evaluator"))
            return made

        members = {
            "make_space": lambda _, place=place: registry.get("search_spaces", place).factory(),
            "make_evaluator": make,
        }
        label = "_".join([text, *map(str, settings.values())])
        yield type(f"Test_{label}", (EvaluatorContract,), members)


globals().update({cls.__name__: cls for cls in contracts()})
