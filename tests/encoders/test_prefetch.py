from __future__ import annotations

import gc
import os
import threading
import time
import traceback
import weakref

import pytest

from align.encoders.prefetch import ahead

WAIT = 10  # seconds after which a thread that does not end has failed the test


class Item:
    """Something of which it can be seen whether it is still held."""


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def until(true):
    """Wait until it is so."""
    end = time.monotonic() + WAIT
    while not true() and time.monotonic() < end:
        time.sleep(0.001)
    assert true()


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert not threads()
    yield
    gc.collect()
    until(lambda: not threads())


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_the_same_items_in_the_same_order(n, depth):
    assert list(ahead(range(n), depth=depth)) == list(range(n))
    assert list(ahead(iter([[]] * n), depth=depth)) == [[]] * n
    assert list(ahead((None for _ in range(n)), depth=depth)) == [None] * n
    assert not threads()  # without waiting


def test_exceptions_may_be_items():
    errors = [ValueError(), StopIteration()]
    assert list(ahead(errors)) == errors


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_so_many_are_made_ahead_and_no_more(depth):
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    stream = ahead(items(), depth=depth)
    time.sleep(0.01)
    assert made == []  # nothing before the first is asked for
    for number in range(3):
        assert next(stream) == number
        until(lambda number=number: len(made) == number + 1 + depth)
        time.sleep(0.01)
        assert len(made) == number + 1 + depth
    stream.close()


def test_without_depth_there_is_no_thread():
    where = []

    def items():
        where.append(threading.current_thread())
        yield 1

    assert list(ahead(items(), depth=0)) == [1]
    assert list(ahead(items())) == [1]
    assert where[0] is threading.current_thread()
    assert where[1].name == "ahead"
    assert where[1].daemon


@pytest.mark.parametrize("depth", [0, 1, 2, 9])
def test_an_exception_comes_after_the_items_before_it_with_its_traceback(depth):
    def broken():
        yield from range(3)
        raise KeyError("where it broke")

    stream, found = ahead(broken(), depth=depth), []
    with pytest.raises(KeyError, match="where it broke") as caught:
        for item in stream:
            found.append(item)
            time.sleep(0.005)  # the thread is long there
    assert found == [0, 1, 2]
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert list(stream) == []


@pytest.mark.parametrize("depth", [0, 2])
def test_what_cannot_be_iterated_is_an_error_of_the_first_item(depth):
    stream = ahead(3, depth=depth)
    with pytest.raises(TypeError, match="not iterable"):
        next(stream)


def test_system_exit_in_the_thread_does_not_leave_the_caller_waiting():
    def leaving():
        yield 1
        raise SystemExit(3)

    stream = ahead(leaving())
    assert next(stream) == 1
    with pytest.raises(SystemExit):
        next(stream)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("how", ["close", "drop", "raise"])
def test_an_early_end_stops_the_thread_and_closes_generators_in_order(depth, how):
    closed = []

    def inner():
        try:
            while True:
                yield Item()
        finally:
            closed.append(("inner", threading.current_thread().name))

    def outer():
        try:
            yield from inner()
        finally:
            closed.append(("outer", threading.current_thread().name))

    stream = ahead(outer(), depth=depth)
    next(stream)
    if how == "close":
        stream.close()
    elif how == "drop":
        del stream
    else:
        with pytest.raises(RuntimeError):
            stream.throw(RuntimeError("in the training step"))
    name = "ahead" if depth else threading.current_thread().name
    assert closed == [("inner", name), ("outer", name)]
    assert not threads()  # closing waited for it


def test_items_are_freed():
    seen = []

    def items():
        for _ in range(6):
            item = Item()
            seen.append(weakref.ref(item))
            yield item
            del item

    stream = ahead(items(), depth=2)
    held = [next(stream)]
    until(lambda: len(seen) == 3)
    held.clear()
    assert seen[0]() is None  # not by the generator that is still running
    assert seen[1]() is not None  # made, not lost
    stream.close()
    assert [ref() for ref in seen] == [None] * 3


def test_an_exception_is_freed_without_the_garbage_collector():
    kept = []

    def broken():
        yield 1
        error = type("Broken", (Exception,), {})("broken")
        kept.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        stream = ahead(broken())
        assert next(stream) == 1
        with pytest.raises(Exception, match="broken"):
            next(stream)
        del stream
        until(lambda: kept[0]() is None)
    finally:
        gc.enable()


def test_a_stream_that_was_never_started_needs_no_thread():
    def items():
        raise AssertionError("must not run")
        yield

    stream = ahead(items())
    stream.close()
    assert list(stream) == []
    assert not threads()


def test_closing_while_the_queue_is_full_does_not_deadlock():
    for depth in (1, 2, 8):
        for taken in range(4):
            stream = ahead(iter(range(10**6)), depth=depth)
            for _ in range(taken):
                next(stream)
            closer = threading.Thread(target=stream.close)
            closer.start()
            closer.join(WAIT)
            assert not closer.is_alive()


def test_making_and_using_overlap():
    asked = threading.Event()

    def items():
        yield 1
        assert asked.wait(WAIT)  # goes on only while the caller has the first in its hands
        yield 2

    stream = ahead(items(), depth=1)
    assert next(stream) == 1
    asked.set()
    assert next(stream) == 2
    stream.close()


def test_streams_in_streams():
    assert list(ahead(ahead(ahead(range(9)), depth=1), depth=3)) == list(range(9))
    stream = ahead(ahead(iter(range(10**6))))
    assert next(stream) == 0
    stream.close()
    assert not threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_is_told_that_it_has_no_thread():
    stream = ahead(iter(range(10**6)))
    next(stream)
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            next(stream)
        except RuntimeError as error:
            os._exit(0 if "before this process was forked" in str(error) else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + WAIT
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0)
    stream.close()


def test_a_negative_depth():
    with pytest.raises(ValueError, match="ahead needs a depth of at least 0, got -1"):
        ahead([], depth=-1)
