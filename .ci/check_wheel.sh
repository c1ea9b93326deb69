#!/usr/bin/env bash
# Build sdist and wheel, twice alike; install the wheel beside the dependencies that are there, and use it from an empty folder.
#   bash .ci/check_wheel.sh .venv/bin/python
set -euo pipefail
python=$(realpath -s "${1:?path of a python with the dev extra}")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for build in dist again; do "$python" "$root/.ci/build.py" "$work/$build"; done
for made in "$work"/dist/*; do cmp "$made" "$work/again/$(basename "$made")"; done  # the same commit, the same bytes
wheel=$(ls "$work"/dist/*.whl)
echo "wheel: $(basename "$wheel"), $(stat -c %s "$wheel") bytes"

# The dependencies come from the given environment; its editable install of this project must not be seen.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$python" -m venv "$work/venv"
new=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$wheel"
for entry in "$site"/*; do
    case "$(basename "$entry")" in
        align|align_*|__editable__*|pip|pip-*|setuptools|setuptools-*|*.pth) ;;
        *) ln -s "$entry" "$new/" 2>/dev/null || true ;;
    esac
done

mkdir "$work/empty" && cd "$work/empty"
"$work/venv/bin/align" --version
"$work/venv/bin/python" - <<'PY'
import align, align.objectives, align.pairs, align.tasks
assert "site-packages" in align.__file__, align.__file__
encoder = align.load_encoder("seed")
vectors = encoder.encode(["In the beginning was the Word.", "В начале было Слово."])
assert vectors.shape == (2, 256), vectors.shape
print("the installed wheel encodes:", vectors.shape)
PY
cp -r "$root/tests" tests
PYTHONPATH=$PWD/tests "$work/venv/bin/python" -m pytest -q -c /dev/null --rootdir=. --import-mode=importlib \
    tests/objectives tests/training/test_config.py
