"""Common timetables: slices, staggered phases, and the kernel that computes completions without an event loop."""
