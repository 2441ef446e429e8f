"""What is called good and bad, in numbers, as JSON and as text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nas.errors import NasError
from nas.explain.explanation import ExplainSettings, Explanation, explain
from nas.explain.table import as_text
from nas.kernels.structure import structure_of
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture

SPACE = NASBench201()


def worth(architecture: Architecture) -> float:
    """Convolutions are good, more so before the output; pools are bad. From 0 to 1."""
    structure = structure_of(SPACE.graph(architecture), SPACE.identity_ops)
    value = 0.5
    for (_, op), after in zip(structure.labels, structure.successors, strict=True):
        last = any(structure.labels[node][1] == "output" for node in after)
        value += {"nor_conv_3x3": 0.04, "avg_pool_3x3": -0.03}.get(op, 0.0) * (1 + last)
    return value


def explained(n: int = 60, metric: str = "accuracy", **settings: object) -> Explanation:
    some = SPACE.sample(np.random.default_rng(0), n)
    sign = -1 if metric.startswith("-") else 1
    values = [sign * worth(a) for a in some]
    return explain(SPACE, some, values, metric, ExplainSettings(**settings))  # type: ignore[arg-type]


def test_convolutions_are_good_and_pools_are_bad() -> None:
    found = explained()
    assert "nor_conv_3x3" in found.good[0].motif.text
    assert all(effect.change > 0 for effect in found.good)
    assert all(effect.change < 0 for effect in found.bad)
    assert not any(effect.motif.text == "nor_conv_3x3" for effect in found.bad)
    assert found.correlation > 0.8
    changes = [effect.change for effect in found.effects]
    assert len(found.good) <= np.ceil(0.25 * len(changes)) + 1
    assert changes == sorted(changes, reverse=True)


def test_of_what_is_minimised_the_good_lowers() -> None:
    up, down = explained(), explained(metric="-loss")
    assert [e.motif for e in up.good] == [e.motif for e in down.good]
    assert down.good[0].change == pytest.approx(-up.good[0].change)
    assert "What lowers loss (good)" in as_text(down, 3)
    assert "What raises loss (bad)" in as_text(down, 3)


def test_how_often_a_sub_structure_must_be_seen() -> None:
    assert explained(60).min_count == 10
    assert explained(20).min_count == 4
    assert explained(6).min_count == 2
    assert explained(60, min_count=3).min_count == 3
    assert 3 <= min(effect.count for effect in explained(60, min_count=3).effects) < 10


def test_json_has_it_all() -> None:
    found = explained()
    data = json.loads(json.dumps(found.to_json()))
    assert data["architectures"] == 60
    assert data["metric"] == "accuracy"
    assert len(data["effects"]) == len(found.effects)
    assert data["good"][0]["motif"] == found.good[0].motif.text
    assert data["good"][0]["change"] == found.good[0].change


def test_shares_are_shown_in_points() -> None:
    found = explained()
    assert found.shares
    assert found.shown(0.0123, signed=True) == "+1.23"
    assert found.shown(-0.5) == "-50.00"
    text = as_text(found, 1)
    assert found.good[0].motif.text in text
    assert found.shown(found.good[0].change, signed=True) in text
    assert "  " + found.good[1].motif.text + "\n" not in text
    assert max(map(len, text.splitlines())) < 140
    assert not explained(metric="-loss").shares


def test_too_few_are_refused() -> None:
    with pytest.raises(NasError, match="4 architectures with accuracy are too few"):
        explained(4)


def test_a_low_rank_correlation_is_said() -> None:
    """Values that have nothing to do with the architectures, and values that have."""
    rng = np.random.default_rng(0)
    chance = explain(SPACE, SPACE.sample(rng, 40), rng.random(40).tolist())
    assert chance.correlation < 0.3
    line = "warning: a rank correlation below 0.3: what follows may be chance."
    assert line in as_text(chance, 3).splitlines()
    assert "warning" not in as_text(explained(), 3)


def test_where_all_are_alike_nothing_is_good_or_bad() -> None:
    some = SPACE.sample(np.random.default_rng(0), 20)
    found = explain(SPACE, some, [0.5] * 20)
    assert found.good == found.bad == []
    assert "nothing that was seen often enough" in as_text(found, 3)
    assert json.loads(json.dumps(found.to_json()))["correlation"] is None


def test_settings_out_of_range_are_refused() -> None:
    for name, value in {"min_count": 0, "levels": 11, "tail": 0.6, "top": 0}.items():
        with pytest.raises(NasError, match=f"explain.{name}"):
            ExplainSettings(**{name: value})  # type: ignore[arg-type]
