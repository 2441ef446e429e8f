"""The contracts of spaces, strategies, evaluators and data, as tests for authors of plug-ins too.

    class TestMySpace(SpaceContract, SupernetContract):
        def make_space(self) -> SearchSpace:
            return MySpace()

in a test file is all that pytest needs. A space without a supernet gets the tests of the supernet
skipped, with the reason that the space gives.
"""

from __future__ import annotations

from nas.testing.contract import Contract
from nas.testing.data_contract import DataContract
from nas.testing.evaluator_contract import EvaluatorContract
from nas.testing.space_contract import SpaceContract
from nas.testing.strategy_contract import StrategyContract
from nas.testing.supernet_contract import SupernetContract

__all__ = [
    "Contract", "DataContract", "EvaluatorContract", "SpaceContract", "StrategyContract",
    "SupernetContract",
]  # fmt: skip
