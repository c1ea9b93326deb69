"""The romanised twin of a test set: the same words in Latin letters, with the same labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from align.errors import InputError
from align.tasks.texts.tagged import TaggedTest, language_of, read_sentences, tagged_files
from align.text.languages import latin
from align.text.romanize.registry import romanizers
from align.text.romanize.romanizer import romanize


def twin_of(test: TaggedTest, twin: str) -> tuple[TaggedTest, int] | None:
    """The test set in Latin letters, and how many words are kept as they are; ``None``: it is, or none is asked for.

    A romaniser writes each word alone, so that words and labels stay in step. A word that it makes nothing of is kept.

    Args:
        test: with native words.
        twin: a romaniser, or a folder with files of romanised words (``hin_Latn_pud-test.conllu``); "": none.

    Raises:
        InputError: neither romaniser nor folder; no file of the language, or another number of words (with its place).
    """
    if not twin or test.language.endswith("_Latn"):
        return None
    if twin not in romanizers():
        return _of_folder(test, twin), 0
    words = list(dict.fromkeys(word for one in test.sentences for word in one.words))
    made = dict(zip(words, (word.strip() for word in romanize(words, lang=test.language, backend=twin)), strict=True))
    kept = sum(not made[word] for one in test.sentences for word in one.words)
    sentences = [replace(one, words=tuple(made[word] or word for word in one.words)) for one in test.sentences]
    return replace(test, language=latin(test.language), sentences=tuple(sentences)), kept


def _of_folder(test: TaggedTest, folder: str) -> TaggedTest:
    if not Path(folder).is_dir():
        known = ", ".join(romanizers())
        raise InputError(f"twin {folder!r}: expected a romaniser ({known}) or a folder of romanised words")
    code = latin(test.language)
    files = [
        file for file in tagged_files(folder)
        if file.split == "test" and file.treebank in (test.treebank, "") and language_of(file) == code
    ]  # fmt: skip
    if not files:
        raise InputError(f"{folder}: no test file of {code}{f' ({test.treebank})' if test.treebank else ''}")
    found = list(read_sentences(files[0]))
    if len(found) != len(test.sentences):
        raise InputError(f"{files[0].path} has {len(found)} sentences, {test.language} has {len(test.sentences)}")
    for one, native in zip(found, test.sentences, strict=True):
        if len(one.words) != len(native.words):
            raise InputError(
                f"{one.place}: {len(one.words)} words, the native sentence has {len(native.words)} ({native.place})"
            )
    sentences = [replace(native, words=one.words) for one, native in zip(found, test.sentences, strict=True)]
    return replace(test, language=code, sentences=tuple(sentences))
