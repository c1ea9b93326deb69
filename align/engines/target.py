"""What an engine gives so that vectors can be exported to it: a schema to agree on, and a handful of calls.

An engine is a file with an :class:`Engine`, which :mod:`align.engines.registry` finds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pyarrow as pa
from numpy.typing import NDArray

from align.errors import InputError
from align.files.nested import differences
from align.vectors.folder import plain

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FORMAT = "align-export/1"
PAYLOAD = ("text_sha256", "language", "script")
"""What every row has beside its id and its vector; and ``text`` and columns of the user's own, where the vectors'
folder has them."""
Where = Mapping[str, Sequence[str]]
"""Of each column that it names, the values that a row may have; of no value no row has one."""


class Unreachable(Exception):
    """The server is away or did not answer in time: worth another try. Its text is the cause, in a few words."""


@dataclass(frozen=True)
class Schema:
    """What a collection holds.

    Attributes:
        name: of the collection (table, index).
        dimension: of every vector.
        dtype: ``float32`` or ``float16``.
        encoder: what made the vectors, as :attr:`align.vectors.folder.Vectors.encoder`.
        texts: whether the texts are stored too.
        columns: of the user's own, such as ``licence``: names of letters, digits and _.
        sparse: what the folder's manifest says of its sparse vectors, ``terms`` (how many there are) among it; of a
            folder that has none, empty.
        terms: what those are called, by their numbers. An engine knows a term by its number: a name may be empty, hold
            a dot, or be longer than the name of a field may be.
    """

    name: str
    dimension: int
    dtype: str
    encoder: Mapping[str, Any]
    texts: bool
    columns: tuple[str, ...] = ()
    sparse: Mapping[str, Any] = field(default_factory=dict)
    terms: Sequence[str] = ()

    @property
    def payload(self) -> tuple[str, ...]:
        """Names of the columns beside id and vector; all are strings, none is null."""
        return (*PAYLOAD, *(["text"] if self.texts else []), *self.columns)

    @property
    def filtered(self) -> tuple[str, ...]:
        """Names of the columns that a search may be filtered by."""
        return ("language", "script", *self.columns)

    def described(self) -> dict[str, Any]:
        """What is stored with the collection, as JSON; :func:`agree` compares it."""
        facts = {"dimension": self.dimension, "dtype": self.dtype, "texts": self.texts}
        own: dict[str, Any] = {"columns": sorted(self.columns)} if self.columns else {}
        own |= {"sparse": dict(self.sparse)} if self.sparse else {}
        return plain({"format": FORMAT, **facts, **own, "encoder": dict(self.encoder)})


class Target(Protocol):
    """A collection to write to and to search. Every call may raise :class:`Unreachable`, and may then be repeated."""

    exact: bool
    """Its search is exact: :func:`align.engines.verify.verify_export` demands the same ids."""

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the collection, or check that the one there agrees; ``make=False``: it must be there (no writing).

        Raises:
            InputError: the one there does not agree (:func:`agree`), or it is not there (:func:`absent`).
        """

    def upsert(self, table: pa.Table) -> None:
        """Write rows, each in the place of the one of its id; all are durable when it returns.

        Args:
            table: columns ``id``, those of :attr:`Schema.payload`, and ``vector``: unit vectors of the schema's dtype;
                and the columns of :mod:`align.vectors.sparse`, where :attr:`Schema.sparse` says so.
        """

    def finish(self) -> None:
        """Build the index, flush, and make everything searchable."""

    def count(self) -> int:
        """Rows that are there now."""

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """The ids of the ``k`` nearest rows of each query by cosine, best first.

        Args:
            queries: (n, d) float32, unit rows.
            k: how many; all, where there are fewer.
            where: only rows with one of these values in each of these columns, which are of :attr:`Schema.filtered`.
        """

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each of these ids that is there: ``{id: {column: value}}``."""

    def close(self) -> None:
        """Let go of everything; what was not finished may be given up. Never raises :class:`Unreachable`."""


@runtime_checkable
class Sparse(Protocol):
    """A target that holds sparse vectors too; to one that is none of these, :func:`align.export` writes dense alone."""

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """The ids of the ``k`` rows of the highest inner product with each query, best first; none below or at 0.

        Args:
            queries: (n, terms) float32, not made unit.
            k: how many.
            where: as :meth:`Target.search`.
        """


@runtime_checkable
class Hybrid(Sparse, Protocol):
    """A target whose engine fuses both itself, by reciprocal ranks."""

    def search_hybrid(self, queries: NDArray[Any], sparse: csr_array, k: int) -> list[list[str]]:
        """The ids of the ``k`` rows of the highest sum of 1 / (RRF + rank) over the best DEPTH of either search.

        Args:
            queries: (n, d) as of :meth:`Target.search`.
            sparse: (n, terms) as of :meth:`Sparse.search_sparse`, of the same n queries.
            k: how many.
        """


@dataclass(frozen=True)
class Engine:
    """An engine that is known.

    Attributes:
        name: as ``align export`` knows it.
        to: what TO is, for the help.
        open_target: ``(to, *, name, **options) -> Target``: a function, or the target's class. Options have defaults
            and are declared with their types; it may reach nothing before :meth:`Target.prepare`, and imports the
            engine's client itself (:func:`client`).
    """

    name: str
    to: str
    open_target: Callable[..., Target]


def agree(stored: Any, schema: Schema, where: str) -> None:
    """Check what is stored with a collection that is there.

    Args:
        stored: what :meth:`Schema.described` gave when it was made, or that as JSON; anything else: not made by align.
        schema: what is to be written.
        where: the collection in words, without a password: "collection align of http://127.0.0.1:19530".

    Raises:
        InputError: it is not align's, or of another dimension, dtype, encoder or other columns.
    """
    if isinstance(stored, str | bytes):
        with suppress(ValueError):
            stored = json.loads(stored)
    if not isinstance(stored, Mapping) or stored.get("format") != FORMAT:
        raise InputError(f"{where} is there, but was not made by align export: give another --name, or remove it")
    there, here = dict(stored), schema.described()
    encoders = there.pop("encoder", None) or {}, here.pop("encoder")
    differ = [differences(there, here, "there", "here"), differences(*encoders, "there", "here")]
    if any(differ):
        named = ", ".join(part for part in differ if part)
        raise InputError(f"{where} holds other vectors: {named}; give another --name, or remove it")


def absent(where: str) -> InputError:
    """The error for a collection that is not there, when it has to be."""
    return InputError(f"{where} is not there: run align export first")


def client(engine: str, package: str, module: str) -> Any:
    """A module that an engine's client makes work.

    Raises:
        InputError: ``package``, the extra of the engine's name, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"engine {engine} needs {package}: pip install 'align-encoders[{engine}]'") from error


def check_counts(**options: Any) -> None:
    """Refuse an option that is no whole number from 1.

    Raises:
        InputError: the first that is none.
    """
    for option, value in options.items():
        if not (isinstance(value, int) and value >= 1):
            raise InputError(f"{option} is a whole number of 1 or more, got {value!r}")


def check_seconds(engine: str, **options: float) -> None:
    """Refuse a bound that is none.

    Raises:
        InputError: an option is not more than 0 and finite.
    """
    for option, value in options.items():
        if not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise InputError(f"{option} of {engine} is a number of seconds, more than 0 and finite, got {value!r}")
