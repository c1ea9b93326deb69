"""``align eval``: measure an encoder; and ``align list``: what there is to measure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from align.cli.options.arguments import AllowLicences, AsJson, Template, listed, show, tell
from align.cli.options.encoder_choice import EncoderChoice, takes_encoder
from align.errors import InputError

if TYPE_CHECKING:
    from align.evaluation.benchmarks import Benchmark
    from align.evaluation.encoding import Asked, StaticWords
    from align.evaluation.layers import Layers
    from align.evaluation.rules import Rules
    from align.reranking.scorer import Scorer


@takes_encoder()
def evaluate(
    context: typer.Context,
    choice: EncoderChoice,
    model: Annotated[
        str | None, typer.Argument(help="seed, a folder, or a name on the Hub; none with --static alone.")
    ] = None,
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Benchmarks of `align list`, TASK=PATH with a task of it, or folders of aligned text."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="ALIGN_DATA", help="Folder with the benchmark's folder in it; none: from the Hub."),
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Codes, or names of sets, with commas: only these.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Another than the task's own, see `align list TASK`.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting of a task, such as bli.candidates=20000 or candidates=20000; repeatable."),
    ] = None,
    twin: Annotated[
        str | None,
        typer.Option(
            help="Also romanised queries, or words with labels: by a romaniser (uroman), or a folder of such text."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="all, or 0,4,8: each k of hidden_states[k] is scored; a dev part chooses one."),
    ] = None,
    keep: Annotated[str, typer.Option(help="Vectors of all layers: on disk (exact), or float16 in memory.")] = "disk",
    static: Annotated[
        list[str] | None,
        typer.Option(help="Word vectors (.vec): FILE, FOLDER or CODE=FILE; instead of a model, or mixed with it."),
    ] = None,
    mix: Annotated[
        float | None, typer.Option(help="Weight of --static beside a model, 0 to 1.  [default: 0.8]")
    ] = None,
    lowercase: Annotated[bool, typer.Option("--lowercase", help="Fold --static and words to lower case.")] = False,
    rerank: Annotated[
        Path | None, typer.Option(help="Scorer (align head fusion) that puts the nearest in its order: retrieval, bli.")
    ] = None,
    rerank_depth: Annotated[int, typer.Option(min=2, help="How many of each query.")] = 10,
    template: Template = None,
    dtype: Annotated[str, typer.Option(help="Of a decoder's weights: float32, bfloat16 or float16.")] = "float32",
    batch_tokens: Annotated[int, typer.Option(min=1, help="Padded tokens of one forward pass over layers.")] = 4096,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write MODEL.BENCHMARK.HASH.json to; for one result, or a .json."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model in results; by default as it was given.")] = None,
    no_items: Annotated[bool, typer.Option("--no-items", help="Smaller files, without tests in comparisons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a benchmark, not tables.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Print every score, not the groups alone.")] = False,
    translations: Annotated[Path | None, typer.Option(help="TSV to write: the words that bli finds for each.")] = None,
    sentence_map: Annotated[bool, typer.Option("--map", help="A 2-D map of sentences, for the report.")] = False,
    mteb: Annotated[Path | None, typer.Option(help="Folder to write results in MTEB's shape to, too.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept scores; by default in the user's cache.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Score everything anew, and keep nothing.")] = False,
    allow_licences: AllowLicences = None,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap and of random halves.")] = 0,
) -> None:
    """Measure an encoder: scores with intervals, groups, a file for each that `compare` and `report` read.

    What was scored is kept: the same again costs nothing, and an interrupted run goes on where it stopped.
    """
    from align.evaluation.evaluate import evaluate as run
    from align.evaluation.result_table import result_table
    from align.evaluation.results import file_part, result_name, write_result
    from align.files.licences import allowing
    from align.files.locks import locked
    from align.files.whole import whole_file

    if static and (model is None or "=" in model):  # no model is given
        model, what = None, [one for one in (model, *(what or [])) if one]
    context.with_resource(allowing(listed(allow_licences)))
    plan = _plan(what or [], protocol, settings or [], twin)
    single = out is not None and out.suffix == ".json"
    if single and len(plan) > 1:
        raise InputError(f"{len(plan)} results do not go into one file: expected a folder, got {out}")
    if translations and not any(one.benchmark.task == "bli" for one in plan):
        raise InputError("--translations is for the task bli, which is not among what is to be scored")
    asked = {"template": template, "batch_tokens": batch_tokens}
    source = _Source(replace(choice, model=model or ""), plan, dtype, _words(static, lowercase), mix, asked)
    numbers = _layers(layers, keep)
    if numbers and static:
        raise InputError("static vectors have no layers: --layers needs a model alone")
    if numbers and choice.backend != "torch":
        raise InputError("--layers reads every layer of the model in torch: not with --backend")
    if choice.backend != "torch" and any(one.inputs == "labels" for one in plan):
        raise InputError("what learns labels reads and tunes the model in torch: not with --backend")
    called = name or model or "static"
    scorer = _scorer(rerank, choice)
    if out and not single:  # other models and benchmarks may be scored into the same folder meanwhile
        short = file_part("-".join(Path(called).parts[-2:]))
        for one in plan:
            context.with_resource(locked(out / f"{short}.{one.benchmark.name}"))
    for one in plan:
        encoder = source.load(one)
        result = run(
            encoder, one.benchmark, data=data, languages=listed(languages), protocol=one.rules.protocol,
            settings={**one.rules.reading, **({"top": 10} if translations and "top" not in one.rules.reading else {})},
            layers=numbers, rerank=scorer, rerank_depth=rerank_depth,
            asked=source.asked(one), name=called, items=not no_items, cache=cache, use_cache=not no_cache,
            resamples=resamples, seed=seed, progress=context.obj,
        )  # fmt: skip
        if sentence_map:
            result |= _map(encoder, one.benchmark, data, listed(languages))
        found = result.pop("translations", None)
        if translations and found:
            with whole_file(translations) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
        if out:
            write_result(out if single else out / f"{result_name(result)}.json", result)
        if mteb:
            _write_mteb(mteb, result)
        if as_json:
            show(result, indent=None)
        else:
            print(result_table(result, scores=scores or one.benchmark.source != ""))


@dataclass(frozen=True)
class _Planned:
    benchmark: Benchmark
    rules: Rules
    inputs: str


def _plan(what: Sequence[str], protocol: str | None, settings: Sequence[str], twin: str | None) -> list[_Planned]:
    """What is scored by which rules; a setting without a task is of all that have it."""
    from align.evaluation.benchmarks import find_benchmark
    from align.evaluation.rules import rules_of, settings_of
    from align.tasks.task import task, tasks

    if not what:
        raise InputError("nothing to score: expected benchmarks of `align list`, TASK=PATH, or a folder of text")
    chosen = [find_benchmark(one) for one in dict.fromkeys(what)]
    twinned = {one.task for one in chosen if "twin" in settings_of(task(one.task))} or {"retrieval"}
    given: dict[str, dict[str, str]] = {}
    for text in [*settings, *(f"{kind}.twin={twin}" for kind in twinned if twin)]:
        label, equals, value = text.partition("=")
        kind, dot, key = label.rpartition(".")
        if not equals or (dot and kind not in tasks()):
            raise InputError(f"expected TASK.KEY=VALUE or KEY=VALUE, such as bli.candidates=20000, got {text!r}")
        kinds = {kind} if dot else {one.task for one in chosen if key in settings_of(task(one.task))}
        for name in kinds or {one.task for one in chosen}:
            given.setdefault(name, {})[key] = value
    if unused := given.keys() - {one.task for one in chosen}:
        raise InputError(f"--set {min(unused)}: nothing of that task is scored")
    return [_Planned(one, rules_of(one, protocol, given.get(one.task)), task(one.task).inputs) for one in chosen]


def _words(static: Sequence[str] | None, lowercase: bool) -> StaticWords | None:
    from align.evaluation.encoding import StaticWords

    return StaticWords(static, lowercase=lowercase) if static else None


def _scorer(folder: Path | None, choice: EncoderChoice) -> Scorer | None:
    """The scorer of a folder, on the encoder that it was trained on."""
    if folder is None:
        return None
    from align.reranking.scorer import load_scorer

    return load_scorer(folder, device=choice.device, bf16=choice.bf16)


def _layers(text: str | None, keep: str) -> Layers | None:
    from align.evaluation.layers import Layers

    if text is None:
        return None
    if text != "all" and not re.fullmatch(r"\d+(,\d+)*", text):
        raise InputError(f"--layers {text}: expected all, or numbers with commas such as 0,4,8")
    return Layers(None if text == "all" else list(map(int, text.split(","))), keep)


@dataclass
class _Source:
    """Where vectors come from: each encoder is loaded once."""

    choice: EncoderChoice
    plan: list[_Planned]
    dtype: str
    static: StaticWords | None
    mix: float | None
    asking: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse what does not go together, and follow a protocol that names a layer: all are of it, or none is."""
        model, template = self.choice.model, self.asking["template"]
        if not model and not self.static:
            raise InputError("nothing to measure: expected a model, --static vectors, or both")
        if template and not model:
            raise InputError("static vectors have no context: --template needs a model")
        if self.mix is not None and not (model and self.static):
            raise InputError("--mix weighs static vectors against a model: it needs both")
        if self.choice.offsets and not model:
            raise InputError("static vectors have no offsets: --offsets needs a model")
        if wrong := [one for one in self.plan if self.static and one.inputs != "words"]:
            raise InputError(f"static vectors are of words: {wrong[0].benchmark.task} needs a model")
        if self.choice.backend != "torch" and any(one.inputs == "tokens" for one in self.plan):
            raise InputError("words in sentences are read from the model in torch: not with --backend")
        self.loaded: dict[bool, Any] = {}
        self.own = self.choice
        for place, one in enumerate(self.plan):
            if hasattr(one.rules.protocol, "layer"):
                protocol, self.own = self.choice.followed(one.rules.protocol)
                self.plan[place] = replace(one, rules=replace(one.rules, protocol=protocol))

    def load(self, one: _Planned) -> Any:
        """An encoder; a decoder where only its layers are read; or static vectors, or a mix with them."""
        from align.evaluation.encoding import Mixed

        if not self.choice.model:
            return self.static
        layered = one.inputs == "layers"
        if layered not in self.loaded:
            self.loaded[layered] = self._any() if layered else self._encoder(self.own)
        encoder = self.loaded[layered]
        return Mixed(self.static, encoder, 0.8 if self.mix is None else self.mix) if self.static else encoder

    def _encoder(self, choice: EncoderChoice) -> Any:
        return replace(choice, bf16=choice.bf16 and choice.backend != "torch").load()  # torch: autocast, when encoding

    def _any(self) -> Any:
        from align.encoders.decoder import is_decoder, load_decoder

        choice = replace(self.choice, pooling=None, layer=None, average_layers=None)
        if not is_decoder(choice.model, choice.revision):
            return self._encoder(choice)
        if choice.offsets:
            raise InputError("offsets are of the layer that an encoder pools: --offsets is not for tasks on layers")
        if choice.special_tokens is False:
            raise InputError(f"{choice.model} is a decoder-only model: its special tokens count, as in MEXA")
        return load_decoder(
            choice.model, prompt=choice.prompt or "", dtype=self.dtype, max_tokens=choice.max_tokens,
            device=choice.device, revision=choice.revision,
        )  # fmt: skip

    def asked(self, one: _Planned) -> Asked:
        """How the encoder is asked."""
        from align.evaluation.encoding import Asked

        kind = self.choice.pooling if one.inputs == "layers" else None
        return Asked(bf16=self.choice.bf16, kind=kind, **self.asking)


def _map(encoder: Any, benchmark: Benchmark, data: Path | None, languages: list[str] | None) -> dict[str, Any]:
    """A map of some lines of every language of a line-aligned benchmark."""
    from align.evaluation.benchmarks import local_folder
    from align.evaluation.projection import sentence_map
    from align.evaluation.reading import units
    from align.tasks.texts.bitext import PIVOT

    if benchmark.task != "retrieval":
        return {}
    texts: dict[str, list[str]] = {}
    for unit in units(benchmark, local_folder(benchmark, data), languages):
        try:
            loaded = unit.load()
        except InputError:
            continue  # evaluate has said so
        if texts and loaded.get(PIVOT) != texts[PIVOT]:
            continue  # Tatoeba: lines of one language only mean the same
        texts |= loaded
    return {"map": sentence_map(lambda lines, code: encoder.encode(lines, language=code), texts)}


def _write_mteb(folder: Path, result: dict[str, Any]) -> None:
    from align.evaluation.mteb_shape import mteb_result
    from align.evaluation.results import file_part, result_name
    from align.files.whole import write_json

    shaped = mteb_result(result)
    revision = result_name(result).rpartition(".")[2]  # as MTEB: model, revision, task; nothing else has this one
    write_json(folder / file_part(result["model"]) / revision / f"{file_part(shaped['task_name'])}.json", shaped)


def list_benchmarks(
    name: Annotated[
        str | None, typer.Argument(help="A benchmark: its languages in the data folder; a task: what may be set of it.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ALIGN_DATA", help="Data folder: tells what is there, and in which languages.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--task", help="Only benchmarks of this task.")] = None,
    language: Annotated[str | None, typer.Option(help="Only those that --data has in it: hin_Deva, or hi.")] = None,
    script: Annotated[str | None, typer.Option(help="Only those that --data has in it: Deva.")] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", "--license", help="Only those whose licence begins so: cc-by-sa.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What `align eval` knows: tasks, benchmarks, languages, scripts, licences."""
    from align import list_benchmarks as run
    from align.evaluation.listing import benchmark_languages, task_settings, task_table
    from align.tasks.task import tasks

    if name in tasks():
        settings, table = task_settings(name)
        tell(settings, table, as_json=as_json)
        return
    if name is not None:
        codes = benchmark_languages(name, data)
        tell(codes, "\n".join(codes), as_json=as_json)
        return
    rows = [
        {
            "benchmark": one.benchmark.name, "task": one.benchmark.task, "languages": list(one.languages),
            "licence": one.benchmark.licence, "from": one.benchmark.hub or one.benchmark.origin,
            "what": one.benchmark.about,
        } for one in run(data, task=kind, language=language, script=script, licence=licence)
    ]  # fmt: skip
    chosen = any((kind, language, script, licence))
    tell(rows, _benchmark_table(rows) + ("" if chosen else f"\n\n{task_table()}"), as_json=as_json)


def _benchmark_table(rows: list[dict[str, Any]]) -> str:
    from align.tasks.table import markdown

    header = ["benchmark", "task", "in the data folder", "licence", "from", "what"]
    return markdown(header, [[_counted(cell) for cell in row.values()] for row in rows])


def _counted(cell: str | list[str]) -> str:
    """How many languages and scripts, or sets, are in a list."""
    if isinstance(cell, str):
        return cell
    scripts = len({code.partition("_")[2] for code in cell if "_" in code})
    return f"{len(cell)} languages, {scripts} scripts" if scripts else f"{len(cell)} sets" if cell else "-"
