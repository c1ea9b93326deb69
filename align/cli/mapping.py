"""``align map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from align.cli.options.arguments import Out, show

MethodName = Literal["procrustes", "refine", "rcsls", "vecmap", "semi", "identical", "unsupervised"]
Form = Literal["vec", "npy"]


def map_words(
    source: Annotated[Path, typer.Argument(help="Text file of word vectors (.vec, .txt, .gz), frequent words first.")],
    target: Annotated[Path, typer.Argument(help="The same of the other language.")],
    out: Out,
    dictionary: Annotated[
        Path | None, typer.Option("--dictionary", "-d", help="Seed: source TAB target, or two words a line.")
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(help="vecmap is supervised; semi, identical and unsupervised are VecMap's self-learning."),
    ] = "procrustes",
    limit: Annotated[int, typer.Option(min=1, help="Words to read of each file, from the top.")] = 200_000,
    lowercase: Annotated[bool, typer.Option(help="Fold the words of the files to lower case.")] = False,
    numerals: Annotated[bool, typer.Option(help="Of identical words only the numerals.")] = False,
    normalize: Annotated[
        str | None, typer.Option(help="unit, center, by commas, or none; by default the method's own.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="vec, or npy with a list of words.")] = "vec",
    seed: Annotated[int, typer.Option(help="Of the dropout of self-learning.")] = 0,
    block: Annotated[int, typer.Option(min=1, help="Rows of each side in one product: bounds the memory.")] = 2048,
) -> None:
    """Map the word vectors of two languages into one space, from a seed dictionary or without one."""
    from align import map as run

    files: dict[str, Any] = {"dictionary": dictionary, "limit": limit, "lowercase": lowercase, "form": form}
    options: dict[str, Any] = {"numerals": numerals, "normalization": normalize, "seed": seed, "block": block}
    manifest = run(source, target, out, method=method, **files, **options)
    course = manifest["objective"]["course"]
    objective = {"measure": manifest["objective"]["measure"], "first": course[0], "last": course[-1]}
    keys = ("words", "dimensions", "dictionary", "fitted_pairs")
    show({"method": method, **{key: manifest[key] for key in keys}, "objective": objective, "out": str(out)})
