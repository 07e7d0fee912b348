"""One way of seeing a file or package: Events in, Alerts out."""
