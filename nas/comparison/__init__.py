"""Strategies compared on tables, evaluators compared with tables, and tables made anew."""
