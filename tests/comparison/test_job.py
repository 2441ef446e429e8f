"""One repeat as a job."""

from __future__ import annotations

import pytest
import torch

from nas.comparison.job import Job, one_thread, run_job
from nas.comparison.simulate import Budget

pytestmark = pytest.mark.usefixtures("home")


def job(repeat: int = 0, seed: int = 0, strategy: str = "random") -> Job:
    return Job("made:toy", strategy, repeat, seed, Budget(12))


def test_a_repeat_follows_from_its_seed_alone() -> None:
    first = run_job(job())
    torch.manual_seed(5)
    assert run_job(job()).choices == first.choices
    assert run_job(job(repeat=1)).choices != first.choices
    assert run_job(job(seed=1)).choices != first.choices
    assert first.key == ("made:toy", "random", 0) and len(first) == 12 and first.wall > 0


def test_settings_reach_the_strategy() -> None:
    """A population larger than the budget is random search."""
    few = Job("made:toy", "evolution", 0, 0, Budget(30), {"population": 2, "tournament": 2})
    many = Job("made:toy", "evolution", 0, 0, Budget(30), {"population": 99, "tournament": 2})
    assert run_job(few).choices[:2] == run_job(many).choices[:2]
    assert run_job(few).choices != run_job(many).choices


def test_one_thread_is_for_the_block_only() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_a_job_says_what_it_is() -> None:
    assert str(job(3)) == "random on made:toy, repeat 3"


def test_settings_do_not_change_the_seed() -> None:
    plain, other = (
        run_job(job(strategy="evolution")),
        run_job(job(strategy="evolution?mutations=2")),
    )
    assert plain.seed == other.seed
    assert other.key == ("made:toy", "evolution?mutations=2", 0)


def test_the_seed_is_that_of_before() -> None:
    """Results that were recorded stay what a new run would give."""
    assert run_job(job()).seed == 89340405629548


def test_initial_designs_are_common_to_all_strategies_of_a_repeat() -> None:
    def first(strategy: str, repeat: int = 0, seed: int = 0) -> list[list[int]]:
        made = Job("made:toy", strategy, repeat, seed, Budget(12), initial=6)
        return run_job(made).choices[:6]

    common = first("random")
    assert len({str(choices) for choices in common}) == 6
    for strategy in ("evolution", "evolution?population=4&tournament=2", "rl", "local-search"):
        assert first(strategy) == common
    assert first("random", repeat=1) != common and first("random", seed=1) != common


def test_an_initial_design_is_the_initial_sample() -> None:
    """Evolution with as many members has its sample then, and goes on with mutants of it."""
    made = Job("made:toy", "evolution?population=6&tournament=6", 0, 0, Budget(7), initial=6)
    *sample, child = run_job(made).choices
    best = max(sample, key=sum)
    assert sum(a != b for a, b in zip(best, child, strict=True)) == 1
