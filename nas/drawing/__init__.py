"""The parts that `nas.draw` is made of."""
