# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What every script of the lab uses: messages, clean-up, progress, locks. Sourced by bash.
set -euo pipefail
export LC_ALL=C

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOP_DIR=$(dirname "$LAB_DIR")
BUILD_DIR=$TOP_DIR/build
HOST=$BUILD_DIR/release/vmm/enlighten-host
AGENT=$BUILD_DIR/release/enlighten-agent
XDP_TOOL=$BUILD_DIR/release/enlighten-xdp
TURNS_TOOL=$BUILD_DIR/release/enlighten-turns
BRIDGE=$BUILD_DIR/release/enlighten-bridge
CACHE_DIR=${ENLIGHTEN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/enlighten}
PROGRAM=${PROGRAM:-enlighten}

say() { printf '%s\n' "$*" >&2; }
# One line that names the thing and says what to do; 1: it could not be done.
die() { say "$PROGRAM: $*"; exit 1; }
# 2: the command line is wrong.
usage_error() { say "$PROGRAM: $* (see '$PROGRAM --help')"; exit 2; }

# --- clean-up: runs at every end of the script, Ctrl-C and kill included, newest first.
CLEANUPS=()
on_exit() { CLEANUPS+=("$*"); }
run_cleanups() {
  local status=$? i
  trap - EXIT
  trap '' INT TERM HUP
  for ((i = ${#CLEANUPS[@]} - 1; i >= 0; i--)); do eval "${CLEANUPS[i]}" || :; done
  exit "$status"
}
set_traps() {
  trap run_cleanups EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}
set_traps

# is_child PID: of this shell, and not waited for yet. Else the number may be another's by now.
is_child() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) ? }
  [ "${stat%% *}" = "$BASHPID" ]
}

# Ends a child of ours: asked first, then made to.
end_child() {
  local pid=$1 i
  is_child "$pid" || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 30; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || :
  wait "$pid" 2>/dev/null || :
}

# ask_child PID: to end, and waits for that, however long it takes.
ask_child() {
  is_child "$1" || return 0
  kill -TERM "$1" 2>/dev/null || :
  wait "$1" 2>/dev/null || :
}

# Ends a child and all that it has started: a shell that waits for a command hears of a signal only
# behind its end.
end_tree() {
  is_child "$1" || return 0
  ask_tree "$1"
  wait "$1" 2>/dev/null || :
}
ask_tree() {
  local pid=$1 child children
  children=$(pgrep -P "$pid" || :)
  kill -TERM "$pid" 2>/dev/null || :
  for child in $children; do ask_tree "$child"; done
}

# attempt COMMAND... -> sets ATTEMPT, its status. In a subshell, which stops at an error, as it
# would not do when tested by `||` or `if`.
attempt() {
  set +e
  (CLEANUPS=(); set_traps; set -e; "$@")
  ATTEMPT=$?
  set -e
}

# making PATH: what is made under another name first (PATH.part, PATH.tree) goes when that is cut
# short.
making() { on_exit "rm -rf -- '$1.part' '$1.tree'"; }

need_cache() {
  mkdir -p "$CACHE_DIR/tmp" "$CACHE_DIR/lock" 2>/dev/null ||
    die "cannot write to $CACHE_DIR: set ENLIGHTEN_CACHE to a folder of yours"
}

# A directory for this run alone, gone at its end.
scratch_dir() {
  if [ -z "${SCRATCH:-}" ]; then
    need_cache
    # Of runs that were killed.
    find "$CACHE_DIR/tmp" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} + 2>/dev/null || :
    SCRATCH=$(mktemp -d "$CACHE_DIR/tmp/run.XXXXXX") ||
      die "cannot write to $CACHE_DIR/tmp: set ENLIGHTEN_CACHE to a folder of yours"
    on_exit "rm -rf -- '$SCRATCH'"
  fi
}

# disk_is_full LOG: whether that is why something failed; sets FULL_DIR. The log itself may have
# found no room to say so.
disk_is_full() {
  local kib
  for FULL_DIR in "$CACHE_DIR" "$BUILD_DIR" "${TMPDIR:-/tmp}"; do
    kib=$(df -Pk "$FULL_DIR" 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ "${kib:-8192}" -ge 8192 ] || return 0
  done
  FULL_DIR=$CACHE_DIR
  grep -qs 'No space left on device' "$1"
}

# --- progress: step TEXT COMMAND...  A line with the seconds it took; on a terminal a live one
# meanwhile. The output goes to a log; of a failure its end is shown. Runs COMMAND in a subshell.
LOG_DIR=$BUILD_DIR/log
step() {
  local text=$1 start=$SECONDS ticker='' status=0 log
  shift
  { mkdir -p "$LOG_DIR" && [ -w "$LOG_DIR" ]; } 2>/dev/null ||
    die "cannot write to $BUILD_DIR: run as the owner of this folder"
  log=$LOG_DIR/$(printf '%s' "$text" | tr -cs 'A-Za-z0-9.\n' '-' | cut -c1-60).log
  if [ -t 2 ]; then
    (
      trap - EXIT
      trap 'exit 0' TERM INT
      while :; do
        printf '\r[%4ds] %s ...' $((SECONDS - start)) "$text" >&2
        sleep 1
      done
    ) &
    ticker=$!
    on_exit "end_child $ticker"
  fi
  set +e  # tested by `||`, the subshell would go on after an error
  (trap - EXIT; set -e; "$@") >"$log" 2>&1 </dev/null
  status=$?
  set -e
  if [ -n "$ticker" ]; then
    kill "$ticker" 2>/dev/null || :
    wait "$ticker" 2>/dev/null || :
    printf '\r\033[K' >&2
  fi
  if [ "$status" -ne 0 ]; then
    ! disk_is_full "$log" ||
      die "$text: failed after $((SECONDS - start)) s: the disk is full: make room in $FULL_DIR"
    tail -n 25 "$log" >&2
    die "$text: failed after $((SECONDS - start)) s; the whole output is in $log"
  fi
  printf '[%4ds] %s\n' $((SECONDS - start)) "$text" >&2
}

# Runs COMMAND while holding the lock NAME; says so when it has to wait.
with_lock() {
  local name=$1
  shift
  need_cache
  exec {LOCK_FD}>"$CACHE_DIR/lock/$name" || die "cannot write to $CACHE_DIR/lock"
  if ! flock -n "$LOCK_FD"; then
    say "waiting for another run, which is making: $name"
    flock "$LOCK_FD"
  fi
  "$@"
  exec {LOCK_FD}>&-
}

# in_cache PATH LOCK OLD TEXT COMMAND...: PATH is there: made once, by COMMAND, which leaves it as
# PATH.part and has PATH.tree for what it needs meanwhile. Of what matches OLD in the cache, what
# nobody has used for two days goes; other clones may be using the rest. OLD may be empty.
in_cache() {
  [ -e "$1" ] || with_lock "$2" make_in_cache "$@"
  touch -c "$1" 2>/dev/null || :
}

make_in_cache() {
  local path=$1 old=$3 text=$4
  shift 4
  [ ! -e "$path" ] || return 0
  making "$path"
  rm -rf "$path.part" "$path.tree"
  step "$text" "$@"
  [ -z "$old" ] || find "$CACHE_DIR" -maxdepth 1 -name "$old" -mmin +2880 -exec rm -rf {} +
  rm -rf "$path.tree"
  mv -T "$path.part" "$path"
}

# The hash of the given files' contents and of the words on stdin.
hash_inputs() { { cat -- "$@" /dev/stdin; } | sha256sum | cut -c1-16; }

# size_to_mib TEXT: 512, 512M or 2G as MiB; nothing if it is no size.
size_to_mib() {
  case $1 in
    *[!0-9MG]* | '' | [MG]* | ?????????*) return 1 ;;
    *[MG]*[0-9MG]) return 1 ;;
    *G) echo $((10#${1%G} * 1024)) ;;
    *M) echo $((10#${1%M})) ;;
    *) echo $((10#$1)) ;;
  esac
}
