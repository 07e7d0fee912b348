"""Live intake: what listens, watches and follows, and hands over what it read to the collect task."""
