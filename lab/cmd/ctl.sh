# SPDX-License-Identifier: GPL-2.0-only OR MIT
main() {
  case ${1:-} in
    --help | -h)
      cat <<'USAGE'
usage: ./enlighten ctl --control PATH METHOD [JSON-PARAMS | key=value...]

Asks a running guest's host, which was started by './enlighten run --control PATH'. METHOD 'help' lists the methods.
USAGE
      exit 0 ;;
  esac
  [ -x "$HOST" ] || die "enlighten-host is not built yet: run './enlighten build'"
  exec "$HOST" ctl "$@"
}
