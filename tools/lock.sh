#!/bin/sh
# Write requirements.txt and requirements-dev.txt from pyproject.toml: every package with its exact
# version and the hashes of all its files, for every supported Python and platform. No index is
# named, so whoever installs decides where the files come from; the hashes decide what they are.
# Pins that still fit are kept; give --upgrade, or --upgrade-package NAME, to move them.
set -eu
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check 'uv>=0.9'

lock() {
    "$place/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-strip-extras --no-header --no-annotate pyproject.toml "$@"
}

lock "$@" -o requirements.txt
lock "$@" --extra dev -c requirements.txt -o requirements-dev.txt
