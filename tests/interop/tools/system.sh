#!/usr/bin/env bash
# Installs the tools that the interop tests run for real. Where it cannot (no root, no apt) it says what is missing
# and leaves it at that: the tests then skip, or fail with REQUIRE_TOOLS=1.
set -euo pipefail

postgres_present() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

packages=()
# Debian keeps daemons in /usr/sbin, which is on root's path alone.
command -v mosquitto >/dev/null || [[ -x /usr/sbin/mosquitto ]] || packages+=(mosquitto)
postgres_present || packages+=(postgresql)
command -v tshark >/dev/null || packages+=(tshark)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
command -v java >/dev/null || packages+=(default-jre-headless)

if ((${#packages[@]} == 0)); then
    exit 0
fi
if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    echo "not installed: ${packages[*]} (needs root and apt; on other systems install them by hand)" >&2
    exit 0
fi
# Without the front end tshark's package would ask who may capture.
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" </dev/null
