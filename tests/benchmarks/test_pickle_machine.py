"""Several pickles in one buffer, and dictionaries that are taken while one is read."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from nas.benchmarks.pickle_machine import Unpickler
from nas.benchmarks.unpickling import DATA
from nas.errors import NasError


def test_pickles_one_after_another() -> None:
    machine = Unpickler(pickle.dumps([1]) + pickle.dumps({"a": 2}), DATA, "file")
    assert machine.load() == [1]
    assert machine.load() == {"a": 2}
    with pytest.raises(NasError, match="truncated"):
        machine.load()


def test_dictionaries_may_be_emptied_while_a_pickle_is_read() -> None:
    seen = []

    def take(entries: dict[Any, Any]) -> None:
        if "value" in entries:
            seen.append(entries["value"])
            entries.clear()

    data = pickle.dumps({i: {"value": i} for i in range(5)}, 2)
    assert Unpickler(data, DATA, "file", filled=take).load() == {i: {} for i in range(5)}
    assert seen == list(range(5))
