"""What a comparison knows of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.facts import Facts, facts_of, objective_of


def test_facts_of_a_maximised_metric(home: Path) -> None:
    facts = facts_of("made:toy", open_benchmark("made:toy"))
    assert (facts.metric, facts.label) == ("accuracy", "valid accuracy")
    assert facts.optimum == pytest.approx(0.9) and facts.worst == pytest.approx(0.5 + 0.4 / 24)
    assert facts.typical == pytest.approx(0.7, abs=1e-3)
    assert facts.trainings == 1 and facts_of("n", open_benchmark("noisy:toy")).trainings == 3
    assert facts.reported == ("test_accuracy",) and facts.architectures == 15625
    assert set(facts.shares) == {"accuracy", "test_accuracy"}
    assert facts.described == (
        "searched on: valid accuracy on toy, 12 epochs",
        "reported: test accuracy on toy, 200 epochs",
    )
    assert facts.regret(0.8) == pytest.approx(0.1)
    assert facts.range_of("test_accuracy") == pytest.approx((0.89, 0.5 + 0.4 / 24 - 0.03))


def test_facts_of_a_minimised_metric(home: Path) -> None:
    benchmark = open_benchmark("made:loss")
    facts = facts_of("made:loss", benchmark)
    assert facts.optimum == pytest.approx(0.1) and facts.worst > 0.45
    assert facts.regret(0.3) == pytest.approx(0.2) and "loss" not in facts.shares
    assert objective_of(benchmark).text == "-loss"


def test_json_and_identity(home: Path) -> None:
    facts, other = (facts_of("x", open_benchmark(name)) for name in ("made:toy", "other:toy"))
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert facts.identity != other.identity  # other contents, though all else is alike


def test_records_without_ranges_of_what_is_reported(home: Path) -> None:
    facts = facts_of("made:toy", open_benchmark("made:toy"))
    old = {k: v for k, v in facts.to_json().items() if k != "reported_ranges"}
    assert Facts.from_json(old).reported_ranges == ()
