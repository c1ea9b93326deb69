"""One HTML file of results to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from align.errors import InputError
from align.evaluation.certificate import Certificate
from align.files.whole import whole_file
from align.reporting.collection import collect
from align.reporting.page import GENERATOR, page
from align.reporting.plots import draw_plots
from align.reporting.training import read_training


def report(
    results: Sequence[Path],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    baseline: str | None = None,
    training: Sequence[Path] = (),
    plots: Path | None = None,
    title: str = "Evaluation report",
    certificate: Certificate | None = None,
) -> list[Path]:
    """Write a report of result files as one HTML file that needs no network, and its figures as pictures.

    The same files give the same bytes.

    Args:
        results: result files, and folders of them, of one or several models on one or several benchmarks.
        out: the HTML file, written whole or not at all; an older report is replaced.
        names: of the models, in the order in which they come; ``None``: what the files call them.
        baseline: name of the model that is "before": differences are to it. ``None``: the first that is met.
        training: folders that ``align train`` wrote, for the training curves.
        plots: folder for the figures as PNG and SVG, see :func:`align.reporting.plots.draw_plots`; ``None``: none.
        title: heading of the page.
        certificate: of :func:`align.certify`, shown first; ``None``: the page has none.

    Returns:
        What was written: the page, then the figures.

    Raises:
        InputError: no result, a file that is no result or no training folder, two results of one model on one
            benchmark, names that do not fit, a baseline that is none of the models, or a place that cannot be written
            to or holds anything but a report.
    """
    _check_place(Path(out))
    collection = collect(results, names=names, baseline=baseline)
    runs = [run for folder in training for run in read_training(Path(folder))]
    text = page(collection, runs, title=title, certificate=certificate)
    with whole_file(Path(out)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [Path(out), *(draw_plots(results, plots, names=names, baseline=baseline) if plots else [])]


def _check_place(out: Path) -> None:
    if out.is_symlink():
        raise InputError(f"{out} is a symlink; expected an HTML file to write")
    if out.is_dir():
        raise InputError(f"{out} is a folder; expected an HTML file to write")
    if out.exists():
        with open(out, "rb") as file:
            if GENERATOR.encode() not in file.read(1000):
                raise InputError(f"{out} is no report that Align wrote: give another file, or move it away")
