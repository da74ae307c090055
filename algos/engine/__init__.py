"""The compiled event-driven engine and the words a policy is written in."""
