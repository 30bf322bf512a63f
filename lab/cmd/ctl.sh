# SPDX-License-Identifier: GPL-2.0-only OR MIT
usage() {
  cat <<'USAGE'
usage: ./enlighten ctl --control PATH METHOD [JSON-PARAMS | key=value...]

Asks the host of a running guest, which was started by './enlighten run --control PATH'.
METHOD 'help' lists the methods; among them:

  devices                                        devices and channels, with counters
  disk.list
  disk.add path=FILE [name=NAME] [lun=N] [ro=true]
                                                 a raw file of this machine becomes a disk of the
                                                 guest
  disk.remove name=NAME
  disk.resize name=NAME size=BYTES
  nic.list
  nic.add net=user|null|echo [name=NAME]         a network adapter comes
  nic.link name=NAME up=false                    its cable is pulled
  nic.vf name=NAME present=true serial=1         the guest is told of a virtual function of it
  nic.remove name=NAME
  power.off
USAGE
}

# Talks to the nested machine's QEMU; prints its answers. Fails when one is an error.
qmp() {
  local answer
  answer=$(
    { printf '{"execute":"qmp_capabilities"}\n'; printf '%s\n' "$@"; sleep 0.5; } |
      socat -t 2 - "UNIX-CONNECT:$control.qmp" 2>/dev/null
  ) || die "the nested machine behind $control does not answer"
  answer=$(printf '%s\n' "$answer" | sed -n 's/.*"desc": "\([^"]*\)".*/\1/p' | head -n 1)
  [ -z "$answer" ] || { qmp_error=$answer; return 1; }
}

json_string() { printf '%s' "$1" | sed 's/[\\"]/\\&/g; s/.*/"&"/'; }

# Nested, a file of this machine has to become a disk of the nested machine before its host can use
# it.
ctl_nested() {
  local method=$1 part path='' name='' ro=false size='' rest=() node file drive tries out
  shift
  for part in "$@"; do
    case $part in
      path=*) path=${part#path=} ;;
      name=*) name=${part#name=} ;;
      size=*) size=${part#size=} ;;
      ro=true | ro=1) ro=true rest+=("$part") ;;
      *=*) rest+=("$part") ;;
      *) usage_error "$method: with the nested machine give key=value, not '$part'" ;;
    esac
  done
  case $method in
    disk.add)
      [ -n "$path" ] || usage_error "disk.add needs path=FILE"
      [ -f "$path" ] || [ -b "$path" ] || die "the disk $path does not exist"
      path=$(readlink -f "$path")
      [ -n "$name" ] || name=$(basename "$path" | tr -c 'A-Za-z0-9._\n' - | cut -c1-20)
      case $name in
        *[!A-Za-z0-9._-]* | ?????????????????????*)
          usage_error "disk.add: name '$name': up to 20 letters and digits" ;;
      esac
      file="\"driver\":\"file\",\"discard\":\"unmap\",\"read-only\":$ro"
      file="{$file,\"filename\":$(json_string "$path")}"
      node="\"driver\":\"raw\",\"node-name\":\"hot-$name\",\"read-only\":$ro"
      node="$node,\"discard\":\"unmap\",\"file\":$file"
      drive="\"id\":\"hot-$name\",\"drive\":\"hot-$name\",\"serial\":\"$name\""
      qmp "{\"execute\":\"blockdev-add\",\"arguments\":{$node}}" \
        "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"virtio-blk-pci\",$drive}}" ||
        die "disk.add: $qmp_error"
      for ((tries = 0; tries < 15; tries++)); do
        if out=$("$HOST" ctl --control "$control" disk.add \
          "path=/job/disk/$name" "name=$name" "${rest[@]}" 2>&1); then
          printf '%s\n' "$out"
          return 0
        fi
        case $out in *"o such file"* | *"does not exist"*) sleep 1 ;; *) break ;; esac
      done
      qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"hot-$name\"}}" || :
      say "$out"
      return 1 ;;
    disk.remove)
      "$HOST" ctl --control "$control" disk.remove "name=$name" "${rest[@]}"
      if qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"hot-$name\"}}"; then
        for ((tries = 0; tries < 10; tries++)); do
          ! qmp "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"hot-$name\"}}" ||
            break
        done
      fi ;;
    disk.resize)
      case $size in '' | *[!0-9]*) usage_error "disk.resize needs size=BYTES" ;; esac
      node="\"node-name\":\"hot-$name\""
      drive="\"device\":\"disk-$name\""
      qmp "{\"execute\":\"block_resize\",\"arguments\":{$node,\"size\":$size}}" ||
        qmp "{\"execute\":\"block_resize\",\"arguments\":{$drive,\"size\":$size}}" ||
        die "disk.resize: $qmp_error"
      sleep 1
      "$HOST" ctl --control "$control" disk.resize "name=$name" "${rest[@]}" ;;
  esac
}

main() {
  local control='' args=("$@") qmp_error=''
  case ${1:-} in --help | -h) usage; exit 0 ;; esac
  [ -x "$HOST" ] || die "enlighten-host is not built yet: run './enlighten build'"
  if [ "${1:-}" = --control ] && [ $# -ge 3 ]; then
    control=$2
    shift 2
    case $1 in
      disk.add | disk.remove | disk.resize)
        if [ -S "$control.qmp" ]; then
          ctl_nested "$@"
          return
        fi ;;
    esac
  fi
  exec "$HOST" ctl "${args[@]}"
}
