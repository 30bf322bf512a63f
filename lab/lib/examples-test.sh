# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Every example of the help texts and documents is run as it is printed, in a folder with what the
# texts speak of. A new one is found by itself. What cannot be run here is in examples-not-run.

EXAMPLE_START='(\./enlighten|lab/node|enlighten-host) '

# all_examples: "TEXT<tab>EXAMPLE" each, TEXT being where it stands.
all_examples() {
  local command file
  {
    help_examples ./enlighten
    for file in "$LAB_DIR"/cmd/*.sh; do help_examples ./enlighten "$(basename "$file" .sh)"; done
    help_examples lab/node
    for command in '' run probe ctl; do
      # shellcheck disable=SC2086
      help_examples "$HOST" $command
    done
    find "$TOP_DIR" -name build -prune -o -name '*.md' -printf '%P\n' | sort |
      while read -r file; do document_examples "$file"; done
  } | sed 's/  *#[ ].*//' | awk -F'\t' '!seen[$2]++'
}

# Of a help text: lines that begin with a command, but for the one that says how it is called.
help_examples() {
  local text="${1##*/} ${2:+$2 }--help"
  (cd "$TOP_DIR" && "$@" --help) | sed -nE "s,^ +($EXAMPLE_START.*),$text\t\1,p"
}

# Of a document: lines in a block of code that begin with a command; and in its sentences what
# stands between backticks and is a command of the lab with words that are not the reader's to
# choose.
document_examples() {
  awk -v text="$1" -v start="^$EXAMPLE_START" '
    function tell(example) { print text "\t" example }
    /^ *```/ { block = !block; next }
    block { line = $0; sub(/^ +/, "", line); if (line ~ start) tell(line); next }
    { prose = prose " " $0 }
    END {
      count = split(prose, parts, "`")
      for (i = 2; i <= count; i += 2)
        if (parts[i] ~ start && parts[i] !~ /^enlighten-host|[A-Z][A-Z]|\[|\.\.\./)
          tell(parts[i])
    }' "$TOP_DIR/$1"
}

# Those that are not run are named with a reason, and must stand in a text still.
examples_to_run() {
  local text example reason bad=0
  declare -A not_run=()
  while IFS=$'\t' read -r example reason; do
    case $example in '#'* | '') continue ;; esac
    [ -n "$reason" ] || { echo "examples-not-run: '$example' has no reason" >&2; bad=1; }
    not_run[$example]=$reason
  done <"$LAB_DIR/lib/examples-not-run"
  while IFS=$'\t' read -r text example; do
    if [ -n "${not_run[$example]:-}" ]; then
      not_run[$example]=stands
    else
      printf '%s\t%s\n' "$text" "$example"
    fi
  done <"$SCRATCH/all-examples"
  for example in "${!not_run[@]}"; do
    [ "${not_run[$example]}" = stands ] ||
      { echo "examples-not-run: '$example' stands in no text any more" >&2; bad=1; }
  done
  return "$bad"
}

# as_printed EXAMPLE: runs it by a shell in the folder, in a network of its own: a port that is
# forwarded is nobody else's.
as_printed() {
  local alone=()
  ! unshare -n true 2>/dev/null || alone=(unshare -n)
  (cd "$SCRATCH/examples" && PATH=$SCRATCH/examples/bin:$PATH exec "${alone[@]}" \
    timeout 900 bash -c "ip link set lo up 2>/dev/null || :; $1") </dev/null
}

# Whether it was the emulation that ended it (lab/README.md).
emulation_ended() {
  [ "$ACCEL" = nested ] && grep -q 'triple fault\|nested machine ended' "$SCRATCH/said"
}

# example TEXT EXAMPLE
example() {
  local status try
  for try in 1 2 3; do
    status=0
    as_printed "$2" >"$SCRATCH/said" 2>&1 || status=$?
    [ "$status" != 0 ] || { echo "runs: $2"; return 0; }
    emulation_ended || break
    echo "the emulation ended under it: $2"
  done
  printf '%s (in %s)\n  ends with %s:\n' "$2" "$1" "$status"
  tail -n 20 "$SCRATCH/said" | sed 's/^/    /'
  bad=1
}

# The guest of all examples that ask one by its control socket is that of the example which says how
# to start it; a terminal that nobody types on is given to it.
start_asked_guest() {
  local run
  run=$(cut -f 2 "$SCRATCH/to-run" | grep -E '^\./enlighten run .*--control s( |$)' | head -n 1)
  [ -n "$run" ] || { echo "no example says how to start a guest with --control s"; return 1; }
  mkfifo "$SCRATCH/typed"
  exec {TYPED_FD}<>"$SCRATCH/typed"
  (cd "$SCRATCH/examples" && exec setsid script -qefc "$run" "$SCRATCH/asked") \
    <&"$TYPED_FD" >/dev/null 2>&1 &
  ASKED_PID=$!
  on_exit end_asked_guest
  within_seconds 600 ask_guest devices || {
    echo "nobody answers:"
    tail -n 20 "$SCRATCH/asked"
    return 1
  }
  echo "runs: $run"
}
ask_guest() { (cd "$SCRATCH/examples" && ./enlighten ctl --control s "$@") >/dev/null 2>&1; }
# Three that say all they have to say, and end their side at once, each get their answers.
several_ask_at_once() {
  local i asking=() request='{"jsonrpc":"2.0","id":%s,"method":"machine"}\n'
  for i in 1 2 3; do
    # shellcheck disable=SC2059
    (cd "$SCRATCH/examples" && printf "$request$request" "$i" "$((i + 3))" |
      socat -t 60 - UNIX-CONNECT:s >"$SCRATCH/answer-$i" 2>&1) &
    asking+=("$!")
  done
  wait "${asking[@]}" || :
  for i in 1 2 3; do
    if [ "$(grep -c '"result"' "$SCRATCH/answer-$i")" != 2 ] ||
      ! grep -q "\"id\":$i," "$SCRATCH/answer-$i" ||
      ! grep -q "\"id\":$((i + 3))," "$SCRATCH/answer-$i"; then
      echo "client $i of three that speak at once is answered:"
      cat "$SCRATCH/answer-$i"
      return 1
    fi
  done
}
end_asked_guest() {
  ! ask_guest power.off force=true || within_seconds 60 test ! -e "$SCRATCH/examples/s" || :
  kill -TERM -- "-$ASKED_PID" 2>/dev/null || :
  wait "$ASKED_PID" 2>/dev/null || :
}
within_seconds() { # within_seconds LIMIT COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 1
  done
}

test_examples() {
  local text example file bad=0
  SCRATCH=$SCRATCH/examples-test
  mkdir -p "$SCRATCH/examples/bin"
  ln -s "$TOP_DIR/enlighten" "$TOP_DIR/lab" "$SCRATCH/examples/"
  ln -s "$HOST" "$SCRATCH/examples/bin/"
  for file in my new other; do truncate -s 64M "$SCRATCH/examples/$file.raw"; done
  all_examples >"$SCRATCH/all-examples"
  examples_to_run >"$SCRATCH/to-run" || bad=1
  # As many as there are; a text that is not read any more would go unnoticed.
  [ "$(wc -l <"$SCRATCH/to-run")" -ge 15 ] ||
    { echo "few examples were found:"; cat "$SCRATCH/to-run"; bad=1; }
  start_asked_guest || bad=1
  several_ask_at_once || bad=1
  # What ends the guest comes last.
  while IFS=$'\t' read -r text example; do
    case $example in './enlighten ctl --control s '*) example "$text" "$example" ;; esac
  done < <(grep -v power.off "$SCRATCH/to-run"; grep power.off "$SCRATCH/to-run")
  end_asked_guest
  while IFS=$'\t' read -r text example; do
    case $example in
      './enlighten ctl --control s '* | './enlighten run '*'--control s'*) ;;
      *) example "$text" "$example" ;;
    esac
  done <"$SCRATCH/to-run"
  return "$bad"
}
