#!/bin/sh
# Installs what `npm start` and `npm test` need, unless it is already installed.
#
#   sh test/setup.sh                        the npm packages
#   sh test/setup.sh integration browser    also what test/integration/ and test/browser/ need: nginx, PostgreSQL and
#                                           the tools for private networks, and a browser
#   sh test/setup.sh package                also what test/package/ needs: other compilers and runtimes
#   sh test/setup.sh docs                   also what `npm run docs` needs: TypeDoc
set -eu
cd "$(dirname "$0")/.."

# npm writes this file when an installation is complete. `npm ci` would require the builds of optional
# packages for every other platform, which some registries lack. This command also installs the locked versions.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  npm install --no-save --include=dev --no-audit --no-fund --loglevel=error
  touch "$installed"
fi

# Compilers and runtimes in exact versions, in a separate folder, because several packages have a command `tsc`.
# Their binaries are in packages for each platform, so no script has to run.
others() {
  wanted=test/package/others/package.json
  if cmp -s "$wanted" .test/others/package.json; then return; fi
  rm -rf .test/others .test/others-new
  mkdir -p .test/others-new
  cp "$wanted" .test/others-new
  # The folder gets its name when the installation is complete. Without it, tests report what is missing.
  if npm install --prefix .test/others-new --ignore-scripts --no-audit --no-fund --loglevel=error; then
    mv .test/others-new .test/others
  else
    echo "setup: cannot install the packages of $wanted" >&2
  fi
}

# TypeDoc needs a compiler that JavaScript can call, so it has its own, and a lockfile for both.
typedoc() {
  wanted=docs/typedoc
  if cmp -s "$wanted/package-lock.json" .test/typedoc/package-lock.json; then return; fi
  rm -rf .test/typedoc .test/typedoc-new
  mkdir -p .test/typedoc-new
  cp "$wanted/package.json" "$wanted/package-lock.json" .test/typedoc-new
  npm ci --prefix .test/typedoc-new --ignore-scripts --no-audit --no-fund --loglevel=error
  mv .test/typedoc-new .test/typedoc
}

PATH=$PATH:/usr/sbin:/sbin
missing=
# Records a Debian package if the command that it provides is missing.
need() {
  command -v "$1" >/dev/null || missing="$missing $2"
}
for tests do
  case $tests in
    browser) need chromium chromium ;;
    package) others ;;
    docs) typedoc ;;
    integration)
      need nft nftables
      need ip iproute2
      need nginx nginx-light
      need pg_ctlcluster postgresql
      ;;
    *)
      echo "setup: nothing to install for $tests; name integration, browser, package or docs" >&2
      exit 1
      ;;
  esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "setup: cannot install$missing here (no apt-get, or not root); tests that need them report that" >&2
  exit 0
fi
echo "setup: installing$missing" >&2
# The tests start what they need themselves. This file keeps Debian packages from starting services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
# shellcheck disable=SC2086 # one word for each package
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $missing >/dev/null
