"""JSON Lines, a value on each line; or the values of one array, as ``json.dump`` writes a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.lines import text_lines
from align.files.whole import existing_file

_BEGINS = re.compile(r"\s*\[\s*(\{|$)")
"""An array of objects; that of anything else may be a line of its own."""
_decode = json.JSONDecoder().raw_decode


def json_values(path: Path | str) -> Iterator[tuple[int, Any, str]]:
    """Values with the numbers of the lines that they begin in, and what is wrong with them or ``""``; no blank lines.

    A file that begins with an array of objects is that array, and streamed as well: memory holds a value and the rest
    of its line.

    Raises:
        InputError: as :func:`align.files.lines.text_lines`; an array that is broken, whose other values are not to be
            had, with the line.
    """
    lines = ((number, *line) for number, line in enumerate(text_lines(existing_file(path)), 1) if line[0].strip())
    first = next(lines, None)
    if first is None:
        return
    if _BEGINS.match(first[1]):
        yield from _array(path, chain([first], lines))
        return
    for number, line, problem in chain([first], lines):
        value: Any = None
        try:
            value = None if problem else json.loads(line)
        except (ValueError, RecursionError) as error:  # a number of more digits than Python reads is a ValueError, too
            problem = f"not valid JSON ({getattr(error, 'msg', 'too deep or too long a number')})"
        yield number, value, problem


def _array(path: Path | str, lines: Iterator[tuple[int, str, str]]) -> Iterator[tuple[int, Any, str]]:
    text, begins, number, why = "", 1, 1, ""
    opened = after = closed = False  # after: a value, which a comma follows or the end
    for number, line, problem in lines:
        if problem or closed:
            raise InputError(f"{path}, line {number}: {problem or 'the array ended before it'}")
        line = line if opened else line.lstrip()[1:]
        begins, text, opened = begins if opened and text else number, f"{text}\n{line}" if opened else line, True
        text = text.lstrip()
        if not line.rstrip().endswith(("}", "]", ",")):  # a value goes on
            continue
        while text and not closed:
            if text[0] == "]" or (after and text[0] == ","):
                closed, after, text, begins = text[0] == "]", False, text[1:].lstrip(), number
                continue
            if after:
                raise InputError(f"{path}, line {number}: not valid JSON (expected , or ] after a value of the array)")
            try:
                value, end = _decode(text)
            except (ValueError, RecursionError) as error:
                why = getattr(error, "msg", "too deep or too long a number")
                break
            yield begins, value, ""
            text, after = text[end:].lstrip(), True
    if not closed or text:
        why = f"the value of line {begins}: {why or 'it ends in the middle'}" if text else "it ends in the middle"
        raise InputError(f"{path}, line {number}: not a complete JSON array ({why})")
