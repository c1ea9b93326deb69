"""A language that means nothing stays at chance in every task: what rises above it is a leak of the task.

The "English" here are made-up words; in the other language each word is another made-up word of the same letters and
length, the same wherever it stands. So the two correspond word by word, share nothing that could be seen, and the
untrained encoder of bytes that is asked has no way to know. What is tuned is that encoder, on the English. A new task
takes part by itself: it is given each of the sources below, and its ``Task.chance`` says what to expect.

After MonoByte (Abonizio et al. 2022, arXiv:2209.11035), whose controls are languages without meaning.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from byte_level import save

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.evaluation.encoding import encode_of
from align.tasks.measures.logistic import fit_logistic
from align.tasks.task import tasks

N = 160
ENGLISH, NONSENSE = "eng_Latn", "zul_Latn"  # a code that is known; the language is none
LETTERS = "abcdefghijklmnop"
TOPICAL = {topic: [f"{topic} {i}" for i in range(8)] for topic in ("war", "peace")}
"""Words that tell a topic: several, since the letters of one may be like those of its translation."""
LABELLED = [f"labelled {i}" for i in range(70)]
"""Words that have a label."""
TUNED = {"seeds": 1, "epochs": 4, "rate": 5e-3, "head_rate": 1e-2, "freeze_embeddings": False}
SETTINGS = {"topic": TUNED, "pos-tuned": TUNED, "ner-tuned": TUNED, "word_alignment": {"dev": N // 8}}
"""Of tasks, or of protocols: an encoder without training has more to learn, and a few lines must do."""


def made_up(word):
    """A word of 8 letters."""
    digest = hashlib.sha256(word.encode()).digest()
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:8])


def translated(text):
    return " ".join(made_up(f"nonsense {word}") for word in text.split())


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """What a task may read: aligned lines, the same with classes, scored pairs, a dictionary with word lists, words
    with labels, gold links."""
    home = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(0)
    words = [made_up(f"{i}") for i in range(7 * N)]
    lines = [" ".join(words[i : i + 7]) for i in range(0, 7 * N, 7)]  # no word comes twice: it would tell the language
    assert len({*words, *map(translated, words)}) == 14 * N
    topics = [("war", "peace")[i // 2 % 2] for i in range(N)]
    words_of_topics = [made_up(TOPICAL[topic][i // 4 % 8]) for i, topic in enumerate(topics)]
    told = [" ".join([line, *[word] * 3]) for line, word in zip(lines, words_of_topics, strict=True)]
    for folder, of in {"lines": lines, "classes": told}.items():
        write(home / folder / f"{ENGLISH}.txt", [(line,) for line in of])
        write(home / folder / f"{NONSENSE}.txt", [(translated(line),) for line in of])
    splits = ["dev" if i % 10 == 0 else ("train", "test")[i % 2] for i in range(N)]
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
    entities = [(str(k), word, translated(word)) for k, word in enumerate(words[:N])]
    write(home / "names.tsv", [("key", "en", "zu"), *entities])
    write_labels(home / "labels", rng)
    write_links(home / "links", lines, rng)
    folders = ("lines", "classes", f"sentences/{named}", f"words/{named}", "dictionary", "labels", "links", "names.tsv")
    return [home / name for name in folders]


def write_labels(folder, rng):
    """Parts of speech, and spans of two words, in any order; a label is the word's, wherever it stands."""
    words = [made_up(name) for name in LABELLED]
    kinds = ("PER", "LOC", "ORG")  # of 5 words that begin one, and 5 that end one; then 40 words of none
    tags = [f"{'BI'[i // 5 % 2]}-{kinds[i // 10]}" if i < 30 else "O" for i in range(len(words))]
    sentences = []
    for _ in range(N):
        parts = [(10 * rng.integers(3) + rng.integers(5, size=2) + [0, 5]).tolist() for _ in range(2)]
        parts += [[30 + int(rng.integers(40))] for _ in range(3)]
        sentences.append([i for part in rng.permutation(len(parts)) for i in parts[part]])
    for code, split in ((ENGLISH, "train"), (NONSENSE, "test")):
        forms = words if code == ENGLISH else [translated(word) for word in words]
        tagged = [
            [(str(at), forms[i], "_", ("NOUN", "VERB")[i % 2], *"______") for at, i in enumerate(of, 1)]
            for of in sentences
        ]
        write(folder / f"{code}.{split}.conllu", [row for rows in tagged for row in (*rows, ())])
        write(
            folder / f"{code}.{split}.iob2",
            [row for of in sentences for row in (*((forms[i], tags[i]) for i in of), ())],
        )


def write_links(folder, lines, rng):
    """Translations in any order, one word in each without partner. Signs would be seen, so there are none."""
    texts, links = [], []
    for line in lines:
        words = line.split()
        order = rng.permutation(len(words)).tolist()
        other = [translated(words[i]) if i else made_up(f"free {line}") for i in order]
        texts.append((f"{line} ||| {' '.join(other)}",))
        links.append((" ".join(f"{i}{'-p'[i == 1]}{order.index(i)}" for i in range(1, len(words))),))
    write(folder / "eng-zul.src-tgt", texts)
    write(folder / "eng-zul.gold", links)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = save("byt5", tmp_path_factory.mktemp("byt5"), width=32)
    letters_of_words().save_pretrained(folder)
    return load_encoder(folder)


def letters_of_words():
    """A tokenizer of the bytes that ByT5 has, but spaces; it is a fast one, as words in sentences need."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {chr(byte): byte + 3 for byte in range(33, 127)}
    made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", behavior="isolated")]
    )
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


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
    protocol = replace(task.protocols[called], **SETTINGS.get(called, SETTINGS.get(name, {})))
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
    found = [
        max(map(abs, surprises(name, called, sources, known(tasks()[name].inputs, vectors))))
        for vectors in (of_meaning, of_language)
    ]
    assert max(found) > 8, found


NAMES = (*map(str, range(7 * N)), *LABELLED, *TOPICAL["war"], *TOPICAL["peace"])
BACK = {translated(word): word for word in map(made_up, NAMES)}


def of_meaning(texts, language):
    return np.stack([sum(vector(BACK.get(word, word)) for word in text.split()) for text in texts])


def of_language(texts, language):
    return np.stack([vector(text) + 50 * vector(language) for text in texts])


def known(inputs, vectors):
    """What a task of these inputs is given, by vectors of texts."""
    if inputs == "layers":
        return lambda texts, language: np.stack([vectors(texts, language)] * 2)
    if inputs == "tokens":
        return lambda sentences, language, pooling: [
            (vectors(words, language), np.arange(len(words)), 0) for words in sentences
        ]
    return Knowing(vectors) if inputs == "labels" else vectors


class Knowing:
    """A learner by vectors that are known; tuned, it learns a linear layer on them."""

    def __init__(self, vectors):
        self.vectors = vectors

    def word_vectors(self, sentences):
        return [(self.vectors(words, ENGLISH), np.arange(len(words))) for words in sentences]

    def tuned(self, train, dev, classes, how):
        def read(inputs):
            return [self.vectors([one] if isinstance(one, str) else one, ENGLISH) for one in inputs]

        fit = fit_logistic(
            np.concatenate(read(train.inputs)), np.concatenate(train.labels), count=classes, penalty=0.001
        )
        return lambda inputs: [fit.predict(vectors) for vectors in read(inputs)]


def vector(text):
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(list(digest[:8])).standard_normal(256).astype(np.float32)
