"""Writing Python source: what `nas.export.python_source` is built from."""
