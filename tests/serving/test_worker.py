"""Texts of requests that wait together go through the encoder together, and none waits for another's fault."""

from __future__ import annotations

import asyncio
import threading

import pytest

from align.serving.refused import Refused
from align.serving.worker import Worker


class Recorder:
    """A work that notes what it is given, and holds the thread at its first call until it is let go."""

    def __init__(self):
        self.calls, self.entered, self.go = [], threading.Event(), threading.Event()

    def __call__(self, texts, language):
        self.calls.append((list(texts), language))
        self.entered.set()
        assert self.go.wait(10)
        if "bad" in texts:
            raise ValueError("bad text")
        return [f"{text}!" for text in texts]


def held(scenario, *, waiting=100, together=256):
    """Run a scenario of a worker whose thread is busy with the text "first"."""
    work = Recorder()
    worker = Worker({"one": work, "two": work}, waiting=waiting, together=together)

    async def run():
        worker.start()
        first = asyncio.create_task(worker.do("one", ["first"]))
        await asyncio.to_thread(work.entered.wait, 10)
        try:
            return await scenario(worker, work)
        finally:
            work.go.set()
            assert await first == ["first!"]

    try:
        return asyncio.run(run()), work.calls[1:]
    finally:
        worker.stop()


async def all_of(worker, work, *jobs):
    tasks = [asyncio.create_task(worker.do(*job)) for job in jobs]
    await asyncio.sleep(0)  # each has put its texts in the queue
    work.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_what_waits_is_done_at_once_and_each_gets_its_own():
    jobs = [("one", ["a", "b"]), ("one", ["c"]), ("one", [])]
    found, calls = held(lambda worker, work: all_of(worker, work, *jobs))
    assert found == [["a!", "b!"], ["c!"], []]
    assert calls == [(["a", "b", "c"], None)]


def test_other_works_and_languages_apart():
    jobs = [("one", ["a"], "x"), ("two", ["b"], "x"), ("one", ["c"], None), ("one", ["d"], "x")]
    found, calls = held(lambda worker, work: all_of(worker, work, *jobs))
    assert found == [["a!"], ["b!"], ["c!"], ["d!"]]
    assert calls == [(["a", "d"], "x"), (["b"], "x"), (["c"], None)]


@pytest.mark.parametrize(("together", "sizes"), [(1, [2, 1, 1]), (3, [3, 1]), (2, [2, 2])])
def test_so_many_at_a_time(together, sizes):
    jobs = [("one", ["a", "b"]), ("one", ["c"]), ("one", ["d"])]
    found, calls = held(lambda worker, work: all_of(worker, work, *jobs), together=together)
    assert found == [["a!", "b!"], ["c!"], ["d!"]]
    assert [len(texts) for texts, _ in calls] == sizes


def test_a_bad_text_is_its_own_request_s():
    jobs = [("one", ["a"]), ("one", ["bad", "b"]), ("one", ["c"])]
    found, calls = held(lambda worker, work: all_of(worker, work, *jobs))
    assert (found[0], found[2]) == (["a!"], ["c!"]) and str(found[1]) == "bad text"
    assert [texts for texts, _ in calls] == [["a", "bad", "b", "c"], ["a"], ["bad", "b"], ["c"]]


def test_too_much_is_refused_and_nothing_else_is_lost():
    async def scenario(worker, work):
        waits = asyncio.create_task(worker.do("one", ["a", "b"]))
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await worker.do("one", ["c", "d"])
        fits = asyncio.create_task(worker.do("one", ["e"]))
        await asyncio.sleep(0)
        work.go.set()
        return refused.value, await waits, await fits

    (refused, waits, fits), _ = held(scenario, waiting=3)
    assert (refused.status, waits, fits) == (429, ["a!", "b!"], ["e!"])
    assert str(refused) == "2 texts wait to be encoded, and at most 3 may: try again later"


def test_more_than_may_wait_goes_if_nothing_waits():
    async def scenario(worker, work):
        return await all_of(worker, work, ("one", ["a"] * 5))

    assert held(scenario, waiting=3)[0] == [["a!"] * 5]


def test_who_has_gone_is_not_worked_for():
    async def scenario(worker, work):
        gone = asyncio.create_task(worker.do("one", ["gone"]))
        stays = asyncio.create_task(worker.do("one", ["stays"]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        work.go.set()
        return await stays

    assert held(scenario) == (["stays!"], [(["stays"], None)])


def test_it_ends_what_waits_and_takes_no_more():
    async def scenario(worker, work):
        waits = asyncio.create_task(worker.do("one", ["a"]))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
        while worker._open:
            await asyncio.sleep(0.001)
        with pytest.raises(Refused, match="the server is stopping") as refused:
            await worker.do("one", ["b"])
        work.go.set()
        await stopping
        return refused.value.status, await waits

    found, calls = held(scenario)
    assert found == (503, ["a!"]) and calls == [(["a"], None)]
