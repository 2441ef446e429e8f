"""Networks of inverted residual blocks whose sizes are chosen."""
