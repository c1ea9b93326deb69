"""A language that means nothing stays at chance in every task: what rises above it is a leak of the task.

The "English" here are made-up words; in the other language each word is another made-up word of the same letters and
length, the same wherever it stands. So the two correspond word by word, share nothing that could be seen, and the
untrained encoder of bytes that is asked has no way to know. A new task takes part by itself: it is given each of the
sources below, and its ``Task.chance`` says what to expect.

After MonoByte (Abonizio et al. 2022, arXiv:2209.11035), whose controls are languages without meaning.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from byte_level import save

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.evaluation.encoding import encode_of
from align.tasks.task import tasks

N = 160
ENGLISH, NONSENSE = "eng_Latn", "zul_Latn"  # a code that is known; the language is none
LETTERS = "abcdefghijklmnop"


def made_up(word):
    """A word of 8 letters."""
    digest = hashlib.sha256(word.encode()).digest()
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:8])


def translated(text):
    return " ".join(made_up(f"nonsense {word}") for word in text.split())


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """What a task may read: aligned lines, the same with classes, scored pairs, a dictionary with word lists."""
    home = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(0)
    words = [made_up(f"{i}") for i in range(7 * N)]
    lines = [" ".join(words[i : i + 7]) for i in range(0, 7 * N, 7)]  # no word comes twice: it would tell the language
    assert len({*words, *map(translated, words)}) == 14 * N
    topics = [("war", "peace")[i // 2 % 2] for i in range(N)]
    told = [f"{line} {topic}" for line, topic in zip(lines, topics, strict=True)]  # here one word tells the class
    for folder, of in {"lines": lines, "classes": told}.items():
        write(home / folder / f"{ENGLISH}.txt", [(line,) for line in of])
        write(home / folder / f"{NONSENSE}.txt", [(translated(line),) for line in of])
    splits = [("train", "test")[i % 2] for i in range(N)]
    write(home / "classes" / "index.tsv", [("split", "topic"), *zip(splits, topics, strict=True)])
    kept = rng.integers(
        0, 8, N
    ).tolist()  # likeness: words that the second text had of the first, before its translation
    mixed = [" ".join([*line.split()[:k], *line[::-1].split()[k:]]) for k, line in zip(kept, lines, strict=True)]
    named = f"{ENGLISH}-{NONSENSE}.tsv"
    scored = [(str(k), line, translated(other)) for k, line, other in zip(kept, lines, mixed, strict=True)]
    write(home / "sentences" / named, [("score", "sentence1", "sentence2"), *scored])
    scored = [(a, translated(b), str(k)) for a, b, k in zip(words, words[1:], kept, strict=False)]
    write(home / "words" / named, [("word1", "word2", "score"), *scored])
    write(home / "dictionary" / named, [(word, translated(word)) for word in words[:N]])
    for code, of in {ENGLISH: words, NONSENSE: map(translated, words)}.items():
        write(home / "dictionary" / "vocab" / f"{code}.txt", [(word,) for word in list(of)[: 2 * N]])
    return [home / name for name in ("lines", "classes", f"sentences/{named}", f"words/{named}", "dictionary")]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(save("byt5", tmp_path_factory.mktemp("byt5"), width=32))


def loaded(task, protocol, sources):
    """The units of the first source that the task can read."""
    refused = []
    for source in sources:
        try:
            units = [(unit, unit.load()) for unit in task.read(str(source), None, protocol)]
        except InputError as error:
            refused.append(f"{source.name}: {error}")
            continue
        if units:
            return units
    raise AssertionError(f"the task {task.name} reads none of the sources here, so add one: {refused}")


CASES = [(name, protocol) for name, one in tasks().items() for protocol in one.protocols]


def surprises(name, called, sources, encode):
    """Of each row that has to do with the other language, how far it is from chance, in standard errors."""
    task = tasks()[name]
    protocol = task.protocols[called]
    found = []
    for unit, content in loaded(task, protocol, sources):
        for row in task.score(encode, unit, content, protocol):
            if NONSENSE in (row["language"], row["other"]):
                chance = task.chance(row, protocol)
                spread = (
                    1.0
                    if task.statistic == "spearman"
                    else max(np.std(row["items"]), math.sqrt(chance * (1 - chance)), 0.05)
                )
                found.append((row["value"] - chance) / spread * math.sqrt(row["n"]))
                assert row["n"] >= N // 2
    return found


@pytest.mark.parametrize(("name", "called"), CASES)
def test_nonsense_stays_at_chance(name, called, sources, encoder):
    found = surprises(name, called, sources, encode_of(encoder, tasks()[name]))
    assert found and max(map(abs, found)) < 4, found


@pytest.mark.parametrize(("name", "called"), CASES)
def test_what_is_known_is_not_at_chance(name, called, sources):
    """Who knows what each word means, or who knows the language, is far from chance: else nothing was tested."""
    back = {translated(word): word for word in (*(made_up(f"{i}") for i in range(7 * N)), "war", "peace")}

    def knows(texts, language, *, what):
        rows = [sum(vector(back.get(word, word)) for word in text.split()) for text in texts]
        vectors = (
            np.stack(rows) if what == "meaning" else np.stack([vector(text) + 50 * vector(language) for text in texts])
        )
        return np.stack([vectors] * 2) if tasks()[name].inputs == "layers" else vectors

    found = [
        max(
            map(
                abs,
                surprises(name, called, sources, lambda texts, language, what=what: knows(texts, language, what=what)),
            )
        )
        for what in ("meaning", "language")
    ]
    assert max(found) > 8, found


def vector(text):
    return (
        np.random.default_rng(list(hashlib.sha256(text.encode()).digest()[:8])).standard_normal(64).astype(np.float32)
    )
