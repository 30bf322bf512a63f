# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Results of the suites: a line per test as it ends, and the summary.

RESULTS=()  # "STATUS SECONDS NAME" each
BEGUN_ANEW=0  # sessions of the guest suite that the emulation ended

# record STATUS SECONDS NAME [REASON]: STATUS is passed, failed or skipped.
record() {
  local color='' end=''
  RESULTS+=("$1 $2 $3")
  if [ -t 1 ]; then
    end=$'\033[0m'
    case $1 in
      passed) color=$'\033[32m' ;;
      failed) color=$'\033[31m' ;;
      *) color=$'\033[33m' ;;
    esac
  fi
  printf '%s%-7s%s %7.1f s  %s%s\n' "$color" "$1" "$end" "$2" "$3" "${4:+: $4}"
}

# Runs a test that is one command: check NAME COMMAND...; its output is shown when it fails.
check() {
  local name=$1 start=$EPOCHREALTIME log status=passed
  shift
  mkdir -p "$LOG_DIR"
  log=$LOG_DIR/$(printf '%s' "$name" | tr -cs 'A-Za-z0-9.\n' -).log
  attempt "$@" >"$log" 2>&1 </dev/null
  [ "$ATTEMPT" = 0 ] || status=failed
  record "$status" "$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')" "$name"
  [ "$status" = passed ] || sed 's/^/    /' "$log"
}

# The five slowest, and the sum as last line; the status says whether all is well.
summary() {
  local passed failed skipped
  printf '%s\n' "${RESULTS[@]}" >"$LOG_DIR/results"
  passed=$(grep -c '^passed' "$LOG_DIR/results" || :)
  failed=$(grep -c '^failed' "$LOG_DIR/results" || :)
  skipped=$(grep -c '^skipped' "$LOG_DIR/results" || :)
  echo 'the slowest:'
  grep -v '^skipped' "$LOG_DIR/results" | sort -k2,2 -g -r | head -n 5 |
    awk '{ t = $2; $1 = $2 = ""; printf "  %7.1f s %s\n", t, $0 }'
  ! [ "$failed" -gt 0 ] || { echo 'failed:'; sed -n 's/^failed [^ ]* /  /p' "$LOG_DIR/results"; }
  [ "$BEGUN_ANEW" = 0 ] ||
    echo "begun anew because the emulation ended under them: $BEGUN_ANEW sessions (lab/README.md)"
  show_repeats
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
