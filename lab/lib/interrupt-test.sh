# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Ctrl-C at any moment: nothing of a run may be left, neither a process nor a file nor a lock.

# until_so COMMAND...: waits until it succeeds. 1: the run ended before, or ten minutes are over.
until_so() {
  local end=$((SECONDS + 600))
  until "$@"; do
    kill -0 "$RUN_PID" 2>/dev/null && [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# The moments. Each says whether the run has come to it.
at_its_start() {
  tr '\0' ' ' <"/proc/$RUN_PID/cmdline" | grep -q '^[^ ]*bash [^ ]*/enlighten run '
}
at_its_first_line() { [ -s "$SCRATCH/interrupted.log" ]; }
with_the_node_there() { pgrep -g "$RUN_PID" -f lab/node >/dev/null; }
with_the_command_there() { grep -q 'the command runs' "$SCRATCH/interrupted.log"; }

# interrupted_when MOMENT ARGS...: starts ./enlighten in a process group of its own, interrupts that
# as a terminal would.
interrupted_when() {
  local moment=$1 status=0 left end
  shift
  : >"$SCRATCH/interrupted.log"
  set -m
  # Whoever started the suite in the background had SIGINT ignored, and a shell cannot undo that by
  # itself.
  env --default-signal=INT ENLIGHTEN_CACHE="$SCRATCH/cache" "$TOP_DIR/enlighten" "$@" \
    >"$SCRATCH/interrupted.log" 2>&1 </dev/null &
  RUN_PID=$!
  set +m
  until_so "$moment" || {
    echo "./enlighten $* was never $moment:"
    cat "$SCRATCH/interrupted.log"
    bad=1
  }
  kill -INT -- "-$RUN_PID" 2>/dev/null || :
  end=$((SECONDS + 300))
  while kill -0 "$RUN_PID" 2>/dev/null; do
    [ "$SECONDS" -lt "$end" ] || kill -KILL -- "-$RUN_PID" 2>/dev/null || :
    sleep 0.1
  done
  wait "$RUN_PID" || status=$?
  if [ "$status" != 130 ]; then
    echo "$moment, ./enlighten $*: status $status, not 130: the interrupt did not end it"
    bad=1
  fi
  if ! left=$(no_process_of "$RUN_PID"); then
    echo "$moment, ./enlighten $*: status $status, and these were left:"
    echo "$left"
    bad=1
  fi
  left=$(
    find "$SCRATCH/cache/" \( -name '*.part' -o -name '*.tree' -o -name '*.sock' \) -print
    find "$SCRATCH/cache/tmp" -mindepth 1 -maxdepth 1
  )
  if [ -n "$left" ]; then
    echo "$moment, ./enlighten $*: files were left: $left"
    bad=1
  fi
}

# The processes of that group that still live, up to a minute later.
no_process_of() {
  local i
  for ((i = 0; i < 600; i++)); do
    pgrep -g "$1" >/dev/null || return 0
    sleep 0.1
  done
  pgrep -a -g "$1"
  return 1
}

# A cache of its own in $SCRATCH/cache, with what the other has: there nobody else leaves files
# meanwhile.
own_cache() {
  local name
  scratch_dir
  rm -rf "$SCRATCH/cache"
  mkdir -p "$SCRATCH/cache/tmp"
  for name in "$CACHE_DIR"/*; do
    case ${name##*/} in tmp | lock | *.part | *.tree) ;; *) ln -s "$name" "$SCRATCH/cache/" ;; esac
  done
}

test_interrupts() {
  local bad=0 moment name RUN_PID
  own_cache
  for moment in at_its_start at_its_first_line with_the_node_there with_the_command_there; do
    interrupted_when "$moment" run --guest minimal --drivers inbox --accel "$ACCEL" \
      --control "$SCRATCH/ctl.sock" --exec 'echo the command runs; sleep 100000'
  done
  for name in "$SCRATCH"/ctl.sock*; do
    [ ! -e "$name" ] || { echo "the control socket was left: $name"; bad=1; }
  done
  return "$bad"
}
