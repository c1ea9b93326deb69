"""Text in any script to Latin letters: as uroman writes it, byte for byte, or another romaniser.

Each different word goes through it once: lines are cut into units that it treats independently, units met
before come from memory (or from a file), and the others are shared out among processes.
"""

from __future__ import annotations

import functools
import multiprocessing
import threading
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from tqdm import tqdm

from align.errors import InputError
from align.files.whole import read_lines, whole_file
from align.text.languages import check_language
from align.text.romanize.cache import UnitCache, unit_cache
from align.text.romanize.registry import DEFAULT, Romanizer, find_romanizer, romanize_units, start_worker

BLOCK_LINES = 20_000
BLOCK_CHARACTERS = 4_000_000
KEPT_UNITS = 1 << 18  # in memory for one language code: some 60 MB
KEPT_CHARACTERS = 60  # a longer unit (a sentence of Thai or Han) hardly ever comes again
POOL_FROM = 4_000  # new units in a block from which loading uroman in other processes pays
UNITS_A_TASK = 128

_lock = threading.Lock()  # uroman's object and the tables below are shared by the threads of a process


def romanize(
    texts: Iterable[str],
    *,
    lang: str | None = None,
    backend: str = DEFAULT,
    processes: int = 1,
    cache: Path | None = None,
    progress: bool = False,
) -> list[str]:
    """Romanise each text: the list of what :func:`romanize_lines` yields, in the same order.

    >>> romanize(["Москва"], lang="rus_Cyrl")
    ['Moskva']
    """
    return list(romanize_lines(texts, lang=lang, backend=backend, processes=processes, cache=cache, progress=progress))


def romanize_lines(
    lines: Iterable[str],
    *,
    lang: str | None = None,
    backend: str = DEFAULT,
    processes: int = 1,
    cache: Path | None = None,
    progress: bool = False,
) -> Iterator[str]:
    """Romanise lines as they come, block by block: one out for each one in, in order, whatever they hold.

    The result is ``uroman.Uroman().romanize_string(line, lcode=...)``. Where uroman raises, the word it fails on is
    romanised character by character, with a warning in the log.

    Args:
        lines: texts in any script.
        lang: ``hin_Deva`` or ``hin``; the ISO 639-3 part is uroman's language code. None: no language rules.
        backend: a name of ``align.text.romanize.registry.romanizers``: "uroman", or "fast" for uroman-fast on the
            characters where both are known to agree.
        processes: how many romanise at a time. More than one starts processes by "spawn" once there is enough to do,
            so a script that calls this needs the usual ``if __name__ == "__main__":``.
        cache: SQLite file that keeps romanised words between runs; several runs may share it.
        progress: show a bar on stderr.

    Raises:
        InputError: unknown language or backend, a missing package, a damaged cache file, or a line that is no string.
    """
    if isinstance(lines, str):
        raise InputError("expected a list of texts to romanise, got one string")
    if processes < 1:
        raise InputError(f"expected at least 1 process to romanise with, got {processes}")
    romanizer_version(backend)  # refuses what is not there before the first line is wanted
    return _romanized(lines, _lcode(lang), find_romanizer(backend), processes, cache, progress)


def romanize_file(
    source: Path,
    target: Path,
    *,
    lang: str | None = None,
    backend: str = DEFAULT,
    processes: int = 1,
    cache: Path | None = None,
    progress: bool = False,
) -> int:
    """Romanise a text file (plain or gzip) line by line into ``target``, whole or not at all; return the line count."""
    count = 0
    romanized = romanize_lines(
        read_lines(source), lang=lang, backend=backend, processes=processes, cache=cache, progress=progress
    )
    with whole_file(target) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for line in romanized:
            file.write(line + "\n")
            count += 1
    return count


def romanizer_version(backend: str = DEFAULT) -> str:
    """The romaniser's name and version, for manifests and model cards: ``uroman 1.3.1.1``."""
    return find_romanizer(backend).version()


def _lcode(lang: str | None) -> str | None:
    if lang is None:
        return None
    return check_language(lang if "_" in lang else f"{lang}_Latn").partition("_")[0]


def _romanized(
    lines: Iterable[str],
    lcode: str | None,
    romanizer: Romanizer,
    processes: int,
    cache: Path | None,
    progress: bool,
) -> Iterator[str]:
    version = romanizer_version(romanizer.name)
    total = len(lines) if isinstance(lines, Sized) else None
    cache = Path(cache).resolve() if cache else None
    with ExitStack() as stack:
        disk = stack.enter_context(unit_cache(cache, romanizer=version, lcode=lcode)) if cache else None
        bar = stack.enter_context(tqdm(total=total, unit=" lines", desc="romanise", disable=not progress))
        workers = _Workers(stack, processes, lcode, romanizer.name)
        for block in _blocks(lines):
            with _lock:  # held to the end of the block: another thread could drop from the table what this one needs
                done = _romanize_block(block, romanizer, _table(version, lcode, cache), disk, workers)
            yield from done
            bar.update(len(done))


def _romanize_block(
    block: list[str], romanizer: Romanizer, table: dict[str, str], disk: UnitCache | None, workers: _Workers
) -> list[str]:
    lines = [romanizer.units(line) for line in block]
    met = dict.fromkeys(chain.from_iterable(lines))
    new = [unit for unit in met if unit not in table and not romanizer.plain(unit)]
    if disk:
        table.update(disk.read(new))
    unknown = [unit for unit in new if unit not in table]
    fresh = dict(zip(unknown, workers.romanize(unknown), strict=True))
    if disk:
        disk.write(fresh)
    table.update(fresh)
    done = ["".join([table.get(unit, unit) for unit in units]) for units in lines]  # not in the table: plain
    too_long = [unit for unit in new if len(unit) > KEPT_CHARACTERS]
    oldest = list(islice(table, max(0, len(table) - len(too_long) - KEPT_UNITS)))
    for unit in {*too_long, *oldest}:
        del table[unit]
    return done


@functools.lru_cache(maxsize=4)
def _table(romanizer: str, lcode: str | None, cache: Path | None) -> dict[str, str]:
    """What this process has romanised already for one romaniser, language code and cache file (which has it too)."""
    return {}


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    characters = 0
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str):
            raise InputError(f"text {number} to romanise: expected a string, got {type(line).__name__}")
        block.append(line)
        characters += len(line)
        if len(block) >= BLOCK_LINES or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    yield block


class _Workers:
    """Processes that romanise units; they start when there is first enough to do, and end with ``stack``."""

    def __init__(self, stack: ExitStack, processes: int, lcode: str | None, backend: str) -> None:
        self._stack, self._processes, self._backend = stack, processes, backend
        self._work = functools.partial(romanize_units, lcode=lcode, backend=backend)
        self._executor: ProcessPoolExecutor | None = None

    def romanize(self, units: list[str]) -> list[str]:
        if self._executor is None and self._processes > 1 and len(units) >= POOL_FROM:
            self._executor = self._start()
        if self._executor is None:
            return self._work(units)
        tasks = [units[start : start + UNITS_A_TASK] for start in range(0, len(units), UNITS_A_TASK)]
        return list(chain.from_iterable(self._executor.map(self._work, tasks)))

    def _start(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # fork is unsafe beside the threads of torch and of tokenizers
        pool = ProcessPoolExecutor(
            self._processes, mp_context=spawn, initializer=start_worker, initargs=(self._backend,)
        )
        return self._stack.enter_context(pool)
