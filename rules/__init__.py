"""Data only: Sigma and YARA rules of the house."""
