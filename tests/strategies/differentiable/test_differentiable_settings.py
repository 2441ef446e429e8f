"""The settings of the DARTS family."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nas.errors import NasError
from nas.strategies.differentiable.settings import DifferentiableSettings

NAN, INF = float("nan"), float("inf")


def test_the_defaults_are_those_of_darts() -> None:
    """Liu et al., arXiv:1806.09055, app. A.1."""
    s = DifferentiableSettings()
    assert (s.epochs, s.batch_size, s.warm_up) == (50, 64, 0.0)
    assert (s.weight_lr, s.weight_lr_min, s.momentum) == (0.025, 0.001, 0.9)
    assert (s.weight_decay, s.grad_clip) == (3e-4, 5.0)
    assert (s.gate_lr, s.gate_weight_decay) == (3e-4, 1e-3)
    assert (s.relaxation, s.solver, s.selection) == ("softmax", "first-order", "magnitude")
    assert (s.partial_channels, s.edge_gates, s.regularisers) == (1, False, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("epochs", v) for v in (0, -1)),
        *(("batch_size", v) for v in (0, -5)),
        ("partial_channels", 0),
        *(("warm_up", v) for v in (-0.1, 1.0, NAN)),
        *((name, v) for name in ("weight_lr", "gate_lr") for v in (0.0, -1.0, NAN, INF)),
        *((f"temperature_{end}", v) for end in ("start", "end") for v in (0.0, -1.0, NAN, INF)),
        *((name, v) for name in ("weight_decay", "gate_weight_decay") for v in (-1.0, NAN)),
        *(("momentum", v) for v in (-0.1, 1.0, NAN)),
        *(("gate_travel", v) for v in (0.0, -1.0, NAN, INF)),
        *(("grad_clip", v) for v in (0.0, -1.0, NAN)),
        *(("regulariser_scale", v) for v in (-1.0, NAN)),
        *(("weight_lr_min", v) for v in (-1.0, NAN)),
        *(("stop_at_identities", v) for v in (0, -1)),
        ("perturbation_epochs", -1),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(
        NasError, match=rf"^strategy\.{name}={value!r}: expected .+".replace("+", ".")
    ):
        DifferentiableSettings(**{name: value})


def test_the_optimiser_of_the_weights() -> None:
    with pytest.raises(NasError, match=r"strategy\.weight_optimizer 'adma'\. Did you mean 'adam'"):
        DifferentiableSettings(weight_optimizer="adma")
    with pytest.raises(NasError, match="second-order differentiates through a step of SGD"):
        DifferentiableSettings(weight_optimizer="adam", solver="second-order")


@pytest.mark.parametrize(
    ("warm_up", "epochs", "frozen"), [(0.0, 5, 0), (0.3, 50, 15), (0.4, 1, 0), (0.9, 5, 4)]
)
def test_warm_up_leaves_an_epoch_for_the_gates(warm_up: float, epochs: int, frozen: int) -> None:
    assert DifferentiableSettings(warm_up=warm_up, epochs=epochs).frozen_epochs == frozen


def test_every_setting_has_help() -> None:
    for field in dataclasses.fields(DifferentiableSettings):
        assert field.metadata["help"], field.name


def test_at_paper_scale_nothing_changes() -> None:
    settings = DifferentiableSettings(epochs=7, batch_size=256)
    assert settings.at("paper") is settings


def test_at_small_scale() -> None:
    settings = DifferentiableSettings(batch_size=256, relaxation="gumbel")
    small = settings.at("small", epochs=40)
    assert (small.epochs, small.batch_size, small.relaxation) == (40, 64, "gumbel")
    assert settings.at("small").epochs < settings.epochs
    assert DifferentiableSettings(batch_size=16).at("small").batch_size == 16


def test_tuning_between_projections() -> None:
    """Five epochs as in DARTS-PT's scripts; fewer where each takes seconds on a CPU."""
    settings = DifferentiableSettings()
    assert settings.at("paper").perturbation_epochs == 5
    assert settings.at("small").perturbation_epochs == 1
    assert settings.at("small").changed({"perturbation_epochs": 0}).perturbation_epochs == 0


def test_changes_of_a_user() -> None:
    small = DifferentiableSettings().at("small")
    changed = small.changed({"epochs": 3, "regularisers": "entropy"})
    assert changed == dataclasses.replace(small, epochs=3, regularisers=("entropy",))
    with pytest.raises(
        NasError, match=r"unknown setting of strategy 'epoch'. Did you mean 'epochs'"
    ):
        small.changed({"epoch": 3})
    with pytest.raises(NasError, match=r"strategy\.epochs='three': expected int"):
        small.changed({"epochs": "three"})


def test_a_learning_rate_of_the_gates_replaces_how_far_they_go() -> None:
    small = DifferentiableSettings().at("small")
    assert small.gate_lr is None
    assert small.changed({"gate_lr": 0.5}).gate_lr == 0.5
    changed = DifferentiableSettings().changed({"gate_travel": 5.0})
    assert (changed.gate_lr, changed.gate_travel) == (None, 5.0)


def test_settings_as_recorded_stay_as_they_are() -> None:
    """A run is resumed with all of its settings."""
    for settings in (DifferentiableSettings(), DifferentiableSettings().at("small")):
        assert DifferentiableSettings().changed(dataclasses.asdict(settings)) == settings
