"""Scoring paths of a supernet, one after the other or many together."""
