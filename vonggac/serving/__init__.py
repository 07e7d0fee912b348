"""Serving HTTP to machines: a small bounded server, and what monitoring asks for."""
