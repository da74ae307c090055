"""The ordered bit set behaves as a sorted Python set."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from algos.engine import bitset
from kvratio.problem.compiled import compiled

first, last, following, insert, discard, contains, clear = (
    compiled(lambda w: bitset.first(w)),
    compiled(lambda w: bitset.last(w)),
    compiled(lambda w, x, n: bitset.following(w, x, n)),
    compiled(lambda w, x: bitset.insert(w, x)),
    compiled(lambda w, x: bitset.discard(w, x)),
    compiled(lambda w, x: bitset.contains(w, x)),
    compiled(lambda w, n: bitset.clear_all(w, n)),
)


@given(st.data())
def test_bitset_equals_a_sorted_set(data):
    """Every question has the answer a plain set gives, for sizes around the powers of 64, in dirty oversized memory."""
    n = data.draw(st.sampled_from([1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 9000]))
    words = np.full(bitset.words_needed(n) + data.draw(st.integers(0, 5)), -1, np.int64)
    clear(words, n)
    members: set[int] = set()
    number = st.integers(0, n - 1)
    for put, x in data.draw(st.lists(st.tuples(st.booleans(), number), max_size=60)):
        (insert if put else discard)(words, x)
        (members.add if put else members.discard)(x)
    assert first(words) == min(members, default=-1)
    assert last(words) == max(members, default=-1)
    for x in data.draw(st.lists(number, min_size=1, max_size=10)):
        assert contains(words, x) == (x in members)
        assert following(words, x, n) == min((m for m in members if m >= x), default=-1)
    assert following(words, n, n) == -1
