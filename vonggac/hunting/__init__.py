"""Hunting: what an analyst asks of stored events, in words, and what the answer comes to."""
