# SPDX-License-Identifier: GPL-2.0-only OR MIT
. "$LAB_DIR/lib/results.sh"
. "$LAB_DIR/lib/repeats.sh"
. "$LAB_DIR/lib/guest-suite.sh"
. "$LAB_DIR/lib/debug-suite.sh"
. "$LAB_DIR/lib/cli-tests.sh"
. "$LAB_DIR/lib/examples-test.sh"
. "$LAB_DIR/lib/interrupt-test.sh"
. "$LAB_DIR/lib/port-test.sh"
. "$LAB_DIR/lib/reboot-test.sh"
. "$LAB_DIR/lib/names-test.sh"
. "$LAB_DIR/lib/switches-test.sh"

usage() {
  cat <<'USAGE'
usage: ./enlighten test [SUITE...] [options]

Builds and runs all suites, or the given ones; a line per test, the five slowest, and the sum as
last line.

  unit     parsers, tables, machines, host; under ASan and UBSan; the style checks
  loop     core against host in one process, under ASan and TSan
  fuzz     each fuzz target for ENLIGHTEN_FUZZ_SECONDS (60)
  guest    Debian in the machine, with the in-tree drivers and with ours
  sim      guest and host under one seeded clock: 10,000 worlds, the mutants, the ring in every
           order of accesses
  mutants  of sim: known bugs brought back, and whether each is caught
  soak     of guest, for an hour or more: 100 reloads, 200 disks and adapters that come and go,
           8 CPUs, ten adapters, 256 MiB fetched, 50 seeds of a hostile host, the frames on a wire
           looked at with tshark; then debug; not among all
  debug    of guest, for an hour or more, on kernels that are built for it (once, ten minutes or
           more): KASAN, UBSAN, lockdep, kmemleak and others in one, KCSAN in a second, and Debian's
           with PREEMPT_RT; not among all

  --accel auto|kvm|nested   for the guest suite
  --only 'PATTERN...'       guest, debug, soak: only the tests whose name matches one of them

Exit status: 0 all passed; 1 a test failed or a suite could not be built; 2 wrong command line.
USAGE
}

# ctest_suite PRESET: a line per test comes from CTest as they end, its output when one fails.
ctest_suite() {
  start_ctest "$1"
  finish_ctest "$1"
}

# start_ctest PRESET [OPTION...]: begins it; sets CTEST_PID.
start_ctest() {
  local preset=$1
  shift
  mkdir -p "$LOG_DIR"
  rm -f "$LOG_DIR/$preset.xml"
  env -C "$TOP_DIR" ctest --preset "$preset" "$@" --output-junit "$LOG_DIR/$preset.xml" \
    >"$LOG_DIR/ctest-$preset.log" 2>&1 &
  CTEST_PID=$!
  on_exit "end_child $CTEST_PID"
}

# finish_ctest PRESET [PID]
finish_ctest() {
  local preset=$1 pid=${2:-$CTEST_PID} shown=0 line
  while kill -0 "$pid" 2>/dev/null; do
    show_ctest_lines
    sleep 0.2
  done
  wait "$pid" || :
  show_ctest_lines
  if [ ! -s "$LOG_DIR/$preset.xml" ]; then
    cat "$LOG_DIR/ctest-$preset.log"
    record failed 0 "$preset" "ctest did not run"
  fi
}

# Records what CTest has said since the last time.
show_ctest_lines() {
  while IFS= read -r line; do
    shown=$((shown + 1))
    if [[ $line =~ ^\ *[0-9]+/[0-9]+\ Test\ +\#[0-9]+:\ ([^ ]+)\ \.*(.*)\ +([0-9.]+)\ sec ]]; then
      case ${BASH_REMATCH[2]} in
        *Passed*) record passed "${BASH_REMATCH[3]}" "${BASH_REMATCH[1]}$suffix" ;;
        *Skipped* | *Disabled*) record skipped "${BASH_REMATCH[3]}" "${BASH_REMATCH[1]}$suffix" ;;
        *) record failed "${BASH_REMATCH[3]}" "${BASH_REMATCH[1]}$suffix"; failing=1 ;;
      esac
    elif [ "${failing:-0}" = 1 ]; then
      case $line in
        *Start\ *: | *Start\ [0-9]*) failing=0 ;;
        *) printf '    %s\n' "$line" ;;
      esac
    fi
  done < <(tail -n +$((shown + 1)) "$LOG_DIR/ctest-$preset.log" 2>/dev/null)
}

# built PRESET TARGET: a suite that cannot be built has failed, the others go on.
built() { (CLEANUPS=(); build_preset "$@") || { record failed 0 "build/$1"; return 1; }; }

suite_unit() {
  local suffix='' failing=0
  ! built asan enlighten_tests || ctest_suite unit
  check unit/bad_input_gives_one_clear_line test_bad_input
  check unit/documents_name_what_exists test_names_in_documents
  check unit/scripts_are_clean_by_shellcheck lint_scripts
  check unit/kernel_code_is_clean_by_checkpatch lint_kernel_code
  check unit/lines_end_at_100_columns lint_columns
  check unit/code_is_formatted lint_format
  check unit/our_bus_exports_what_the_kernels_own_does test_crcs
}

suite_loop() {
  local suffix=' (ASan)' failing=0
  ! built asan enlighten_tests || ctest_suite loop-asan
  suffix=' (TSan)'
  ! built tsan enlighten_loop_tests || ctest_suite loop-tsan
}

suite_fuzz() {
  local suffix='' failing=0
  ! built asan enlighten_fuzz_targets || ctest_suite fuzz
}

# The guests of the guest suite leave much of one CPU idle: there is nothing better for that than to
# look for what nobody knows of.
suite_fuzz_beside_guest() {
  local suffix='' failing=0 pid=''
  if built asan enlighten_fuzz_targets; then
    start_ctest fuzz -j 1
    pid=$CTEST_PID
    chrt --idle --pid 0 "$pid"
  fi
  suite_guest
  echo '== fuzz, begun with guest'
  [ -z "$pid" ] || finish_ctest fuzz "$pid"
}

suite_sim() {
  local suffix='' failing=0
  build_preset sim enlighten-sim
  ctest_suite sim
}

# Says of each known bug what catches it.
suite_mutants() {
  build_preset sim enlighten-sim
  check sim/mutants "$BUILD_DIR/sim/tests/sim/enlighten-sim" mutants
  cat "$LOG_DIR/sim-mutants.log"
}

# Every symbol, its CRC and its kind of export, on each kernel.
test_crcs() {
  local series
  for series in 6.1 6.12; do
    resolve_kernel "$series"
    build_modules "$KERNEL_RELEASE"
    "$TOP_DIR/ports/linux/hv_vmbus/check_crcs" "$MODULES_DIR" "/lib/modules/$KERNEL_RELEASE/build"
  done
}

lint_scripts() {
  cd "$TOP_DIR" || return 1
  shellcheck -s bash -e SC1091,SC2034,SC2154,SC2016,SC2153,SC2015,SC2148,SC2054,SC2181 enlighten \
    lab/node lab/lib/*.sh lab/cmd/*.sh lab/guest/debian/customize .ci/run
  shellcheck -s dash -e SC2013,SC2012 lab/guest/table lab/guest/minimal/init lab/l1/init \
    lab/guest/debian/await-network
}

# files_of_git PATTERN...: the project's files whose paths match, NUL-separated; all without one.
files_of_git() {
  git -c safe.directory="$TOP_DIR" ls-files -z --cached --others --exclude-standard -- "$@" \
    2>/dev/null && return
  local pattern names=()
  for pattern in "${@:-*}"; do names+=(-o -name "$pattern"); done
  find . \( -name .git -o -path ./build \) -prune -o -type f \( "${names[@]:1}" \) -printf '%P\0'
}

# Characters, with tabs to each eighth column; the corpora of the fuzzer and the licences are not
# ours to wrap.
lint_columns() {
  cd "$TOP_DIR" || return 1
  files_of_git | LC_ALL=C.UTF-8 python3 -c '
import os, sys
wrong = 0
for name in sorted(sys.stdin.read().split("\0")):
    if name.startswith(("fuzz/corpus/", "LICENSES/")) or not os.path.isfile(name):
        continue
    data = open(name, "rb").read()
    if b"\0" in data:
        continue
    for number, line in enumerate(data.decode(errors="replace").split("\n"), 1):
        columns = len(line.rstrip("\r").expandtabs(8))
        if columns > 100:
            print(f"{name}:{number}: {columns} columns")
            wrong = 1
sys.exit(wrong)'
}

# Shows the first differences; pipefail gives clang-format's status.
lint_format() {
  cd "$TOP_DIR" || return 1
  files_of_git '*.cc' '*.hpp' |
    xargs -0 -r -n 40 -P "$(nproc)" clang-format-14 --dry-run -Werror 2>&1 | head -n 40
}

# checkpatch.pl comes with linux-source; the exceptions and their reasons are in
# ports/linux/README.md.
lint_kernel_code() {
  local tool=$CACHE_DIR/checkpatch source files exceptions
  source=$(find /usr/src -maxdepth 1 -name 'linux-source-6.1.tar.xz')
  [ -n "$source" ] || { echo "linux-source-6.1 is not installed"; return 1; }
  if [ ! -e "$tool/checkpatch.pl" ] || [ "$source" -nt "$tool/checkpatch.pl" ]; then
    mkdir -p "$tool"
    tar -xJf "$source" -C "$tool" --strip-components=2 --occurrence=1 --no-same-owner -m \
      linux-source-6.1/scripts/checkpatch.pl linux-source-6.1/scripts/spelling.txt \
      linux-source-6.1/scripts/const_structs.checkpatch
  fi
  files=$(find "$TOP_DIR/ports/linux" -name '*.[ch]' | sort)
  [ -n "$files" ] || { echo "no kernel code yet"; return 0; }
  exceptions=$(sed -n 's/^- `\([A-Z_0-9]*\)`.*/\1/p' "$TOP_DIR/ports/linux/README.md" | paste -sd,)
  # shellcheck disable=SC2086
  perl "$tool/checkpatch.pl" --no-tree --strict --no-summary --terse --max-line-length=100 \
    ${exceptions:+--ignore "$exceptions"} -f $files
}

main() {
  local suites=() suite started=$SECONDS
  accel=auto only=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --accel | --only)
        [ $# -ge 2 ] || usage_error "$1 needs a value"
        case $1 in --accel) accel=$2 ;; *) only=$2 ;; esac
        shift 2 ;;
      -*) usage_error "unknown option '$1'" ;;
      unit | loop | sim | mutants | fuzz | guest | debug) suites+=("$1"); shift ;;
      soak)
        suites+=(soak)
        # Who asks for sessions gets those.
        [ -n "${guest_sessions:-}" ] || suites+=(debug)
        shift ;;
      *)
        usage_error "unknown suite '$1':" \
          "give unit, loop, sim, mutants, fuzz, guest, debug or soak" ;;
    esac
  done
  case $accel in
    auto | kvm | nested) ;;
    *) usage_error "--accel '$accel': give auto, kvm or nested" ;;
  esac
  [ ${#suites[@]} -gt 0 ] || suites=(unit loop sim fuzz guest)
  ensure_packages
  mkdir -p "$LOG_DIR"
  rm -f "$REPEATS"
  for suite in "${suites[@]}"; do
    case " ${suites[*]} ":$suite in
      *' fuzz guest '*:fuzz) continue ;;
      *' fuzz guest '*:guest) suite=fuzz_beside_guest; echo '== guest, and fuzz beside it' ;;
      *) echo "== $suite" ;;
    esac
    "suite_$suite"
  done
  echo "== all: $((SECONDS - started)) s"
  summary || exit 1
}
