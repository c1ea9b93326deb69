"""A folder of language offsets, opened: which of its offsets a text has, and vectors with it taken off.

offsets.npy     float32, a row for each language that is moved (centre, shift, head), or for each direction (project)
maps.npy        of a head: float32 (1 + m, d, d), the map of all languages and those of m of them
manifest.json   method, languages and the lines they were estimated on, the encoder, SHA-256 of the other files
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.arrays import read_array
from align.files.nested import differences
from align.files.whole import existing_file, read_json, sha256
from align.similarity.offsets import project_out
from align.text.hashing import json_hash
from align.text.languages import SCRIPT_VARIANTS, by_script, dominant_script

log = logging.getLogger(__name__)

FORMAT = "align-offsets/1"
MANIFEST, ROWS = "manifest.json", "offsets.npy"
METHODS = ("centre", "shift", "project")
HEAD, MAPS = "head", "maps.npy"
"""The method of :func:`align.word_head`, whose offsets are followed by a map."""
FIELDS = {"format", "method", "languages", "rows", "encoder", "sha256"}
BLOCK = 16_384
"""Rows that are moved at a time; bounds memory."""
Move = tuple[NDArray[np.int64], NDArray[np.float32] | None, NDArray[np.float32] | None]
"""Rows that move together, the offset they lose (``None``: the directions, which all rows lose), and their map."""


@dataclass(frozen=True, eq=False)
class Offsets:
    """Offsets of languages, opened. Build one with :func:`open_offsets`."""

    folder: Path
    manifest: Mapping[str, Any]
    rows: NDArray[np.float32]
    """(n, d) as in the file."""
    maps: NDArray[np.float32] | None = None
    """(1 + m, d, d) of a head: x -> (x - offset) W, with W on the right of row vectors; first that of any language."""

    @property
    def method(self) -> str:
        """``centre``, ``shift`` or ``project``."""
        return str(self.manifest["method"])

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it was estimated on."""
        return tuple(self.manifest["languages"])

    @cached_property
    def identity(self) -> dict[str, str]:
        """What stands in the identity of an encoder that takes them off: two of equal identity move rows alike."""
        decides = [
            self.manifest[name] for name in ("method", "rows", "sha256", "maps", "maps_sha256") if name in self.manifest
        ]
        return {"method": self.method, "fingerprint": json_hash([*decides, sorted(self.languages)])[:32]}

    @cached_property
    def _by_script(self) -> dict[str, str]:
        return by_script(self.languages)

    def check(self, encoder: Mapping[str, Any]) -> None:
        """Refuse another encoder than the one that the offsets were estimated with.

        Args:
            encoder: its identity, or that in the manifest of vectors; a romaniser before it changes no vector space.

        Raises:
            InputError: the fields that differ are named; or its vectors have offsets taken off already.
        """
        if encoder.get("offsets"):
            raise InputError(f"offsets were taken off already: {self.folder} would be taken off a second time")
        given = {name: value for name, value in encoder.items() if name != "romanizer"}
        differ = differences(self.manifest["encoder"], given, "in the offsets", "now")
        if differ:
            raise InputError(f"{self.folder} has the offsets of another encoder: {differ}")

    def language(self, given: str, script: str) -> str:
        """The language of the folder that a text is in; "": it is in none, or not known.

        Args:
            given: code, as hin_Deva; "": not known, and then the script decides where it is that of one language alone.
            script: ISO 15924 code of most letters.
        """
        if given:
            return given if given in self.manifest["languages"] else ""
        return self._by_script.get(SCRIPT_VARIANTS.get(script, script), "")

    def taken_off(
        self, vectors: NDArray[Any], languages: Sequence[str], scripts: Sequence[str], *, unit: bool
    ) -> NDArray[Any]:
        """Take its offset off each row, in place; a row without one stays as it is, to the last bit.

        A head maps them too: a row of a language that it does not know loses the mean of all offsets, and goes through
        the map of all languages.

        Args:
            vectors: (n, d), to be written to.
            languages: n codes; "": not known.
            scripts: n codes, read where the language is not known.
            unit: make the rows that moved unit ones again; one that became zeros stays zeros.

        Returns:
            ``vectors``.
        """
        found = list(map(self.language, languages, scripts))
        strangers = 0 if self.method in ("project", HEAD) else found.count("")
        if strangers:
            what = "texts are in no language of it, and keep their vectors"
            log.warning("%s: %d of %d %s", self.folder, strangers, len(found), what)
        for here, offset, shape in self._moves(np.array(found, dtype=object)):
            for start in range(0, len(here), BLOCK):
                block = here[start : start + BLOCK]
                moved = vectors[block].astype(np.float32)
                moved = project_out(moved, self.rows) if offset is None else moved - offset
                moved = moved if shape is None else moved @ shape
                vectors[block] = _unit(moved) if unit else moved
        return vectors

    def texts_of(self, texts: Sequence[str], language: str | Sequence[str] | None) -> tuple[list[str], list[str]]:
        """Language and script of each text, "" where it is not known or not needed; arguments as of ``Encoder.encode``.

        Raises:
            InputError: another number of languages than of texts.
        """
        given = [language or ""] * len(texts) if language is None or isinstance(language, str) else list(language)
        if len(given) != len(texts):
            raise InputError(f"{len(texts)} texts but {len(given)} languages: expected one for each text")
        needed = self.method != "project"
        scripts = [dominant_script(t) if needed and not code else "" for t, code in zip(texts, given, strict=True)]
        return given, scripts

    def _moves(self, languages: NDArray[Any]) -> Iterator[Move]:
        if self.method == "project":
            if len(self.rows):
                yield np.arange(len(languages)), None, None
            return
        own = {code: number for number, code in enumerate(self.manifest.get("maps", ()), 1)}
        for code, offset in zip(self.manifest["rows"], self.rows, strict=True):
            yield np.flatnonzero(languages == code), offset, None if self.maps is None else self.maps[own.get(code, 0)]
        if self.maps is not None:
            yield np.flatnonzero(languages == ""), self.rows.mean(axis=0), self.maps[0]


def open_offsets(folder: Path | str) -> Offsets:
    """Open what :func:`align.offsets` or :func:`align.word_head` wrote.

    Raises:
        InputError: not such a folder, or a file of it is missing or damaged.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} has no offsets: it has no {MANIFEST}; expected what align offsets writes")
    manifest = read_json(path)
    if not (isinstance(manifest, dict) and manifest.keys() >= FIELDS and manifest["format"] == FORMAT):
        raise InputError(f"{path} is not the manifest of offsets ({FORMAT})")
    file = existing_file(folder / ROWS)
    if sha256(file) != manifest["sha256"]:
        raise InputError(f"{file} is damaged: its SHA-256 is not the one in {MANIFEST}; estimate the offsets again")
    rows = read_array(file)
    if manifest["method"] != HEAD:
        return Offsets(folder, manifest, rows)
    maps = existing_file(folder / MAPS)
    if sha256(maps) != manifest["maps_sha256"]:
        raise InputError(f"{maps} is damaged: its SHA-256 is not the one in {MANIFEST}; train the head again")
    return Offsets(folder, manifest, rows, read_array(maps))


def open_head(folder: Path | str) -> Offsets:
    """Open what :func:`align.word_head` wrote.

    Raises:
        InputError: as :func:`open_offsets`, or it holds offsets without maps.
    """
    opened = open_offsets(folder)
    if opened.maps is None:
        raise InputError(f"{folder} holds offsets by {opened.method}, no head: expected what align head words writes")
    return opened


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1, or of zeros; NaN stays NaN, which the encoder or its caller looks for."""
    length: NDArray[np.float32] = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    length[length == 0] = 1
    return rows / length
