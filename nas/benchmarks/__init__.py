"""Published tables: one reader a benchmark, one memory-mapped format for all."""
