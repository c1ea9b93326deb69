from __future__ import annotations

import logging
from collections import deque

import pytest

from align.errors import InputError
from align.vectors.corpus.hand_out import Failed, Lost, Ready, hand_out, outcome
from align.vectors.corpus.parts import Chunk, Done


class Crew:
    """Answers one thing at a time, the oldest first; ``fate`` says what becomes of a part, ``starts`` of a start."""

    def __init__(self, fate=(), starts=()):
        self.fate = {number: deque(answers) for number, answers in dict(fate).items()}
        self.starts = deque(starts)
        self.started, self.alive, self.given, self.stopped = 0, set(), [], 0
        self.queue = deque()
        self.most = 0

    def start(self):
        self.started += 1
        self.alive.add(self.started)
        self.most = max(self.most, len(self.alive))
        self.queue.append((self.started, self.starts.popleft() if self.starts else Ready()))
        return self.started

    def give(self, worker, chunk):
        assert worker in self.alive and worker not in [number for number, _ in self.queue]
        self.given.append((worker, chunk.number))
        fate = self.fate.get(chunk.number)
        self.queue.append((worker, fate.popleft() if fate else Done(chunk.number, len(chunk.rows), 0)))

    def answers(self):
        if not self.queue:
            pytest.fail("nobody has anything to answer: this would wait for ever")
        worker, answer = self.queue.popleft()
        if isinstance(answer, Lost):
            self.alive.discard(worker)
        return [(worker, answer)]

    def stop(self):
        self.stopped += 1


class Corpus:
    """Chunks, and how many were taken."""

    def __init__(self, count):
        self.count, self.taken = count, 0

    def __iter__(self):
        for number in range(self.count):
            self.taken += 1
            yield Chunk(number, [])


@pytest.mark.parametrize(("chunks", "workers"), [(0, 2), (1, 4), (2, 2), (7, 1), (20, 3)])
def test_every_part_once_with_few_chunks_in_memory(chunks, workers):
    crew, corpus = Crew(), Corpus(chunks)
    done, most = [], 0
    for part in hand_out(crew, corpus, workers=workers):
        most = max(most, corpus.taken - len(done))
        done.append(part.number)
    assert sorted(done) == sorted(number for _, number in crew.given) == list(range(chunks))
    assert most == min(chunks, workers + 1)  # one is read ahead, no more
    assert crew.most == crew.started == min(chunks, workers)
    assert crew.stopped == 1


def test_nothing_starts_before_it_is_asked_for():
    crew, corpus = Crew(), Corpus(3)
    parts = hand_out(crew, corpus, workers=2)
    assert crew.started == corpus.taken == 0
    next(parts)
    parts.close()
    assert crew.stopped == 1


def test_parts_come_as_they_are_written():
    crew = Crew()

    def last_given_first():
        crew.queue = deque(sorted(crew.queue, key=lambda each: -getattr(each[1], "number", 9)))
        return type(crew).answers(crew)

    crew.answers = last_given_first
    assert [part.number for part in hand_out(crew, Corpus(2), workers=2)] == [1, 0]


@pytest.mark.parametrize("workers", [1, 2])
def test_chunk_of_a_lost_worker_is_given_to_another(workers, caplog):
    crew = Crew({1: [Lost("SIGKILL")] * 2})
    done = [part.number for part in hand_out(crew, Corpus(4), workers=workers)]
    assert sorted(done) == [0, 1, 2, 3]
    had = [worker for worker, number in crew.given if number == 1]
    assert len(set(had)) == 3  # two were lost
    assert crew.started == workers + 2 and crew.most == workers
    assert caplog.messages == ["a worker was lost: part-00001 was not written, and is tried again (SIGKILL)"] * 2


def test_chunk_that_no_worker_survives():
    crew = Crew({1: [Lost("SIGTERM"), Lost("SIGKILL"), Lost("SIGBUS")]})
    sentence = (
        "part-00001 was not written: 3 workers were lost over it .SIGBUS.; every part written before stays, and the "
        "same command, perhaps with fewer workers, goes on from there"
    )
    with pytest.raises(InputError, match=sentence):
        list(hand_out(crew, Corpus(4), workers=2))
    assert crew.stopped == 1


def test_workers_lost_before_they_have_an_encoder():
    bad = Lost("exit code 1")
    crew = Crew(starts=[bad, bad, bad])
    with pytest.raises(InputError, match="the encoder was not loaded: 3 workers were lost over it .exit code 1."):
        list(hand_out(crew, Corpus(4), workers=2))
    assert crew.stopped == 1 and not crew.given
    crew = Crew(starts=[bad, bad, Ready(), bad, bad])  # not in a row
    assert len(list(hand_out(crew, Corpus(4), workers=2))) == 4


def test_an_idle_worker_that_is_lost_gets_nothing_more():
    crew, answers = Crew({1: [Lost("SIGTERM")]}), []

    def lose_the_idle_one():
        if len(answers) == 3:  # both were ready, one part is written
            crew.queue.appendleft((answers[-1][0], Lost("SIGKILL")))
        answers.extend(type(crew).answers(crew))
        return answers[-1:]

    crew.answers = lose_the_idle_one
    assert [part.number for part in hand_out(crew, Corpus(2), workers=2)] == [0, 1]
    assert crew.given == [(1, 0), (2, 1), (3, 1)]


def test_bad_input_in_a_worker_names_the_part():
    crew = Crew({2: [Failed("no space left", True, "")]})
    done = []
    with pytest.raises(InputError, match=r"^part-00002 was not written: no space left$"):
        done.extend(part.number for part in hand_out(crew, Corpus(9), workers=1))
    assert crew.stopped == 1 and [number for _, number in crew.given] == [0, 1, 2]


def test_part_is_not_named_twice():
    crew = Crew({0: [Failed("out/part-00000.parquet was not written: no space", True, "")]})
    with pytest.raises(InputError, match=r"^out/part-00000.parquet was not written: no space$"):
        list(hand_out(crew, Corpus(1), workers=1))


def test_bad_input_while_the_encoder_is_loaded():
    crew = Crew(starts=[Failed("no such model folder: ./x", True, "")])
    with pytest.raises(InputError, match=r"^no such model folder: ./x$"):
        list(hand_out(crew, Corpus(3), workers=2))


def test_any_other_exception_comes_with_its_traceback(caplog):
    failed = outcome(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match=r"^part-00001 was not written: ZeroDivisionError: .*by zero"):
        list(hand_out(Crew({1: [failed]}), Corpus(3), workers=2))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and "return work(*args" in record.message


def test_outcome():
    assert outcome(divmod, 7, 2) == (3, 1)

    def refuse(*, why):
        raise InputError(why)

    failed = outcome(refuse, why="row 3")
    assert (failed.message, failed.bad_input) == ("row 3", True) and "in refuse" in failed.trace
    with pytest.raises(KeyboardInterrupt):  # not an answer
        outcome(lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_workers_are_stopped_when_the_corpus_cannot_be_read():
    def corpus():
        yield Chunk(0, [])
        raise InputError("line 7")

    crew = Crew()
    with pytest.raises(InputError, match="line 7"):
        list(hand_out(crew, corpus(), workers=2))
    assert crew.stopped == 1
