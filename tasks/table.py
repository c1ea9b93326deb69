"""A Markdown table whose columns line up in plain text."""

from __future__ import annotations

from collections.abc import Sequence

Cell = str | int | float


def markdown(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table, floats with three decimals.

    >>> print(markdown(["pair", "P@1"], [["a", 0.5]]))
    | pair |   P@1 |
    |:-----|------:|
    | a    | 0.500 |

    Args:
        header: a name for each column.
        rows: cells; text goes to the left, numbers to the right.
    """
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    right = [bool(rows) and not isinstance(cell, str) for cell in (rows[0] if rows else header)]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    rule = "|".join("-" * (w + 1) + ":" if r else ":" + "-" * (w + 1) for w, r in zip(widths, right, strict=True))
    body = [_line(row, widths, right) for row in [list(header), *cells]]
    return "\n".join([body[0], f"|{rule}|", *body[1:]])


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
    return f"| {' | '.join(padded)} |"
