"""From paths to bytes to records: walking folders and archives, lines, JSON in all its shapes, times."""
