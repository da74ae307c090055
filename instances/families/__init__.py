"""One family a file; the file, the function in it and the id have the same name."""
