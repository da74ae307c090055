"""Stability of a worker: theory beside simulation, and advice on a mix of lengths."""
