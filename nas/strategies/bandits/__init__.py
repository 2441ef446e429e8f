"""The algorithms of `bandit`."""
