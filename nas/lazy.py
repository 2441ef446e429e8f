"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["export_lazily"]


def export_lazily(package: str, homes: Mapping[str, str]) -> None:
    """Let a package export names whose modules are imported when they are asked for.

    So that importing it stays free of torch. A function may have the name of its file: it is the
    function that the package exports, also after the file was imported.

    Args:
        package: Its `__name__`.
        homes: Name -> the module that defines it.
    """

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in homes:
                raise AttributeError(f"module '{package}' has no attribute '{name}'")
            value = getattr(import_module(homes[name]), name)
            setattr(self, name, value)
            return value

        def __setattr__(self, name: str, value: object) -> None:
            if not (name in homes and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Package
