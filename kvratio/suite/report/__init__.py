"""One self-contained HTML page of a run: ratios, figures, and behind every cell its evidence."""
