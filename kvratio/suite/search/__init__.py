"""Search for the instances that hurt a policy most, and the book of the worst ones known."""
