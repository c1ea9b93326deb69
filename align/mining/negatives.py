"""Hard negatives for a table of pairs: the nearest texts of its other meanings, as an encoder has them."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from align.errors import InputError
from align.files.folders import named, writing
from align.files.locks import locked
from align.files.whole import read_json
from align.mining.choice import Rule
from align.mining.searches import Found, Search, search
from align.pairs.builder import Builder, ModelOptions, shown
from align.pairs.reading.table import read_pairs
from align.pairs.table import negative_columns, pair_writer

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoders.encoder import Encoder

log = logging.getLogger(__name__)


def negative_pairs(
    tables: Path | str | Sequence[Path | str],
    model: Encoder | Path | str,
    out: Path | str,
    *,
    number: int = 5,
    ranks: tuple[int, int] = (1, 100),
    margin: float | None = None,
    relative_margin: float | None = None,
    guide: Encoder | Path | str | None = None,
    same_language: bool = True,
    sample: bool = False,
    least: int = 0,
    query_prompt: str | None = None,
    engine: str = "exact",
    factory: str | None = None,
    probes: int = 32,
    block: int = 2048,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> dict[str, Any]:
    """Write the pairs of a table with hard negatives of each to the folder ``out``, and return its manifest.

    The negatives of a pair are targets of other pairs that the encoder has near its source. None has the meaning of
    the pair: that is the meaning of all pairs of its ``group_id``, of those that share a text with one of them
    (``normalised``), and of those that such pairs link. Negatives that the table has stay, and come first. All stand
    in ``negative_1``, ``negative_2``, ...; a pair for which fewer are left has none in the last of these.

    A run that was stopped goes on if it is called again: what it made is kept beside ``out`` until the table is there,
    in a hidden folder. Memory: the texts, the vectors of the targets of a language, and what is near ``block`` sources.

    Args:
        tables: a table of pairs, or several, as :func:`align.read_pairs` reads them.
        model: an encoder, or what :func:`align.load_encoder` takes.
        out: folder of the table; an older table there is replaced.
        number: negatives of a pair, at most.
        ranks: the first and the last that may be taken, from 1, of the texts of other meanings, nearest first.
        margin: a negative is less similar than the target by this at least; None: it may be more similar. With a guide:
            0, if neither margin is given.
        relative_margin: the same, as a share of the similarity of the target: with 0.05 a negative has at most 95% of
            it.
        guide: another encoder, by whose similarities the margins are: it says which texts are too near to be wrong.
        same_language: negatives are of the language of the target.
        sample: draw from the window of ranks instead of taking the nearest.
        least: pairs with fewer negatives are set aside; 0: all are kept.
        query_prompt: put before every source, such as "query: "; None: the encoder's prompt, which targets have.
        engine: ``exact``, or ``faiss``: approximate neighbours.
        factory: of the FAISS index, see :func:`align.mining.neighbours.faiss_neighbours`.
        probes: clusters of it that are visited.
        block: sources that are searched for at a time, and the rows of a product.
        seed: of what is drawn.
        progress: show bars.
        load: further options of :func:`align.load_encoder` for the model; the guide takes its device.

    Raises:
        InputError: as :func:`align.read_pairs` and :func:`align.load_encoder`; an option that makes no sense; no pair
            has a negative left. Nothing is written.
    """
    from align.encoders.checkpoint import given_encoder

    tables = [tables] if isinstance(tables, (str, Path)) else list(tables)
    if not tables:
        raise InputError("no text is given: expected a table of pairs, a folder of align pairs or a file")
    if guide is not None and margin is None and relative_margin is None:
        margin = 0.0
    how = Search(
        Rule(number, ranks, margin, relative_margin, sample), same_language, engine, factory, probes, block, seed
    )  # fmt: skip
    if not 0 <= least <= number:
        raise InputError(f"least is from 0 to number, here {number}; got {least}")
    out = named(out)
    if any(Path(table).absolute() == out.absolute() for table in tables):
        raise InputError(f"{out} is the table that is read: give another folder to write to")
    with writing(out, kind="pair table"):
        pairs = read_pairs(*tables)
        encoder = given_encoder(model, load)
        judge = None if guide is None else given_encoder(guide, {"device": load.get("device")})
        with _work(out) as work:
            sources = _sources(tables)
            query_prompt = encoder.prompt if query_prompt is None else query_prompt
            found = search(pairs, encoder, query_prompt, judge, how, work, progress=progress)
            manifest = {
                **_counted(found, len(pairs)),
                "encoder": encoder.identity() | {"name": encoder.name},
                "guide": judge and judge.identity() | {"name": judge.name},
                "tables": [str(table) for table in tables],
                "licences": sorted({source["licence"] for source in sources}),
                "sources": sources,
                "options": asdict(how) | {"least": least, "query_prompt": query_prompt},
            }
            return _write(pairs, found.rows(), out, manifest, least=least, table=str(tables[0]))


def _counted(found: Found, rows: int) -> dict[str, Any]:
    """What the manifest says of the negatives; a warning tells how many pairs have none.

    Raises:
        InputError: no pair has one.
    """
    counts = Counter(found.counts.tolist())
    why = (
        f"texts of other meanings were too near to be wrong {found.too_near} times, and the largest meaning, by groups "
        f"and equal texts, has {found.largest} of the pairs"
    )
    if counts[0] == rows:
        raise InputError(f"no pair has a negative left: {why}")
    if counts[0]:
        log.warning("%d of %d pairs have no negative: %s", counts[0], rows, why)
    return {
        "kind": "negatives", "negatives": {str(count): counts[count] for count in sorted(counts)},
        "without": counts[0], "too_near": found.too_near, "largest_meaning": found.largest,
    }  # fmt: skip


def _write(
    pairs: Dataset, mined: Iterator[list[str]], out: Path, manifest: Mapping[str, Any], *, least: int, table: str
) -> dict[str, Any]:
    own = negative_columns(pairs.column_names)
    width = len(own) + max(int(count) for count in manifest["negatives"])
    with pair_writer(out) as writer:
        writer.manifest |= manifest
        for number, (row, texts) in enumerate(zip(pairs, mined, strict=True), 1):
            if len(texts) < least:
                text = f"{row['source']}\t{row['target']}"
                writer.reject(f"fewer than {least} negatives", table, number, text)
                continue
            every = [row[column] for column in own if row[column]] + texts
            padded = [*every, *[None] * (width - len(every))]
            plain = {column: value for column, value in row.items() if column not in own}
            writer.add(plain | {f"negative_{place}": text for place, text in enumerate(padded, 1)})
    return writer.manifest


def _sources(tables: Sequence[Path | str]) -> list[dict[str, Any]]:
    """What the tables were made of, as their manifests say."""
    found: list[dict[str, Any]] = []
    for table in tables:
        manifest = Path(table) / "manifest.json"
        known = read_json(manifest).get("sources") if manifest.is_file() else None
        found += known or [{"name": str(table), "licence": "unknown"}]
    return found


@contextmanager
def _work(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out``, which stays if the block fails."""
    work = out.with_name(f".{out.name}.negatives")
    with locked(work, of=out):
        work.mkdir(parents=True, exist_ok=True)
        log.info("what is made on the way is kept in %s until the table is there", work)
        yield work
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True)
class Options:
    """Any table with hard negatives beside its pairs: texts that an encoder has near, and that mean something else."""

    tables: Annotated[list[Path] | None, "Tables of pairs: folders, or .tsv, .jsonl, .parquet.", "TABLE"] = None
    number: Annotated[int, "Negatives of a pair, at most."] = 5
    ranks: Annotated[tuple[int, int], "First and last rank that may be taken, of the texts of other meanings."] = (
        1,
        100,
    )
    margin: Annotated[float | None, "A negative is less similar than the target by this; with --guide: 0."] = None
    relative_margin: Annotated[float | None, "The same, as a share of the similarity of the target: 0.05."] = None
    guide: Annotated[str | None, "Another encoder, by which it is judged what is too near to be wrong."] = None
    same_language: Annotated[
        bool, "Negatives are of the language of the target.", "--same-language/--any-language"
    ] = True  # fmt: skip
    sample: Annotated[bool, "Draw from the ranks instead of taking the nearest."] = False
    least: Annotated[int, "Pairs with fewer negatives are set aside; 0: all are kept."] = 0
    query_prompt: Annotated[str | None, 'Before every source, such as "query: "; by default --prompt.'] = None
    engine: Annotated[str, "exact, or faiss (extra): approximate neighbours."] = "exact"
    factory: Annotated[str | None, "Of the FAISS index; by default by the number of texts."] = None
    probes: Annotated[int, "Clusters of an IVF index that are visited."] = 32
    block: Annotated[int, "Sources that are searched for at a time; bounds memory."] = 2048
    seed: Annotated[int, "Of what is drawn."] = 0
    encoder: ModelOptions = field(default_factory=ModelOptions)

    def named(self) -> dict[str, Any]:
        """What is asked beside the tables and the encoder, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("tables", "encoder")}


def _build(given: Options, out: Path) -> dict[str, Any]:
    bars = log.isEnabledFor(logging.INFO)
    asked = given.named() | given.encoder.options()
    manifest = negative_pairs(given.tables or [], given.encoder.model, out, progress=bars, **asked)
    return shown(manifest, "languages", "negatives", "without", "too_near", "largest_meaning", "rejects")


BUILDER = Builder("negatives", Options, _build)
