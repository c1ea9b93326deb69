"""The benchmarks compare equal things, and docs/performance.md says what they kept."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts"
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="only in a checkout of the source")
PAIRS = [
    ("Все люди рождаются свободными", "All human beings are born free"),
    ("и равными", "and equal"),
    ("в своём достоинстве и правах.", "in dignity and rights."),
    ("Они наделены разумом и совестью и должны поступать", "They are endowed with reason and conscience"),
]


@pytest.fixture(autouse=True)
def scripts(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_both_sides_compute_the_same_loss_and_gradient():
    from scripts.bench import timed

    theirs = timed.peer_once("seed", PAIRS)
    for settings in ({}, {"attention": "padded", "loss": "plain"}, {"micro_tokens": 16}):
        found = timed.difference(timed.ours_once("seed", PAIRS, **settings), theirs)
        assert found["loss"] < 1e-5
        assert found["gradient_cosine"] > 1 - 1e-6
    other = timed.difference(timed.ours_once("seed", PAIRS[:3]), theirs)
    assert other["loss"] > 1e-3  # the comparison is not empty: a hundred times what is called equal


def test_the_public_arrangement_has_our_terms():
    from scripts.bench import translico

    found = translico.compare("seed", PAIRS)
    assert [one["beside"] for one in found] == [name for name, _ in translico.VARIANTS]
    for one in found:
        assert one["terms"] < 1e-5
        assert one["loss"] < 1e-5 * one["peer"]
        assert one["gradient_cosine"] > 1 - 1e-6


def test_nt_xent_by_hand():
    from scripts.bench.translico import nt_xent

    source, target = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    scores = [[1, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]]  # of each row, its partner's first
    expected = np.mean([np.log(np.exp(row).sum()) - row[0] for row in scores])
    assert nt_xent(source, target).item() == pytest.approx(expected, rel=1e-6)


def test_two_forwards_give_the_states_of_one():
    from align.encoders.checkpoint import load_encoder
    from scripts.bench import timed

    encoder = load_encoder("seed", device="cpu")
    ids, attention = encoder.pad(encoder.tokenize([text for side in zip(*PAIRS, strict=True) for text in side]))
    widths = []
    with torch.no_grad():
        expected = encoder(ids, attention)
        inner = encoder.hidden
        encoder.hidden = lambda ids, attention, **more: widths.append(ids.shape) or inner(ids, attention, **more)
        timed.two_forwards(encoder)
        torch.testing.assert_close(encoder(ids, attention), expected)
    longest = [int(part.sum(1).max()) for part in attention.chunk(2)]
    assert [tuple(shape) for shape in widths] == [(4, width) for width in longest]


def test_random_batches_know_no_lengths():
    from align.training import stage as trainer
    from scripts.bench import timed

    lengths, real = np.arange(1, 65), trainer.BatchStream
    options = {"batch_size": 8, "total": 8, "seed": 0}

    def spread():
        stream = trainer.BatchStream(lengths, np.zeros(64, dtype=np.int64), np.arange(64), **options)
        return np.mean([np.ptp(lengths[rows]) for _, rows in stream.whole()])

    assert spread() == 7  # neighbours
    with timed.random_batches():
        assert spread() > 40
    assert trainer.BatchStream is real


def test_the_clock_counts_from_the_step_it_is_told():
    from scripts.bench import timed

    clock = timed.Clock("cpu", skip=1, asked=lambda: "packed")
    times = iter([(10.0, 1.0), (16.0, 4.0)])
    clock.now = lambda: next(times)
    clock.start = (0.0, 0.0)
    for step in range(4):
        state = type("State", (), {"global_step": step, "max_steps": 4})
        clock.on_step_begin(None, state, None)
        state.global_step += 1
        clock.on_step_end(None, state, None)
    cost = clock.cost(4)
    assert (cost["wall"], cost["processor"], cost["engine"]) == (2.0, 1.0, "packed")
    assert (cost["whole_wall"], cost["whole_processor"]) == (16.0, 4.0)


def test_pairs_take_scripts_in_turns(tmp_path):
    from scripts.bench.texts import read_pairs

    folder = tmp_path / "udhr"
    folder.mkdir()
    names = {"eng": "LATIN", "deu": "LATIN", "ell": "GREEK", "bin": "LATIN"}
    lines = ["code\tbcp47\tiso\tname\tscript\tarticles", *(f"{c}\t{c}\t{c}\t{c}\t{s}\t30" for c, s in names.items())]
    (folder / "langs.tsv").write_text("\n".join(lines))
    articles = [
        {"id": str(i), "eng": f"one {i} ¶ two {i}", "deu": f"eins {i} ¶ zwei {i}", "bin": f"x {i} ¶ y {i}"}
        for i in range(3)
    ]
    articles[0]["ell"] = "ένα ¶ δύο"
    articles[1]["ell"] = "one paragraph only"
    (folder / "articles.jsonl").write_text("\n".join(map(json.dumps, articles)))
    pairs, scripts = read_pairs(tmp_path, "scripts", 4)
    assert scripts == 2
    assert {pair for pair in pairs if pair[0] in ("ένα", "δύο")} == {("ένα", "one 0"), ("δύο", "two 0")}
    assert sum(pair[1].startswith(("eins", "zwei")) for pair in pairs) == 2
    with pytest.raises(SystemExit, match="9 were asked for, but UDHR, Latin script has 6"):
        read_pairs(tmp_path, "latin", 9)


def test_a_process_of_its_own_has_an_empty_cache():
    from scripts.bench import harness

    lines = harness.apart(subprocess.check_output, ["env"]).decode().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert environment["XDG_CACHE_HOME"] != os.environ["XDG_CACHE_HOME"]


def test_turns_go_back_and_forth_and_the_middle_counts():
    from scripts.bench.harness import middle, turns

    order = []
    works = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    assert turns(works, 3) == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}
    assert "".join(order) == "abccbaabc"
    assert middle([{"wall": 3.0, "memory": 1}, {"wall": 1.0, "memory": None}, {"wall": 2.0, "memory": 5}]) == {
        "wall": 2.0, "memory": None,
    }  # fmt: skip


def test_the_command_line_is_the_signature(monkeypatch, tmp_path):
    from scripts.bench import harness

    def bench(what: str, *, sizes: Sequence[int] = (8, 32), deep: bool = False, place: str | None = None) -> dict:
        return {"what": what, "sizes": sizes, "deep": deep, "place": place}

    folder = tmp_path / "e5"
    folder.mkdir()
    command = ["step", "--sizes", "1", "2", "--sizes", "3", "--place", str(folder), "--out", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", [str(SCRIPTS / "bench" / "train.py"), *command])
    harness.command_line(bench)
    kept = json.loads((tmp_path / "out.json").read_text())
    assert (
        kept["command"]
        == "python -m scripts.bench.train step --sizes 1 2 --sizes 3 --place E5 --out docs/results/out.json"
    )
    assert (kept["what"], kept["sizes"], kept["deep"], kept["place"]) == ("step", [1, 2, 3], False, str(folder))
    assert kept["hardware"]["threads"] == 1
    monkeypatch.setattr(sys, "argv", [*sys.argv[:2], "--out", str(tmp_path / "out.json")])
    harness.command_line(bench)
    assert json.loads((tmp_path / "out.json").read_text())["sizes"] == [8, 32]


def test_the_gpu_benchmark_runs_as_a_toy(tmp_path):
    out = tmp_path / "gpu.json"
    environment = os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    script = str(SCRIPTS / "bench" / "gpu.sh")
    command = ["bash", script, "--device", "cpu", "--toy", "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert [len(result[part]) for part in ("ladder", "caching", "loss")] == [8, 4, 4]
    assert all(row["pairs_per_second"] > 0 and row["mfu"] > 0 for row in result["ladder"])
    assert [row["engine"].split(",")[0] for row in result["ladder"][1:]] == (
        ["engine: attention padded (as asked)"] * 3 + ["engine: attention packed (grouped)"] * 4
    )
    assert len({round(row["value"], 4) for row in result["loss"]}) == 1
    from scripts.document.performance import gpu_run

    assert "one forward" in gpu_run(result)


def test_the_gpu_benchmark_says_what_it_lacks(capsys, monkeypatch):
    from scripts.bench.gpu import gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu() is None
    assert capsys.readouterr().out.startswith("bench.gpu needs a CUDA GPU, and torch finds none here")


def commands():
    """(module, its words) of every command of the pages that runs a script, shell variables filled in."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        known = {}
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if found := re.match(r"(\w+)=(['\"])(.*)\2$", line):
                known[found[1]] = re.sub(r"\$(\w+)", lambda name, known=known: known.get(name[1], name[0]), found[3])
            for command in re.findall(r"python -m (scripts[^`;]*)", line):
                filled = re.sub(r"\$(\w+)", lambda name, known=known: known.get(name[1], name[0]), command)
                yield tuple(shlex.split(filled, comments=True))


def test_the_commands_of_the_pages_are_understood():
    from scripts.bench.harness import options

    seen = set()
    for module, *words in set(commands()):
        place = ROOT.joinpath(*module.split("."))
        place = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
        main = re.search(r"command_line\((\w+)", place.read_text(encoding="utf-8"))
        name = module if place.name != "__main__.py" else f"{module}.__main__"
        if main:
            options(getattr(importlib.import_module(name), main[1]), words)
        seen.add(module)
    assert len(seen) > 15


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """A function that keeps the result of a benchmark where the page looks for it."""
    from scripts.document import tables

    monkeypatch.setattr(tables, "KEPT", tmp_path)
    hardware = {"cores": 2, "processor": "a CPU", "threads": 1, "capability": "AVX512", "bf16": True, "versions": {}}
    check = {"bf16": False, "loss": 2e-7, "peer": 1.0, "gradient_cosine": 0.99999991}

    def keep(name, rows, **more):
        run = {"command": f"bench {name}", "hardware": hardware, "rows": rows, "checks": [check], **more}
        (tmp_path / f"performance-{name}.json").write_text(json.dumps(run))

    return keep


def timed_row(side, name, processor, memory=100.0, **more):
    about = {"model": "seed", "text": "scripts", "scripts": 36, "batch": 64, "bf16": False, "side": side, "name": name}
    times = {"processor": processor, "wall": 2 * processor, "whole_processor": 3 * processor**2, "memory": memory}
    return about | times | more


def test_performance_is_written_from_what_is_kept(kept):
    from scripts.document.performance import PARTS

    assert PARTS["gpu"]() == "Not measured yet. `bash scripts/bench/gpu.sh --out docs/results/performance-gpu.json`"
    kept("step", [timed_row("ours", "align", 2.0), timed_row("peer", "sentence-transformers", 5.0, 300.0)])
    plain, cached = timed_row("ours", "align", 2.0, 400.0), timed_row("ours", "micro", 2.6, 50.0)
    peer = timed_row("peer", "sentence-transformers", 4.0)
    kept("caching", [plain, cached, peer, timed_row("peer", "cached", 5.0)])
    kept("ladder", [peer, timed_row("ours", "sorted", 2.0), timed_row("ours", "packed", 1.0)])
    kept("translico", [timed_row("translico", "align", 1.0), timed_row("public", "three", 4.0, 250.0)])
    text = "\n".join(PARTS[name]() for name in ("step", "caching", "ladder", "translico"))
    assert "| seed, UDHR, 36 scripts | 64 | float32 | 32.0 | 2.50 | 6.25 | 100 / 300 |" in text
    assert "| micro | 2.60 | 1.30 | 50 |" in text and "| cached | 5.00 | 1.25 | 100 |" in text
    assert "| packed | 64.0 | 4.00 | 2.00 | 100 |" in text
    assert "| three | 4.00 | 4.00 | 250 | 2.50 |" in text
    assert PARTS["step apart"]() == "losses at most 2e-07 apart, cosine of the gradients at least 0.9999999"
    assert PARTS["machine"]().startswith("2 cores of a CPU, 1 thread(s), AVX512 with bfloat16")
    assert PARTS["step commands"]() == "```bash\nbench step\n```"


def test_every_other_benchmark_has_its_table(kept):
    from scripts.document.performance import PARTS, curves

    row = {
        "model": "seed", "text": "scripts", "scripts": 38, "sentences": 3000, "name": "align", "per_second": 70.0,
        "ratio": 2.5, "wall_ratio": 2.25, "memory": 35.0, "difference": 9e-8, "cosine": 1.0, "alone": 0.0,
    }  # fmt: skip
    grown = [{"sentences": n, "processor": n / 100, "own_mb": 20.0} for n in (100, 1000, 10000)]
    kept("encode", [row], growth=grown)
    speed = {"rows": 60000, "batch_size": 64, "rows_per_second": {"NO_DUPLICATES": 5e4, "align": 2e6}}
    speed |= {"hashing_rows_per_second": 3e5, "groups_rows_per_second": 9e6}
    padding = {"lengths": "UDHR", "batch_size": 64, "random": 0.7, "align": 0.05}
    sampled = [{"rows": n, "seconds": n / 1e6, "bytes": n * 80} for n in (1000, 10000)]
    kept("sampler", [], speed=[speed], padding=[padding], growth=sampled)
    stored = {"pairs": 1000, "seconds": 2.0, "pairs_per_second": 500.0, "own_mb": 420.0, "before_mb": 400.0}
    built = [stored | {"what": what, "store_mb": 3.0} for what in ("build", "open")]
    kept("store", built)
    text = "\n".join(PARTS[name]() for name in ("encode", "sampler", "padding", "store"))
    assert "| align | 70.0 | 2.50 | 35 | 9e-08 | 1.00000 | 0e+00 |" in text
    assert "| NO_DUPLICATES | 64 | 50,000 | 40.0 |" in text and "| UDHR | 64 | 0.700 | 0.050 |" in text
    assert "| 1,000 | 2.0 | 500 | 2.00 | 20 | 3 |" in text
    assert [(line.of, line.what, round(line.slope, 6)) for line in curves()] == [
        ("sampler, one epoch", "seconds", 1), ("sampler, one epoch", "MB", 1), ("encode", "seconds", 1),
        ("encode", "MB", 0),
    ]  # fmt: skip


def test_growth_is_an_exponent(kept, tmp_path):
    pytest.importorskip("matplotlib")
    from scripts.document.performance import curves, growth, loss, plot

    sizes = (256, 512, 1024, 2048)
    rows = [
        {"kind": "contrast", "name": name, "size": size, "s": 1e-6 * size**2, "MB": scale * size,
         "value": 0, "gradient": 0}
        for size in sizes
        for name, scale in (("ours", 0.01), ("MultipleNegativesRankingLoss", 0.1))
    ]  # fmt: skip
    kept("loss", rows, setting="a CPU")
    assert [(line.of, line.what, round(line.slope, 6)) for line in curves()] == [
        ("loss, ours", "seconds", 2), ("loss, ours", "MB", 1), ("loss, MultipleNegativesRankingLoss", "seconds", 2),
        ("loss, MultipleNegativesRankingLoss", "MB", 1),
    ]  # fmt: skip
    text = f"{growth()}\n{loss()}"
    assert "| loss, ours | seconds | 256 to 2,048 pairs in a batch | 2.00 |" in text
    assert "| MultipleNegativesRankingLoss | 4,194.3 | 1.00 | 205 | 10.00 |" in text
    plot(tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
