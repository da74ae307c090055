"""Which requests to start together: batches with the least sum of lengths over squared number (sorted_f)."""
