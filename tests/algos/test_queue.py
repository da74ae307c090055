"""The priority queue of policies is a sorted list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from algos.engine import queue

N = 12
STEPS = st.lists(
    st.tuples(st.sampled_from("pushpoprmcl"), st.integers(0, N - 1), st.integers(0, 3), st.integers(-2, 2))
)


@given(steps=STEPS, offset=st.integers(0, 3))
def test_queue_is_a_sorted_list(steps, offset):
    """After any steps the top is the smallest (first, second, item), and the rest of the array is untouched."""
    words = np.zeros(queue.words_needed(N) + offset + 2, np.int64)
    q = queue.Queue(words, offset, N)
    model: dict[int, tuple[int, int]] = {}
    for step, item, first, second in steps:
        if step in "push":
            queue.push(q, item, first, second)
            model[item] = first, second
        elif step in "m":
            queue.remove(q, item)
            model.pop(item, None)
        elif step in "c":
            queue.clear(q)
            model.clear()
        else:
            least = min(model, key=lambda i: (*model[i], i), default=-1)
            assert queue.pop(q) == least
            model.pop(least, None)
        least = min(model, key=lambda i: (*model[i], i), default=-1)
        assert queue.top(q) == least
        assert queue.size(q) == len(model)
        assert least < 0 or queue.top_key(q) == model[least][0]
        assert [queue.contains(q, i) for i in range(N)] == [i in model for i in range(N)]
    assert not words[:offset].any()
    assert not words[offset + queue.words_needed(N) :].any()
