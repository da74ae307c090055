"""Areas of requests: the slow twin, the identity of the two forms, what is left of a request, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio.problem.errors import BadParameter
from stability.capacity import area, remaining_area

lengths = st.integers(0, 3000)
chunk_sizes = st.integers(1, 700)


def footprints(prompt, output, chunk):
    """Yield the memory after each slot, as the model is told: chunks of the prompt, then a token a slot."""
    held = 0
    while held < prompt:
        held = min(held + chunk, prompt)
        yield held
    for _ in range(output):
        held += 1
        yield held


@given(prompt=lengths, output=st.integers(0, 300), chunk=chunk_sizes)
def test_exact_area_is_the_sum_of_the_footprints(prompt, output, chunk):
    """The exact area is what the slot-by-slot walk adds up."""
    assert area(prompt, output, chunk, exact=True) == sum(footprints(prompt, output, chunk))


@given(prompt=st.integers(1, 3000), output=lengths, chunk=chunk_sizes)
def test_exact_less_closed(prompt, output, chunk):
    """The exact form less the closed one is (c/2)(1-f)(2(n-1)+f), s = c(n-1+f), and 0 where c divides s."""
    n = math.ceil(prompt / chunk)
    f = prompt / chunk - (n - 1)
    apart = area(prompt, output, chunk, exact=True) - area(prompt, output, chunk)
    # Both areas are sums of about s^2/c + o^2: their difference is known up to the rounding of these.
    assert apart == pytest.approx(chunk / 2 * (1 - f) * (2 * (n - 1) + f), abs=1e-8 * (1 + area(prompt, output, chunk)))
    if prompt % chunk == 0:
        assert apart == pytest.approx(0, abs=1e-9 * area(prompt, output, chunk))


@given(prompt=lengths, output=st.integers(0, 200), chunk=chunk_sizes, data=st.data())
def test_remaining_area_is_what_is_to_come(prompt, output, chunk, data):
    """After u chunks and v tokens the remaining area is the sum of the later footprints of each part."""
    n = math.ceil(prompt / chunk)
    u, v = data.draw(st.integers(0, n)), data.draw(st.integers(0, output))
    walk = list(footprints(prompt, output, chunk))
    assert remaining_area(prompt, output, u, v, chunk) == sum(walk[u:n]) + sum(walk[n + v :])


def test_remaining_area_of_the_ends():
    """Nothing done: the exact area; all done: 0; arrays are welcome."""
    s, o = np.array([0, 5, 1024, 700]), np.array([3, 0, 1, 10])
    n = np.ceil(s / 512)
    assert (remaining_area(s, o, 0, 0, 512) == area(s, o, 512, exact=True)).all()
    assert (remaining_area(s, o, n, o, 512) == 0).all()


@given(s=st.integers(0, 2000), o=st.integers(0, 2000), chunk=chunk_sizes, exact=st.booleans())
def test_area_grows_in_every_length(s, o, chunk, exact):
    """One more token of prompt or of output always costs area."""
    here = area(s, o, chunk, exact)
    assert area(s + 1, o, chunk, exact) > here
    assert area(s, o + 1, chunk, exact) > here


def test_area_takes_scalars_and_arrays():
    """Single numbers give a float, arrays an array of the broadcast shape."""
    assert isinstance(area(805, 805), float)
    assert area(805, 805) == pytest.approx(973_475.33, abs=0.01)
    assert area([[1], [2]], [1, 2, 3]).shape == (2, 3)
    assert area(np.array([7]), 2).shape == (1,)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((-1, 5), "prompt"),
        ((5, math.nan), "output"),
        (([1, math.inf], [1, 1]), "prompt: entry 1"),
        ((5, 5, 0), "chunk"),
        ((5, 5, -3), "chunk"),
        ((5, 5, 1.5), "chunk"),
        (([1, 2], [1, 2, 3]), "shape"),
        (("many", 1), "prompt"),
    ],
)
def test_area_refuses_in_one_line(arguments, named):
    """Lengths and chunks without meaning are refused with one line that names them."""
    with pytest.raises(BadParameter, match=named) as told:
        area(*arguments)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("u", "v", "named"), [(3, 0, "chunks_done"), (0, 11, "tokens_done"), (0.5, 0, "chunks_done")])
def test_remaining_area_refuses_progress_beyond_the_request(u, v, named):
    """Two chunks and ten tokens are all that there is."""
    with pytest.raises(BadParameter, match=named):
        remaining_area(1000, 10, u, v, 512)
