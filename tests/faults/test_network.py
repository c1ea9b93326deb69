"""The network: none, where none is needed; nobody else's; and one that goes away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from killed import ended
from toy import table, words

VERBS = [
    "encode {model} corpus.txt --out vectors",
    "index vectors --out index",
    "search {model} index ab",
    "eval {model} retrieval=lines --out result.json",
    "train translation --pairs pairs.jsonl --model {model} --out out --set train.steps=2 --set train.batch_size=8",
    "encode out corpus.txt --out others",
    "mine vectors vectors --out mined.tsv",
    "export vectors npy exported",
    "report result.json --out report.html",
]


def run_verbs(folder, model, log):
    """Run the verbs in this process, which notes and refuses whatever looks for a network."""
    from huggingface_hub import constants

    from align import cli

    constants.HF_HUB_OFFLINE = False  # nobody asked it to be quiet

    def hook(event, given):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
            if event == "socket.connect" and given[0].family == socket.AF_UNIX:
                return
            with open(log, "a") as lines:
                lines.write(f"{' '.join(sys.argv)}: {event} {given[1:]}\n")
            raise RuntimeError("no network here")

    os.chdir(folder)
    sys.addaudithook(hook)
    for verb in VERBS:
        sys.argv = ["align", "-q", *verb.format(model=model).split()]
        try:
            cli.main()
        except SystemExit as end:
            assert not end.code, verb
        except Exception as error:
            raise AssertionError(f"{verb}: {error}") from error


def test_S6_no_network(bert_folder, tmp_path):
    """Nine verbs run on local folders in a process that notes every look at the network, and refuses it.

    There is none: no socket is connected or bound, no name looked up, though nothing says to be offline.
    """
    table().to_json(tmp_path / "pairs.jsonl")
    (tmp_path / "corpus.txt").write_text("\n".join(words(20)), encoding="utf-8")
    (tmp_path / "lines").mkdir()
    for code in ("eng_Latn", "deu_Latn"):
        (tmp_path / "lines" / f"{code}.txt").write_text("\n".join(words(20)), encoding="utf-8")
    log = tmp_path / "log"
    log.touch()
    assert ended(run_verbs, tmp_path, bert_folder, log) == 0
    assert log.read_text() == ""
    assert (tmp_path / "report.html").is_file()


@contextmanager
def namespaces(*names):
    """Network namespaces with a link between them: the first has 10.77.0.1, the second 10.77.0.2; not without root."""
    if not shutil.which("ip") or os.geteuid():
        pytest.skip("only the superuser may make network namespaces, with ip (iproute2)")

    def ip(*given):
        return subprocess.run(["ip", *given], capture_output=True, text=True, check=False)

    try:
        for name in names:
            if (made := ip("netns", "add", name)).returncode:
                pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
            ip("-n", name, "link", "set", "lo", "up")
        end = names[1] if len(names) > 1 else "end"  # else both ends are in the one
        if (made := ip("link", "add", names[0], "netns", names[0], "type", "veth", "peer", "name", end,
                       "netns", names[-1])).returncode:  # fmt: skip
            pytest.skip(f"no link can be made here: {made.stderr.strip()}")
        for number, name in enumerate(names, 1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
        yield ip
    finally:
        for name in names:
            ip("netns", "del", name)


TRAIN = "train translation --pairs pairs.jsonl --model bert --set train.batch_size=8 --set train.save_every=20 --out"
HOSTS = ("alignA", "alignB")


@contextmanager
def two_hosts(folder, out, steps, *, wait=600, hosts=HOSTS):
    """``align train`` as two processes, each in a namespace of its own, or both on this machine."""
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests.parent), os.environ.get("PYTHONPATH", "")])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank, host in enumerate(hosts):
        place = {"MASTER_ADDR": "10.77.0.1" if host else "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2",
                 "RANK": str(rank), "LOCAL_RANK": "0", "GLOO_SOCKET_IFNAME": host or "lo"}  # fmt: skip
        settings = place | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "ALIGN_TIMEOUT": str(wait)}
        inside = ["ip", "netns", "exec", host] if host else []
        code = "from align.cli import main; main()"
        command = [sys.executable, "-c", code, "-q", *TRAIN.split(), out, "--set", f"train.steps={steps}"]
        started.append(subprocess.Popen(
            [*inside, *command], cwd=folder, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        ))  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def begun(folder, out, processes):
    """Wait for the first checkpoint."""
    while not (folder / f"{out}.checkpoints" / "checkpoint-20" / "manifest.json").exists():
        ends = [process.poll() for process in processes]
        assert ends == [None, None], [process.communicate()[1] for process in processes]
        time.sleep(0.01)


def finished(processes):
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said


@pytest.mark.faults
def test_T6_two_hosts_and_T7_a_link_that_comes_back(bert_folder, tmp_path):
    """Two processes train in two network namespaces; the link between them goes down for three seconds.

    The weights are those of two processes on one machine, bit by bit.
    """
    table().to_json(tmp_path / "pairs.jsonl")
    with two_hosts(tmp_path, "one", 60, hosts=("", "")) as processes:
        finished(processes)
    with namespaces(*HOSTS) as ip, two_hosts(tmp_path, "two", 60) as processes:
        begun(tmp_path, "two", processes)
        ip("-n", HOSTS[0], "link", "set", HOSTS[0], "down")
        time.sleep(3)
        ip("-n", HOSTS[0], "link", "set", HOSTS[0], "up")
        finished(processes)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.faults
def test_T7_a_link_goes_down(bert_folder, tmp_path):
    """The link between the two goes down for good.

    Both end by themselves after ALIGN_TIMEOUT seconds, with a sentence and code 1; the checkpoints are good.
    """
    from killed import newest

    table().to_json(tmp_path / "pairs.jsonl")
    with namespaces(*HOSTS) as ip, two_hosts(tmp_path, "out", 100_000, wait=10) as processes:
        begun(tmp_path, "out", processes)
        ip("-n", HOSTS[0], "link", "set", HOSTS[0], "down")
        said = [process.communicate(timeout=300)[1] for process in processes]
    for process, words_ in zip(processes, said, strict=True):
        assert process.returncode == 1, words_
        assert "align: training stopped: another process of the run is gone, or did not answer within 10 s" in words_
        assert "Traceback" not in words_
    assert newest(tmp_path / "out.checkpoints")


LISTENING = """
import json, sys, threading, time
from pathlib import Path
found = set()
def look():
    while not time.sleep(0.05):
        for name in ("tcp", "tcp6", "udp", "udp6"):
            for line in Path("/proc/self/net", name).read_text().splitlines()[1:]:
                place, state = line.split()[1], line.split()[3]
                if (state == "0A" or name.startswith("udp")) and line.split()[2].endswith(":0000"):
                    found.add(f"{name} {place.partition(':')[0]}")
threading.Thread(target=look, daemon=True).start()
"""
DOCTOR = (
    LISTENING
    + """
from align.health.two_processes import two_processes
answer = two_processes()
assert answer.agree, answer
print(json.dumps(sorted(found)))
"""
)
RAY = (
    LISTENING
    + """
from align import encode
encode("bert", ["corpus.txt"], "vectors", engine="ray", workers=1, device="cpu")
print(json.dumps(sorted(found)))
"""
)
LOOPBACK = {"tcp 0100007F", "tcp6 00000000000000000000000001000000", "tcp6 0000000000000000FFFF00000100007F",
            "udp 0100007F", "udp6 00000000000000000000000001000000"}  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize("code", [DOCTOR, RAY], ids=["doctor", "ray"])
def test_S8_who_listens(bert_folder, tmp_path, code):
    """What starts processes that talk to each other, align doctor and --engine ray, runs on a machine with a network.

    All that listens, listens to this machine alone.
    """
    if code == RAY:
        pytest.importorskip("ray", reason="needs the extra ray")
    (tmp_path / "corpus.txt").write_text("\n".join(words(20)), encoding="utf-8")
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with namespaces("alignA"):
        done = subprocess.run(
            ["ip", "netns", "exec", "alignA", sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = set(json.loads(done.stdout.splitlines()[-1]))
    assert found and found <= LOOPBACK, found
