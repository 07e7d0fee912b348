"""Source health: is every source still sending, at its usual rate, in its usual form, with a right clock."""
