"""Data only: CACAO 2.0 playbooks."""
