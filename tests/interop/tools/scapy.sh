#!/usr/bin/env bash
# Makes the environment in which the layers for scapy are tested: scapy is GPL-2.0-only and stays out of the project's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../scapy"
python="${PYTHON:-python3}"

if [[ .venv/done -nt requirements.txt ]]; then
    exit 0
fi
if ! "$python" -m venv .venv; then
    echo "not installed: scapy (needs Python with venv)" >&2
    exit 0
fi
.venv/bin/python -m pip --disable-pip-version-check --no-input --quiet install --requirement requirements.txt
touch .venv/done
