# SPDX-License-Identifier: GPL-2.0-only OR MIT
# At a console (a pseudo-terminal, by script) a reboot of the guest boots it again, with the same
# disks; with --exec it ends the run with 10.

# console_says TEXT COUNT: so often, within ten minutes.
console_says() {
  local end=$((SECONDS + 600))
  until [ "$(grep -a -c -- "$1" "$SCRATCH/console" || :)" -ge "$2" ]; do
    kill -0 "$console" 2>/dev/null && [ "$SECONDS" -lt "$end" ] || {
      echo "the console never said '$1' $2 times:"
      tail -n 30 "$SCRATCH/console"
      return 1
    }
    sleep 0.2
  done
}

test_reboot() {
  local console status=0 command options
  options=(--guest minimal --drivers inbox --accel "$ACCEL" --net none)
  scratch_dir
  truncate -s 1M "$SCRATCH/kept.raw"
  : >"$SCRATCH/console"
  mkfifo "$SCRATCH/typed"
  command=("$TOP_DIR/enlighten" run "${options[@]}" --disk "$SCRATCH/kept.raw")
  setpriv --pdeathsig TERM script -q -e -f -c "${command[*]@Q}" "$SCRATCH/console" \
    <"$SCRATCH/typed" >/dev/null 2>&1 &
  console=$!
  on_exit "end_child $console"
  exec 7>"$SCRATCH/typed"
  # What is typed is echoed, but for what the shell puts together.
  console_says 'built-in commands' 1 || return 1
  echo 'disk() { until [ -b /dev/sda ]; do sleep 1; done; }' >&7
  echo 'disk; echo kept-over | dd of=/dev/sda conv=fsync' >&7
  echo 'echo wr"it"ten; reboot -f' >&7
  console_says written 1 && console_says 'built-in commands' 2 || return 1
  echo 'until [ -b /dev/sda ]; do sleep 1; done' >&7
  echo 'echo "disk: $(head -c 9 /dev/sda)"; poweroff -f' >&7
  wait "$console" || status=$?
  exec 7>&-
  [ "$status" = 0 ] || { echo "status $status after the guest powered off"; return 1; }
  grep -a -q '^disk: kept-over' "$SCRATCH/console" || {
    echo "the disk has not what was written before the reboot:"
    tail -n 30 "$SCRATCH/console"
    return 1
  }
  "$TOP_DIR/enlighten" run "${options[@]}" --exec 'reboot -f; sleep 600' >"$SCRATCH/exec.log" 2>&1 \
    </dev/null || status=$?
  [ "$status" = 10 ] || { cat "$SCRATCH/exec.log"; echo "status $status with --exec"; return 1; }
}
