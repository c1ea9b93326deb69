#!/usr/bin/env bash
# The quick tests with the lowest versions that pyproject.toml allows, in an environment of their own.
#   bash .ci/check_lowest.sh python3.11
# torch is the pinned CPU build, not its floor: older ones are to be had as gigabytes of CUDA alone.
set -euo pipefail
python=$(command -v "${1:-python3.11}")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$pip uv torch==2.13.0
echo 'torch ; sys_platform == "never"' >"$work/without-torch.txt"
sed 's/^    "torch>=.*$//' "$root/pyproject.toml" >"$work/pyproject.toml"
"$work/venv/bin/uv" pip compile --quiet --no-config --python "$work/venv/bin/python" --resolution lowest-direct \
    --override "$work/without-torch.txt" --extra faiss --extra langid --extra lora --extra plots --extra wordnet \
    "$work/pyproject.toml" -o "$work/lowest.txt"
$pip -r "$work/lowest.txt" pytest hypothesis
$pip --no-deps "$root"
cp -r "$root/tests" "$work/tests" && cd "$work"
venv/bin/align --help >/dev/null
PYTHONPATH=$PWD/tests venv/bin/python -m pytest -q -c /dev/null --rootdir=. --import-mode=importlib \
    tests/cli/test_help.py tests/files tests/pairs/reading tests/similarity tests/objectives tests/encoders/test_packing.py \
    tests/encoders/test_checkpoint.py tests/training/test_train.py tests/indexes/test_search.py tests/vectors/corpus \
    tests/properties
