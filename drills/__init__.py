"""Data only: exercise scenarios."""
