"""The engine and its hooks run by the Python interpreter: for policies that numba cannot compile, and to judge."""
