"""Batches with the smallest F: the order is the slow search's, each set is the best, F is compared exactly."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.batches.order import sorted_f_order
from algos.batches.subsets import is_at_most
from algos.reference.sorted_f import is_batch_feasible
from algos.reference.sorted_f import sorted_f_order as slow_order


@st.composite
def members(draw, most):
    """Draw prompts, lengths and a memory in which each alone fits; small numbers, so that ties abound."""
    memory = draw(st.integers(2, 40))
    n = draw(st.integers(1, most))
    lengths = draw(st.lists(st.integers(1, draw(st.sampled_from([3, memory]))), min_size=n, max_size=n))
    prompts = [draw(st.integers(0, memory - min(memory, e))) for e in lengths]
    return np.array(prompts), np.minimum(lengths, memory), memory


@given(case=members(most=9))
def test_exact_order(case):
    """The exact search gives the slow search's order."""
    prompt, length, memory = case
    expected = slow_order(list(range(len(prompt))), prompt.tolist(), length.tolist(), memory, 12)
    assert sorted_f_order(prompt, length, memory, 12).tolist() == expected


@given(case=members(most=40))
def test_local_order(case):
    """The local search, one scan for all sizes, gives the order of the search that begins anew for each size."""
    prompt, length, memory = case
    expected = slow_order(list(range(len(prompt))), prompt.tolist(), length.tolist(), memory, 0)
    assert sorted_f_order(prompt, length, memory, 0).tolist() == expected


@settings(max_examples=30)
@given(case=members(most=7))
def test_first_set_is_best(case):
    """No feasible set has a smaller F than the one that begins the exact order."""
    prompt, length, memory = case
    order = sorted_f_order(prompt, length, memory, 12).tolist()
    sets = [x for k in range(1, len(order) + 1) for x in combinations(range(len(order)), k)]
    feasible = [x for x in sets if is_batch_feasible(x, prompt.tolist(), length.tolist(), memory)]
    best = min(Fraction(int(length[list(x)].sum()), len(x) ** 2) for x in feasible)
    heads = [tuple(sorted(order[:k])) for k in range(1, len(order) + 1)]
    assert any(head in feasible and Fraction(int(length[list(head)].sum()), len(head) ** 2) == best for head in heads)


@given(case=st.tuples(*[st.integers(1, 2**62)] * 4) | st.tuples(*[st.integers(1, 9)] * 4))
def test_fractions_are_compared_exactly(case):
    """Fractions compare as they should, however large."""
    a, b, c, d = case
    assert is_at_most(a, b, c, d) == (Fraction(a, b) <= Fraction(c, d))
