# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A port that another program has: one line, status 2, and nothing stays behind.
test_busy_port() {
  local port holder status=0 bad=0 left out
  own_cache
  port=$((20000 + RANDOM % 10000))
  setpriv --pdeathsig KILL socat "TCP-LISTEN:$port,bind=127.0.0.1" OPEN:/dev/null 2>/dev/null &
  holder=$!
  until grep -q "0100007F:$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp; do
    kill -0 "$holder" 2>/dev/null || { echo "no port to hold"; return 1; }
    sleep 0.1
  done
  out=$(ENLIGHTEN_CACHE="$SCRATCH/cache" "$TOP_DIR/enlighten" run --guest minimal \
    --drivers inbox --accel "$ACCEL" --forward "tcp:127.0.0.1:$port-:22" --exec true \
    2>&1 </dev/null) || status=$?
  kill "$holder"
  wait "$holder" 2>/dev/null || :
  if [ "$status" != 2 ] || [[ $(tail -n 1 <<<"$out") != *"$port"*cannot\ be\ had* ]]; then
    echo "status $status, said:"
    echo "$out"
    bad=1
  fi
  left=$(find "$SCRATCH/cache/tmp" -mindepth 1 -maxdepth 1)
  [ -z "$left" ] || { echo "files were left: $left"; bad=1; }
  return "$bad"
}
