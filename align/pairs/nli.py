"""Pairs of natural language inference: a premise, and what follows from it, contradicts it or does neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from align.errors import InputError
from align.pairs.builder import Builder, Parallel, RowOptions, shown
from align.pairs.choices import check_choice
from align.pairs.reading.finding import find_rows
from align.pairs.reading.nli_rows import AlignedPremises, NliRow, premise_groups, read_nli
from align.pairs.reading.sources import ROW_SUFFIXES, GivenRows, described
from align.pairs.table import LABELS, PairWriter, pair_writer
from align.text.normal_forms import normalised, text_hash

Form = Literal["triplets", "pairs", "labels"]


def nli_pairs(
    texts: GivenRows,
    out: Path | str,
    *,
    form: Form = "triplets",
    parallel: bool = False,
    numbers: Sequence[str] = LABELS,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of pairs of natural language inference to the folder ``out`` and return its manifest.

    ``lines = rows + negatives + sum(left_out) + sum(rejects)`` in the manifest. ``rejects`` are rows that no form can
    use; ``left_out`` are rows that this form does not; ``negatives`` are contradictions that stand beside an entailed
    hypothesis. Memory: the texts of one file, and some 100 bytes a row.

    ``group_id`` names the premise: the hash of its text or, where translations can be told, of its text in one
    language, so that all translations of it share the id. They can with ``parallel`` (its text in the first source),
    and in a file of several languages with a column ``pairID`` (in English, if it is there).

    Args:
        texts: files, folders, ``RowFile``, ``HubRows``, or ``{code: file or files}``. Files end in ``.tsv`` (with a
            header), ``.jsonl``, compressed or not, or ``.parquet``, and are named ``eng_Latn.snli.tsv``; those with a
            column ``language`` may have any name. ``read_nli`` says which columns.
        out: folder of the table; an older table there is replaced.
        form: ``triplets``: source premise, target an entailed hypothesis, negative a contradicting one of the same
            premise (dealt round to the entailed ones). ``pairs``: source premise, target an entailed hypothesis, no
            negative: every entailment, also those of premises without contradiction. ``labels``: every labelled row,
            with its label.
        parallel: whether the sources are row-aligned translations of each other; checked by their labels.
        numbers: the labels that 0, 1, 2 stand for.
        licence: of the sources that do not carry their own, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; an unknown label (file, line, label and the known
            ones); parallel sources that differ in rows or labels; no pair is left. Nothing is written.
    """
    check_choice("form", form, Form)
    if sorted(numbers) != sorted(LABELS):
        raise InputError(f"numbers name {', '.join(LABELS)}, each once; got {', '.join(numbers)}")
    sources = find_rows(texts, licence=licence, unnamed=ROW_SUFFIXES)
    entries, aligned = [], AlignedPremises() if parallel else None
    with pair_writer(out) as writer:
        build = _Table(writer, form)
        for source in sources:
            rows = list(read_nli(source, numbers))
            build.read(rows, aligned.groups(source, rows) if aligned else premise_groups(rows))
            entries.append(described(source, len(rows), {row.premise_lang for row in rows}))
        if not writer.rows:
            aside = f"left out: {dict(build.left_out) or 'nothing'}; rejected: {dict(writer.rejects) or 'nothing'}"
            raise InputError(f"the rows make no {form}; {aside}")
        writer.manifest |= {
            "kind": "nli",
            "lines": sum(entry["lines"] for entry in entries),
            "labels": dict(build.labels),
            "negatives": build.negatives,
            "left_out": dict(build.left_out),
            "languages_without_pairs": writer.without_pairs(code for entry in entries for code in entry["languages"]),
            "licences": sorted({entry["licence"] for entry in entries}),
            "sources": entries,
            "options": {"form": form, "parallel": parallel, "numbers": list(numbers)},
        }
    return writer.manifest


@dataclass
class _Premise:
    """Rows of one premise in one language, with their group."""

    entailed: list[tuple[NliRow, str]] = field(default_factory=list)
    contradicted: list[NliRow] = field(default_factory=list)


@dataclass
class _Table:
    """Rows of one source after another."""

    writer: PairWriter
    form: Form
    labels: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    negatives: int = 0
    seen: dict[int, str] = field(default_factory=dict)

    def read(self, rows: Sequence[NliRow], groups: Sequence[str]) -> None:
        premises: dict[tuple[str, str, str], _Premise] = {}
        for row, group in zip(rows, groups, strict=True):
            reason = self.reason(row)
            if reason:
                self.writer.reject(reason, row.file, row.number, f"{row.premise}\t{row.hypothesis}")
                continue
            self.labels[row.label] += 1
            if self.form == "labels":
                self.add(row, group, label=row.label)
            elif row.label == "neutral" or (self.form == "pairs" and row.label == "contradiction"):
                self.left_out[row.label] += 1
            elif self.form == "pairs":
                self.add(row, group)
            else:
                key = (row.premise_lang, row.hypothesis_lang, normalised(row.premise))
                premise = premises.setdefault(key, _Premise())
                if row.label == "entailment":
                    premise.entailed.append((row, group))
                else:
                    premise.contradicted.append(row)
        for premise in premises.values():
            self.deal(premise)

    def reason(self, row: NliRow) -> str:
        if row.problem or not row.label:
            return row.problem or "no label"
        text = "\t".join((row.premise_lang, row.hypothesis_lang, normalised(row.premise), normalised(row.hypothesis)))
        key = text_hash(text)
        if key in self.seen:
            return "duplicate" if self.seen[key] == row.label else "another label before"
        self.seen[key] = row.label
        return ""

    def deal(self, premise: _Premise) -> None:
        entailed, contradicted = len(premise.entailed), len(premise.contradicted)
        if not contradicted:
            self.left_out["entailment without contradiction"] += entailed
            return
        if not entailed:
            self.left_out["contradiction without entailment"] += contradicted
            return
        if contradicted > entailed:
            self.left_out["contradiction beyond the entailments"] += contradicted - entailed
        self.negatives += min(entailed, contradicted)
        for index, (row, group) in enumerate(premise.entailed):
            self.add(row, group, negative=premise.contradicted[index % contradicted].hypothesis)

    def add(self, row: NliRow, group: str, **more: str) -> None:
        pair = {"source": row.premise, "target": row.hypothesis, "source_lang": row.premise_lang}
        self.writer.add(pair | {"target_lang": row.hypothesis_lang, "kind": "nli", "group_id": group} | more)


@dataclass(frozen=True)
class Options(RowOptions):
    """Pairs of natural language inference: label, premise, hypothesis in .tsv, .jsonl, .parquet or a Hub dataset."""

    form: Annotated[Form, "triplets (entailed, contradicting), pairs (entailed) or labels (every row)."] = "triplets"
    parallel: Parallel = False
    numbers: Annotated[str, "The labels that 0, 1, 2 stand for."] = ",".join(LABELS)


def _build(given: Options, out: Path) -> dict[str, Any]:
    numbers = [label.strip() for label in given.numbers.split(",")]
    manifest = nli_pairs(given.sources(), out, **given.named() | {"numbers": numbers})
    return shown(manifest, "lines", "languages", "labels", "negatives", "left_out", "rejects")


BUILDER = Builder("nli", Options, _build)
