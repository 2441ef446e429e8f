"""The controller of `rl`: its network, its updates, and what it knows of what is feasible."""
