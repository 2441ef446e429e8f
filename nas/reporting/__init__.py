"""The parts that `nas.report` is made of."""
