"""How fast `nas` searches, against plain programs that do the same work: `python -m perf`."""
