"""Serving machines: addresses that are listened on, a small bounded HTTP server, and what monitoring asks for."""
