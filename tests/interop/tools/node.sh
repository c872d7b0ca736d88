#!/usr/bin/env bash
# Installs the DCC service user packages of tests/interop/node exactly as its lock file names them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../node"

if ! command -v npm >/dev/null; then
    echo "not installed: the packages of tests/interop/node (needs npm)" >&2
    exit 0
fi
# npm's own record of what it installed is as new as the lock file: nothing to do.
if [[ node_modules/.package-lock.json -nt package-lock.json && node_modules/.package-lock.json -nt package.json ]]; then
    exit 0
fi
npm ci --no-audit --no-fund --no-progress --ignore-scripts --loglevel=error </dev/null
