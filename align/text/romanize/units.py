"""What uroman romanises independently: a line cut into units, and one unit romanised exactly as uroman does.

uroman looks at the neighbours of a character, but never across ASCII punctuation or a space, apart from a few
characters such as "、", which gives ", " but "," before a space. A line cut at ASCII punctuation that does not touch
those is the concatenation of its units, so a unit romanised once need never be again.

The reference is ``Uroman().romanize_string(line, lcode=...)``. uroman's own token cache (its command line, or
``Uroman(cache_size=...)``) cuts at every space and gives another result for about 0.2 % of mixed-script lines
("፡ " as two spaces instead of ", ").
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import logging
import re
import types
import unicodedata
from typing import Any

import regex

from align.text.romanize.registry import DEFAULT, Romanizer

log = logging.getLogger(__name__)

CHECKED_UROMAN = "1.3.1.1"  # the cuts were verified against this release; any other gets whole lines

# ASCII that reaches no neighbour: not the full stop of 1.5 and "St." (unless before a space), nor the apostrophe (of
# Belarusian "'я").
INERT = r"(?:[\x00-\x26\x28-\x2d\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]|\.(?= |\Z))"
# Characters that reach over ASCII punctuation: those romanised with a space at either end, which goes beside a space,
# the Ethiopic "፡" ("፡ " gives ", ", "፡-" gives ":") and the Tibetan "།" ("།:" gives ":").
REACHING = (
    "\xa0\u0f0d\u1361\u1680\u16eb\u2000-\u200a\u202f\u205f\u2800-\u28ff\u3000-\u303f\u30fb\ue000-\uf8ff\ufe30-\ufe4f"
    "\uff00-\uff65"
)
_CUT = re.compile(f"(?<![{REACHING}])({INERT}+)(?![{REACHING}])")
_BRAILLE = re.compile("[\u2800-\u28ff]")  # a Braille capitals mark reaches over spaces


@functools.cache
def uroman_version() -> str:
    """Version of the installed ``uroman``."""
    return importlib.metadata.version("uroman")


def split_units(line: str) -> list[str]:
    """Pieces of ``line`` whose romanisations, concatenated, are the romanisation of ``line``."""
    if line.isascii() or uroman_version() != CHECKED_UROMAN or _BRAILLE.search(line):
        return [line]
    return _CUT.split(line)


def is_plain(unit: str) -> bool:
    """Whether uroman leaves ``unit`` as it is: ASCII is."""
    return unit.isascii() and uroman_version() == CHECKED_UROMAN


def romanize_unit(unit: str, lcode: str | None) -> str:
    """Romanise one unit as uroman does; where uroman raises (3分之 ends the text), character by character."""
    try:
        return _exact(unit, lcode)
    except Exception as error:  # whatever it is, the line must come out
        if len(unit) == 1:
            log.warning("uroman failed on U+%04X (%r): left as it is", ord(unit), error)
            return unit
        log.warning("uroman failed on %.60r (%r): romanised character by character", unit, error)
        return "".join(romanize_unit(character, lcode) for character in unit)


def _exact(unit: str, lcode: str | None) -> str:
    """``Uroman().romanize_string(unit, lcode)``: its steps in its order, without the two that cost most for nothing.

    ``check_for_scripts`` searches the whole text once per character, and ``add_numbers`` changes nothing in a text
    without numeric characters.
    """
    uroman = load_uroman()
    if uroman_version() != CHECKED_UROMAN:
        return str(uroman.romanize_string(unit, lcode=lcode))
    lattice = _uroman_module().Lattice("", uroman=uroman, lcode=lcode)
    lattice.s, lattice.max_vertex = unit, len(unit)
    for character in set(unit):
        lattice.contains_script[uroman.chr_script_name(character)] = True
    lattice.contains_script["Braille"] = bool(_BRAILLE.search(unit))
    lattice.pick_tibetan_vowel_edge()
    lattice.prep_braille()
    lattice.add_romanization()
    if any(uroman.num_props.get(character) or unicodedata.numeric(character, None) is not None for character in unit):
        lattice.add_numbers(uroman)
    lattice.add_braille_numbers()
    lattice.add_rom_fall_back_singles()
    return str(lattice.edge_path_to_surf(lattice.best_rom_edge_path(0, len(unit))))


@functools.cache
def load_uroman() -> Any:
    """The one ``Uroman`` of this process; loading takes seconds."""
    return _uroman_module().Uroman()


@functools.cache
def _uroman_module() -> Any:
    """A private copy of uroman's module whose ``regex`` keeps compiled patterns.

    Half of uroman's time goes into ``regex``'s look-up of the pattern at each call. The copy leaves the module that
    others import untouched.
    """
    spec = importlib.util.find_spec("uroman.uroman")
    if spec is None or spec.loader is None:
        raise ImportError("uroman is not installed; pip install uroman")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compiled = functools.cache(regex.compile)
    module.regex = types.SimpleNamespace(  # type: ignore[attr-defined]  # modules take any attribute
        match=lambda pattern, text: compiled(pattern).match(text),
        search=lambda pattern, text: compiled(pattern).search(text),
        sub=lambda pattern, new, text: compiled(pattern).sub(new, text),
        split=lambda pattern, text: compiled(pattern).split(text),
        findall=lambda pattern, text: compiled(pattern).findall(text),
    )
    return module


ROMANIZER = Romanizer(
    DEFAULT,
    "what uroman writes, byte for byte",
    version=lambda: f"uroman {uroman_version()}",
    of_language=lambda lcode: lambda unit: romanize_unit(unit, lcode),
    units=split_units,
    plain=is_plain,
    start=load_uroman,
)
