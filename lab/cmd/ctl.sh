# SPDX-License-Identifier: GPL-2.0-only OR MIT
usage() {
  cat <<'USAGE'
usage: ./enlighten ctl --control PATH METHOD [JSON-PARAMS | key=value...]

Asks the host of a running guest, which was started by './enlighten run --control PATH'.
METHOD 'help' lists the methods with all their parameters. As examples, for a guest that
'./enlighten run --control s --disk my.raw,name=my' has booted, in a folder that has new.raw and
other.raw, too:

  ./enlighten ctl --control s help
  ./enlighten ctl --control s devices                       # devices and channels, with counters
  ./enlighten ctl --control s disk.list
  ./enlighten ctl --control s disk.resize name=my size=134217728         # it grows
  ./enlighten ctl --control s disk.add path=new.raw name=new lun=9       # a file becomes a disk
  ./enlighten ctl --control s disk.replace name=new path=other.raw as=other  # another in its place
  ./enlighten ctl --control s disk.remove name=other
  ./enlighten ctl --control s nic.add net=null name=spare   # a network adapter comes
  ./enlighten ctl --control s nic.list
  ./enlighten ctl --control s nic.link name=spare up=false  # its cable is pulled
  ./enlighten ctl --control s nic.vf name=spare present=true serial=1    # it has a function
  ./enlighten ctl --control s nic.remove name=spare
  ./enlighten ctl --control s fault.list                    # what the host can do wrong
  ./enlighten ctl --control s fault.set name=read-error value=3 device=my  # one read in three
  ./enlighten ctl --control s power.off
USAGE
}

# Tells the nested machine's QEMU to do things, one after the other. Fails with the first that it
# refuses; why is in qmp_error.
qmp() {
  local command line status=0
  coproc QMP { exec socat - "UNIX-CONNECT:$control.qmp" 2>/dev/null; }
  # Bash takes them away when the process ends.
  local from=${QMP[0]} to=${QMP[1]} pid=$QMP_PID
  for command in '{"execute":"qmp_capabilities"}' "$@"; do
    printf '%s\n' "$command" >&"$to"
    while line='' && read -t 60 -r line <&"$from"; do
      case $line in
        '{"return"'*) break ;;
        '{"error"'*)
          qmp_error=$(sed -n 's/.*"desc": "\(.*\)"}}.*/\1/p' <<<"$line")
          status=1
          break ;;
      esac
    done
    [ -n "$line" ] || die "the nested machine behind $control does not answer"
    [ "$status" = 0 ] || break
  done
  kill "$pid" 2>/dev/null || :
  wait "$pid" 2>/dev/null || :
  return "$status"
}

json_string() { printf '%s' "$1" | sed 's/[\\"]/\\&/g; s/.*/"&"/'; }
host() { "$HOST" ctl --control "$control" "$@"; }

# node_disk NAME: what the nested machine calls the disk that the host calls so; nothing if it has
# none of it.
node_disk() {
  host disk.list | awk -v name="$1" -F'"' '
    $2 == "name" { found = $4 == name }
    $2 == "path" && found && $4 ~ /(^|\/)disk\// { sub(/.*\//, "", $4); print $4; exit }'
}

# attach_disk FILE DISK true|false: a file of this machine becomes a disk of the nested one, which
# is read-only or not.
attach_disk() {
  local file node
  file="\"driver\":\"file\",\"discard\":\"unmap\",\"read-only\":$3"
  file="{$file,\"filename\":$(json_string "$(readlink -f "$1")")}"
  node="\"driver\":\"raw\",\"node-name\":\"hot-$2\",\"read-only\":$3"
  node="$node,\"discard\":\"unmap\",\"file\":$file"
  qmp "{\"execute\":\"blockdev-add\",\"arguments\":{$node}}" || {
    case $qmp_error in *'Failed to get'*) qmp_error="the disk $1 is in use" ;; esac
    return 1
  }
  node="\"driver\":\"virtio-blk-pci\",\"id\":\"hot-$2\",\"drive\":\"hot-$2\""
  node="$node,\"serial\":\"$2\""
  qmp "{\"execute\":\"device_add\",\"arguments\":{$node}}" && return
  node=$qmp_error
  qmp "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"hot-$2\"}}" || :
  qmp_error=$node
  return 1
}

# attach_as NAME FILE true|false -> sets disk, the name that the nested machine has for it: one that
# no disk of it bears, not one that its beginning gave either.
attach_as() {
  local tries
  for ((tries = 1; tries < 100; tries++)); do
    disk=$(printf '%s' "$1" | tr -c 'A-Za-z0-9._' - | cut -c1-16)-$tries
    ! attach_disk "$2" "$disk" "$3" || return 0
    case $qmp_error in *uplicate*) ;; *) return 1 ;; esac
  done
  return 1
}

# detach_disk DISK: and its file is let go of.
detach_disk() {
  local tries
  # One of the machine's beginning has its file let go of with it.
  case $1 in
    *-[1-9] | *-[1-9][0-9]) ;;
    *) qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"disk-$1\"}}" || :; return 0 ;;
  esac
  qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"hot-$1\"}}" || return 0
  for ((tries = 0; tries < 100; tries++)); do
    ! qmp "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"hot-$1\"}}" || return 0
    sleep 0.1
  done
}

# host_with_disk DISK METHOD key=value...: as soon as that disk is there for the host.
host_with_disk() {
  local disk=$1 tries out
  shift
  for ((tries = 0; tries < 60; tries++)); do
    if out=$(host "$@" "path=/job/disk/$disk" 2>&1); then
      printf '%s\n' "$out"
      return 0
    fi
    case $out in *"o such file"* | *"does not exist"*) sleep 0.5 ;; *) break ;; esac
  done
  say "$out"
  return 1
}

check_name() { # check_name METHOD NAME
  case $2 in
    *[!A-Za-z0-9._-]* | ?????????????????????*)
      usage_error "$1: name '$2': up to 20 letters and digits" ;;
  esac
}

# Nested, a file of this machine has to become a disk of the nested machine before its host can use
# it.
ctl_nested() {
  local method=$1 part path='' name='' as='' ro=false size='' rest=() disk old
  shift
  for part in "$@"; do
    case $part in
      path=*) path=${part#path=} ;;
      name=*) name=${part#name=} ;;
      as=*) as=${part#as=} rest+=("$part") ;;
      size=*) size=${part#size=} ;;
      ro=true | ro=1) ro=true rest+=("$part") ;;
      *=*) rest+=("$part") ;;
      *) usage_error "$method: with the nested machine give key=value, not '$part'" ;;
    esac
  done
  case $method in
    disk.add | disk.replace | dvd.change)
      [ -n "$path" ] || usage_error "$method needs path=FILE"
      [ -f "$path" ] || [ -b "$path" ] || die "the disk $path does not exist" ;;
  esac
  case $method in
    disk.add)
      [ -n "$name" ] || name=$(basename "$path" | tr -c 'A-Za-z0-9._\n' - | cut -c1-20)
      check_name disk.add "$name"
      attach_as "$name" "$path" "$ro" || die "disk.add: $qmp_error"
      host_with_disk "$disk" disk.add "name=$name" "${rest[@]}" || {
        detach_disk "$disk"
        return 1
      } ;;
    disk.replace)
      [ -n "$name" ] || usage_error "disk.replace needs name=NAME"
      check_name disk.replace "$as"
      old=$(node_disk "$name")
      attach_as "${as:-$name}" "$path" "$ro" || die "disk.replace: $qmp_error"
      host_with_disk "$disk" disk.replace "name=$name" "${rest[@]}" || {
        detach_disk "$disk"
        return 1
      }
      [ -z "$old" ] || detach_disk "$old" ;;
    dvd.change)
      [ -n "$name" ] || usage_error "dvd.change needs name=NAME"
      old=$(node_disk "$name")
      attach_as "$name" "$path" true || die "dvd.change: $qmp_error"
      host_with_disk "$disk" dvd.change "name=$name" "${rest[@]}" || {
        detach_disk "$disk"
        return 1
      }
      [ -z "$old" ] || detach_disk "$old" ;;
    disk.remove)
      old=$(node_disk "$name")
      host disk.remove "name=$name" "${rest[@]}"
      [ -z "$old" ] || detach_disk "$old" ;;
    disk.resize) resize_nested "$name" "$size" "${rest[@]}" ;;
  esac
}

# resize_nested NAME BYTES key=value...
resize_nested() {
  local name=$1 size=$2 disk out='' tries
  shift 2
  case $size in '' | *[!0-9]*) usage_error "disk.resize needs size=BYTES" ;; esac
  # QEMU would round it up.
  [ $((size % 512)) -eq 0 ] || die "disk.resize: $size bytes is no multiple of 512"
  disk=$(node_disk "$name")
  if [ -z "$disk" ]; then
    host disk.resize "name=$name" "size=$size" "$@"
    return
  fi
  qmp "{\"execute\":\"block_resize\",\"arguments\":{\"node-name\":\"hot-$disk\",\"size\":$size}}" ||
    qmp "{\"execute\":\"block_resize\",\"arguments\":{\"device\":\"disk-$disk\",\"size\":$size}}" ||
    die "disk.resize: $qmp_error"
  # The nested machine has to notice it first.
  for ((tries = 0; tries < 60; tries++)); do
    out=$(host disk.resize "name=$name" "$@") || return 1
    case $out in *": $size"[!0-9]*) printf '%s\n' "$out"; return 0 ;; esac
    sleep 0.5
  done
  die "disk.resize: the nested machine has not noticed it in 30 s; the disk there is still: $out"
}

main() {
  local control='' args=("$@") qmp_error=''
  case ${1:-} in --help | -h) usage; exit 0 ;; esac
  [ -x "$HOST" ] || die "enlighten-host is not built yet: run './enlighten build'"
  if [ "${1:-}" = --control ] && [ $# -ge 3 ]; then
    control=$2
    shift 2
    case $1 in
      disk.add | disk.replace | disk.remove | disk.resize | dvd.change)
        if [ -S "$control.qmp" ]; then
          ctl_nested "$@"
          return
        fi ;;
    esac
  fi
  exec "$HOST" ctl "${args[@]}"
}
