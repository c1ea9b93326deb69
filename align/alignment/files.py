"""Word alignment of two files, as lines of Pharaoh's: in step with them, and resumed where it was interrupted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from align.alignment.aligner import CHUNK, word_alignments
from align.alignment.sentences import read_parallel
from align.encoders.encoder import Encoder
from align.encoders.pretokenised import usual_layer
from align.errors import InputError
from align.files.locks import locked
from align.files.nested import differences
from align.files.whole import existing_file, flush, read_json, sha256, write_json
from align.similarity.links import Linking
from align.text.pharaoh import written

log = logging.getLogger(__name__)


def aligned_lines(
    encoder: Encoder,
    source: Path | str,
    target: Path | str,
    linking: Linking,
    *,
    split: str = "spaces",
    base: int = 0,
    scores: bool = False,
    start: int = 0,
    progress: bool = False,
    **options: Any,
) -> Iterator[str]:
    """A line of links for each pair of lines of two files; how many words were cut is logged at the end.

    Args:
        encoder: see :func:`align.alignment.aligner.word_alignments`.
        source: see :func:`align.alignment.sentences.read_sentences`.
        target: the translation of each sentence.
        linking: the method.
        split: how lines become words.
        base: number of the first word, 0 or 1.
        scores: write the score behind each link.
        start: lines at the beginning that are there already.
        progress: show a bar.
        options: of ``word_alignments``.
    """
    if base not in (0, 1):
        raise InputError(f"words are counted from 0 or 1, got {base}")
    texts = ((one.words, other.words) for one, other in read_parallel(source, target, split=split))
    cut = [0, 0, 0]
    with tqdm(initial=start, unit="pair", disable=not progress) as bar:
        for found in word_alignments(encoder, texts, linking, start=start, **options):
            bar.update()
            cut = [cut[0] + found.cut[0], cut[1] + found.cut[1], cut[2] + any(found.cut)]
            yield written(found.links, base=base, scores=found.scores if scores else None)
    if cut[2]:
        log.warning(
            "%d words of %s and %d of %s, in %d lines, lie beyond the %d tokens of the encoder: they have no link",
            cut[0], source, cut[1], target, cut[2], encoder.max_tokens,
        )  # fmt: skip


def write_alignments(
    encoder: Encoder, source: Path | str, target: Path | str, out: Path, linking: Linking, **options: Any
) -> int:
    """Write the lines of :func:`aligned_lines` to a file, whole or not at all.

    What is done so far stands in ``OUT.partial``, and beside it what it is of: the same call goes on there.

    Returns:
        Lines written.

    Raises:
        InputError: what lies there is of another encoder, of other files or options.
    """
    partial, about = (out.with_name(f"{out.name}.{end}") for end in ("partial", "partial.json"))
    layer = options.get("layer")
    job = {
        "encoder": encoder.identity(), "linking": asdict(linking),
        "source": sha256(existing_file(source)), "target": sha256(existing_file(target)),
        **{k: v for k, v in options.items() if k != "progress"},
        "layer": usual_layer(encoder) if layer is None else layer,
    }  # fmt: skip
    with locked(out):
        start = _begun(partial, about, job)
        if start:
            log.info("%s: goes on after %d lines", out, start)
        with open(partial, "ab") as file:
            lines = aligned_lines(encoder, source, target, linking, start=start, **options)
            while chunk := list(islice(lines, CHUNK)):
                file.write("".join(f"{line}\n" for line in chunk).encode())
                file.flush()
                start += len(chunk)
        flush(partial)
        partial.replace(out)
        about.unlink(missing_ok=True)
    return start


def _begun(partial: Path, about: Path, job: dict[str, Any]) -> int:
    """Lines that an interrupted run of the same job has left, in whole chunks: what is after them is taken off."""
    if not about.exists():
        if partial.exists():
            raise InputError(f"{partial} is there without {about.name}, which says what it is of: remove or rename it")
        write_json(about, job)
        return 0
    if differ := differences(read_json(about), job, "there", "here"):
        raise InputError(
            f"{partial} is of another run, which differs in {differ}: finish that one, or remove {partial}*"
        )
    if not partial.exists():
        return 0
    lines = partial.read_bytes().split(b"\n")[:-1]
    kept = lines[: len(lines) // CHUNK * CHUNK]  # so that every batch is as it would have been
    os.truncate(partial, sum(len(line) + 1 for line in kept))
    return len(kept)
