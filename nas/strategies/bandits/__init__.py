"""The algorithms of `cmab` and `manas`."""
