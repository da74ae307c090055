"""Studies: a ratio against one quantity, each one suite, one figure and one table (`kvratio study`)."""
