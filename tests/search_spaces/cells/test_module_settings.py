"""The settings of networks of modules."""

from __future__ import annotations

import pytest

from nas.errors import NasError
from nas.search_spaces.cells.module_settings import (
    CellModuleSettings,
    ModuleSettings,
    ModuleSupernetSettings,
)

EVERY = (ModuleSettings, CellModuleSettings, ModuleSupernetSettings)


@pytest.mark.parametrize("kind", EVERY)
def test_defaults_are_the_papers(kind: type) -> None:
    settings = kind()
    assert (settings.channels, settings.blocks, settings.stem) == (64, 2, "imagenet")


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("wrong", [{"channels": 0}, {"channels": 7}, {"blocks": 0}, {"stem": "x"}])
def test_values_out_of_range_are_refused(kind: type, wrong: dict[str, object]) -> None:
    where = "supernet" if kind is ModuleSupernetSettings else "network"
    [name] = wrong
    with pytest.raises(NasError, match=rf"{where}\.{name}=.*: expected"):
        kind(**wrong)


@pytest.mark.parametrize("kind", EVERY[1:])
@pytest.mark.parametrize("parts", [0, -1, 3])
def test_partial_channels_divide_the_channels(kind: type, parts: int) -> None:
    with pytest.raises(NasError, match=r"partial_channels=.*expected a divisor of .*channels=64"):
        kind(partial_channels=parts)
    assert kind(partial_channels=4).partial_channels == 4


def test_supernets_check_how_they_run() -> None:
    with pytest.raises(NasError, match=r"unknown supernet\.execution 'fast'"):
        ModuleSupernetSettings(execution="fast")
