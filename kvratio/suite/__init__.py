"""The top floor: plan a suite, run its cells, keep the results, and tell what they prove."""
