"""One log source a file: bytes in, Events out."""
