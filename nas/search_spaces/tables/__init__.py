"""Networks on tables."""
