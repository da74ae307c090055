"""One family of policies a file; every file has ``CARDS``."""
