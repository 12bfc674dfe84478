#!/bin/sh
# Puts in place what `npm start` and `npm test` need, and nothing that is there already.
#
#   sh test/setup.sh         the npm packages
#   sh test/setup.sh test    also a browser, nginx, and the tools for tests in private networks
set -eu
cd "$(dirname "$0")/.."

# npm writes this file when an installation is complete. `npm ci` would insist on the builds of optional
# packages for every other platform, which not every registry keeps; this takes the locked versions, too.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  npm install --no-save --include=dev --no-audit --no-fund --loglevel=error
  touch "$installed"
fi

[ "${1:-}" = test ] || exit 0

PATH=$PATH:/usr/sbin:/sbin
missing=
command -v chromium >/dev/null || missing="$missing chromium"
command -v nft >/dev/null || missing="$missing nftables"
command -v ip >/dev/null || missing="$missing iproute2"
command -v nginx >/dev/null || missing="$missing nginx-light"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "setup: cannot install$missing here (no apt-get, or not root); tests that need them will say so" >&2
  exit 0
fi
echo "setup: installing$missing" >&2
# The tests start what they need themselves; Debian's packages start no service where this file says so.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
# shellcheck disable=SC2086 # one word for each package
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $missing >/dev/null
