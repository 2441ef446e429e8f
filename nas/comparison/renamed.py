"""Folders of results whose strategies or evaluators had other names when they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.aliases import current, recorded, renamed
from nas.comparison.folder import ResultFolder
from nas.registry import KINDS

__all__ = ["NamedResults", "by_current_names"]


class NamedResults(ResultFolder):
    """Results of strategies or evaluators, by today's names.

    Args:
        path: The folder.
        config: Every setting that the results depend on; with a list `kind` of what takes part,
            each as `NAME SETTING=VALUE ...`.
        lines: Name of the file with one JSON object a result.
        growing: Parts of the config that a later command may enlarge.
        kind: "strategies" or "evaluators".
        before: Parts of the config that came later, with what was done before there was a choice.

    Raises:
        NasError: If the folder holds something else, or results of another config.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        lines: str,
        growing: Sequence[str],
        kind: str,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind, self.before = kind, dict(before or {})
        super().__init__(path, config, lines, growing)

    def _read_config(self) -> dict[str, Any]:
        config = {**self.before, **super()._read_config()}
        listed = config.get(self.kind)
        if isinstance(listed, list):
            config[self.kind] = [_described_today(self.kind, str(text)) for text in listed]
        return config

    def results(self) -> list[dict[str, Any]]:
        word = KINDS[self.kind]
        return [
            result | {word: _name_today(self.kind, result[word])}
            if isinstance(result.get(word), str)
            else result
            for result in super().results()
        ]


def _name_today(kind: str, text: str) -> str:
    """Bring `NAME`, or `NAME?SETTING=VALUE&...`, to today's name."""
    name, mark, settings = text.partition("?")
    return current(kind, name) + mark + settings


def _described_today(kind: str, text: str) -> str:
    """Bring `NAME SETTING=VALUE ...` to today's names.

    Where a setting told what is meant, as `algorithm` did once, the results do not name it: they
    stay as they are, which is nothing that can be continued.
    """
    written, *pairs = re.split(r" (?=\w+=)", text)
    values = dict(pair.split("=", 1) for pair in pairs)
    name, mark, own = written.partition("?")
    new, settings = recorded(kind, name, values)
    if new != current(kind, name):
        return text
    return " ".join([new + mark + own, *(f"{key}={value}" for key, value in settings.items())])


def by_current_names(
    kind: str, names: Sequence[str], settings: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Bring names, and settings that are grouped by them, to today's.

    Args:
        kind: "strategies" or "evaluators".
        names: `NAME` or `NAME:VALUE`, each.
        settings: Name -> setting -> value.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, values in settings.items():
        new, own = renamed(kind, name, values)
        groups[new] = groups.get(new, {}) | own
    return [renamed(kind, name, settings.get(name, {}))[0] for name in names], groups
