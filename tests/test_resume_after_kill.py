"""A search killed at any moment and resumed ends as it would have: the same bytes, on the CPU."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killing import Nas, Outcome

from nas.run import Run

SPACE = ["--space", "nas-bench-201", "--set", "supernet.channels=4", "--set", "network.channels=4"]
SEARCHES: dict[str, list[str]] = {
    "differentiable": ["--strategy", "darts", "--set", "epochs=3", "--set", "batch_size=8"],
    "supernet": ["--strategy", "random", "--evaluations", "4", "--set", "evaluator.epochs=2"],
    "perturbation": ["--strategy", "gdas", "--set", "epochs=2", "--set", "selection=perturbation"],
    "drawn": ["--strategy", "drnas", "--set", "epochs=2", "--set", "solver=second-order"],
    "judged": [
        *("--strategy", "darts", "--set", "epochs=2"),
        *("--evaluator", "train", "--set", "evaluator.epochs=1"),
    ],
    "train": [
        *("--strategy", "random", "--evaluations", "3"),
        *("--evaluator", "train", "--set", "evaluator.epochs=2"),
    ],
}
FAST = ("differentiable", "supernet")


@pytest.fixture(scope="module")
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nas]:
    process = Nas(tmp_path_factory.mktemp("printed"))
    yield process
    process.close()


class Search:
    """One search in as many folders as need be.

    Args:
        nas: Runs commands.
        options: Of the command line.
        place: Where the folders go.
    """

    def __init__(self, nas: Nas, options: list[str], place: Path) -> None:
        self.nas, self.options, self.place = nas, options, place
        self.folder = place / "run"
        self.moments = self._finish(self.start()).moments
        self.expected = everything(self.folder)

    def start(self, kill_at: int = 0) -> Outcome:
        """Start anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.run(kill_at)

    def run(self, kill_at: int = 0) -> Outcome:
        """Start, or continue with the same command."""
        arguments = ("search", *self.options, "--out", self.folder)
        return self.nas.run(*arguments, folder=self.folder, kill_at=kill_at)

    def resume(self, kill_at: int = 0) -> Outcome:
        """Continue by name."""
        return self.nas.run("resume", self.folder, folder=self.folder, kill_at=kill_at)

    @staticmethod
    def _finish(outcome: Outcome) -> Outcome:
        assert outcome.status == 0, outcome.stderr
        return outcome

    def kill_and_resume(self, kill_at: int) -> None:
        """Be killed once, continue, compare."""
        killed = self.start(kill_at)
        assert killed.status == -signal.SIGKILL, killed.stderr
        started = (self.folder / "config.json").exists()
        self._finish(self.resume() if started else self.run())
        assert everything(self.folder) == self.expected

    def kill_often(self, seed: int) -> int:
        """Be killed again and again, compare at the end; return how many times."""
        rng = random.Random(seed)
        outcome, kills = self.start(rng.randint(5, 25)), 0
        while outcome.status == -signal.SIGKILL:
            kills += 1
            assert kills < 50
            outcome = self.run(rng.randint(15, 30))
        self._finish(outcome)
        assert everything(self.folder) == self.expected
        return kills


def everything(folder: Path) -> dict[str, Any]:
    """Return all that a run found and recorded, but for what took how long."""
    assert (folder / "best.png").stat().st_size and (folder / "report.html").stat().st_size
    trials = [
        (trial.number, trial.state, trial.values, trial.params, trial.user_attrs["choices"])
        for trial in Run(folder).study.trials
    ]
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for event in events:
        event.pop("seconds", None)
    return {
        "best": (folder / "best.json").read_text(),
        "weights": (folder / "best.safetensors").read_bytes(),
        "trials": trials,
        "log": events,
        "files": sorted(path.name for path in folder.rglob("*")),
    }


@pytest.fixture(
    scope="module",
    params=[
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SEARCHES
    ],
)
def search(
    request: pytest.FixtureRequest,
    nas: Nas,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_npz: Path,
) -> Search:
    options = [*SPACE, "--data", f"npz:{tiny_npz}", *SEARCHES[request.param]]
    return Search(nas, options, tmp_path_factory.mktemp(request.param))


def test_killed_at_one_moment(search: Search) -> None:
    for kill_at in range(5, search.moments, search.moments // 5):
        search.kill_and_resume(kill_at)


def test_killed_again_and_again(search: Search) -> None:
    assert search.kill_often(seed=0) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("search", FAST, indirect=True)
def test_killed_at_every_moment(search: Search) -> None:
    for kill_at in range(1, search.moments + 1):
        search.kill_and_resume(kill_at)


def test_a_real_kill(tmp_path: Path, tiny_npz: Path) -> None:
    """By the command line of another process, whenever the signal happens to come."""
    folder = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "nas.cli", "search", *SPACE, "--data", f"npz:{tiny_npz}"),
        *("--strategy", "darts", "--set", "epochs=300", "--out", str(folder), "--quiet"),
    ]
    environment = {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (folder / "checkpoint" / "search.pt").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    _, stderr = process.communicate()
    assert process.returncode == -signal.SIGKILL, stderr.decode()
    epochs = [e for e in Run(folder).events() if e["event"] == "epoch"]
    assert 0 < len(epochs) < 300
    assert not (folder / "best.json").exists()
