"""Exact optimum of small instances: backward label setting under prices from an LP with cuts."""

from lowerbounds.exact.driver import SearchResult, search

__all__ = ["SearchResult", "search"]
