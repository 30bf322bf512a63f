# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Ctrl-C at any moment: nothing of a run may be left, neither a process nor a file nor a lock.

# interrupted_after SECONDS ARGS...: starts ./enlighten in a process group of its own, interrupts
# that as a terminal would.
interrupted_after() {
  local after=$1 pid status=0 left
  shift
  set -m
  # Whoever started the suite in the background had SIGINT ignored, and a shell cannot undo that by
  # itself.
  env --default-signal=INT "$TOP_DIR/enlighten" "$@" >"$SCRATCH/interrupted.log" 2>&1 </dev/null &
  pid=$!
  set +m
  sleep "$after"
  kill -INT -- "-$pid" 2>/dev/null || :
  wait "$pid" || status=$?
  if [ "$status" != 130 ]; then
    echo "after $after s of ./enlighten $*: status $status, not 130: the interrupt did not end it"
    bad=1
  fi
  if ! left=$(no_process_of "$pid"); then
    echo "after $after s of ./enlighten $*: status $status, and these were left:"
    echo "$left"
    bad=1
  fi
  left=$(
    find "$CACHE_DIR" \( -name '*.part' -o -name '*.tree' -o -name '*.sock' \) \
      -newer "$SCRATCH/start" -print
    find "$CACHE_DIR/tmp" -mindepth 1 -maxdepth 1 -newer "$SCRATCH/start" ! -path "$SCRATCH"
  )
  if [ -n "$left" ]; then
    echo "after $after s of ./enlighten $*: files were left: $left"
    bad=1
  fi
}

# The processes of that group that still live, up to 5 s later.
no_process_of() {
  local i
  for ((i = 0; i < 50; i++)); do
    pgrep -g "$1" >/dev/null || return 0
    sleep 0.1
  done
  pgrep -a -g "$1"
  return 1
}

test_interrupts() {
  local bad=0 after
  scratch_dir
  touch "$SCRATCH/start"
  for after in 0.2 1 3 8; do
    interrupted_after "$after" run --guest minimal --drivers inbox --accel "$ACCEL" \
      --control "$SCRATCH/ctl.sock" --exec 'sleep 100'
  done
  return "$bad"
}
