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
