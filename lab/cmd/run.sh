# SPDX-License-Identifier: GPL-2.0-only OR MIT
usage() {
  cat <<'USAGE'
usage: ./enlighten run [options]

Boots Debian on our Hyper-V host with our drivers, prints a table of what drives each device, then
gives a console (root is logged in; 'poweroff' or Ctrl-A x ends it; 'reboot' boots again, with what
the disks have). Without a terminal it prints the table, powers off, and exits 0.

In the Debian guest root has no password, at the console and by ssh. To get in by ssh and scp:
  ./enlighten run --forward tcp:127.0.0.1:2222-:22
  ssh -p 2222 root@127.0.0.1
'apt update' and 'apt install' use this machine's sources. The root disk is a copy: what is changed
on it is gone with the run.

  --exec CMD           runs CMD in the guest by its shell: stdout, stderr and exit status are CMD's;
                       the guest's console goes to build/log/console.log
  --drivers SPEC       enlighten (default: every module of ours, the rest in-tree), inbox (in-tree
                       alone), or a list: inbox,hv_storvsc=enlighten
  --guest NAME         debian (default: a real root file system with systemd) or minimal (busybox
                       initramfs)
  --kernel WHICH       6.1 (default), 6.12, or a bzImage FILE (with --initrd); with --guest minimal
                       also 6.1-rt and 6.12-rt (PREEMPT_RT), kasan and kcsan (debug kernels, each
                       built once, which takes ten minutes or more)
  --initrd FILE        the initrd for a kernel FILE
  --append STRING      more words for the guest's kernel command line
  --cpus N             1 to 16 (default 2)
  --memory SIZE        128M to 8G (default 1G)
  --disk FILE[,ro][,bus=scsi|ide][,lun=N][,controller=N][,name=NAME][,block_size=512|4096]
                       one more disk: a raw file or block device, used as it is (repeatable)
  --dvd FILE[,...]     an ISO image in a DVD drive (repeatable)
  --net KIND[,mac=MAC][,name=NAME][,queues=N]
                       a network adapter (repeatable): user (default: behind address translation,
                       with DHCP and DNS; how the guest finds this machine is said at the start),
                       tap=INTERFACE (of this machine), null, echo, or none.
                       Each of kind user has a subnet of its own: 10.0.2.0/24, then 10.0.4.0/24,
                       10.0.5.0/24 and so on
  --forward tcp:[ADDRESS:]PORT-:PORT
                       with --net user: a port of this machine (127.0.0.1) that leads to one of the
                       guest, by the first adapter of that kind (repeatable)
  --control PATH       a Unix socket for './enlighten ctl'
  --vmbus-version V    the newest protocol the host offers, 2.4 to 5.3
  --timers HOW         the guest's synthetic timers: direct (default), message (by messages alone,
                       as hosts before 2019), message,arat (and Linux has no other clock for CPU 0)
                       or none
  --monitor            the host offers monitored channels: the guest signals by bits in a page that
                       the host looks at each millisecond, not by hypercall
  --hostile SEED[,after=SECONDS][,rate=PER_MILLE]
                       a host that lies to the guest, as SEED decides, from then on (or from
                       './enlighten ctl hostile.start')
  --fault NAME=VALUE[,device=NAME]
                       something that real hosts do wrong happens (repeatable, or by
                       './enlighten ctl fault.set'; 'fault.list' has them all):
                       modify-delay=SECONDS, refuse-open=N, read-error=N and
                       read-error-silent=N (each Nth read), rsc-stale-sum=1
  --pause SECONDS[,after=SECONDS]
                       all vCPUs stand still for so long while time goes on, so many seconds
                       after the start (30), or by './enlighten ctl machine.pause'
  --repeat-lost on|off  whether the host gives an interrupt again that the guest has not taken for
                       half a second (on), or not, as real hosts (off)
  --on-crash WHAT      end (default), or continue: the guest goes on after it reported a crash, to
                       save a dump
  --accel MODE         auto (default: KVM where it works, else nested), kvm, nested
  --timeout SECONDS    the guest is then reported as hung, status 124
  --verbose            the host's own messages

For example:

  ./enlighten run --exec 'uname -r; lsblk'
  ./enlighten run --guest minimal --net user --net user --exec 'table; ip route'
  ./enlighten run --guest minimal --disk my.raw,block_size=4096 --exec 'blockdev --getss /dev/sda'
  ./enlighten run --guest minimal --disk my.raw --fault read-error=2 --exec 'cat /dev/sda | wc -c'

Exit status: CMD's with --exec; 0 the guest powered off; 10 with --exec: it asked for a reboot;
11 triple fault; 12 panic; 124 hung; 1 something could not be done; 2 wrong command line.
USAGE
}

# check_file WHAT PATH: a readable, regular, non-empty file.
check_file() {
  [ -e "$2" ] || die "the $1 $2 does not exist"
  [ -f "$2" ] || die "the $1 $2 is no regular file"
  [ -r "$2" ] || die "the $1 $2 cannot be read: check its permissions"
  [ -s "$2" ] || die "the $1 $2 is empty"
}

# add_disk KIND SPEC: checks it, and adds it to the node's and the host's arguments.
add_disk() {
  local kind=$1 spec=$2 path rest='' size ro='' name option block=512
  path=${spec%%,*}
  [ "$path" = "$spec" ] || rest=${spec#*,}
  [ -n "$path" ] || usage_error "--$kind needs a file"
  name=user${#host_disks[@]}
  local options=${rest:+,$rest}
  while IFS= read -r -d, option; do
    case $option in
      '' | bus=scsi | bus=ide | lun=[0-9]* | controller=[0-9]*) ;;
      ro) ro=,ro ;;
      name=?*) ;;
      block_size=512 | block_size=4096)
        [ "$kind" = disk ] || usage_error "--$kind $path: unknown '$option'"
        block=${option#block_size=} ;;
      block_size=*) usage_error "--$kind $path: $option: give 512 or 4096" ;;
      *) usage_error "--$kind $path: unknown '$option'" ;;
    esac
  done <<<"$rest,"
  [ "$kind" = disk ] || ro=,ro
  [ -e "$path" ] ||
    die "the $kind $path does not exist: make it, for example by 'truncate -s 1G $path'"
  [ -f "$path" ] || [ -b "$path" ] || die "the $kind $path is neither a file nor a block device"
  [ -r "$path" ] || die "the $kind $path cannot be read: check its permissions"
  [ -n "$ro" ] || [ -w "$path" ] ||
    die "the $kind $path cannot be written: check its permissions, or add ,ro"
  if [ -b "$path" ]; then
    size=$(blockdev --getsize64 "$path" 2>/dev/null || echo 0)
  else
    size=$(stat -Lc %s "$path")
  fi
  [ "$size" -gt 0 ] ||
    die "the $kind $path is empty: give it a size, for example by 'truncate -s 1G $path'"
  [ $((size % block)) -eq 0 ] ||
    die "the size of the $kind $path is $size bytes, no multiple of $block:" \
      "'truncate -s %$block $path' rounds it up"
  case ",$rest," in
    *,name=*) ;;
    *) options=$options,name=$(basename "$path" | tr -c 'A-Za-z0-9._\n' -) ;;
  esac
  case $path in *,*) die "the $kind $path has a comma in its name: rename it" ;; esac
  node_args+=(--disk "$path,name=$name$ro")
  host_disks+=("--$kind" "disk/$name$options")
}

# check_tap INTERFACE: it is one, and may be used by this user.
check_tap() {
  local net=/sys/class/net/$1 owner group
  [[ $1 =~ ^[A-Za-z0-9_.-]{1,15}$ ]] || usage_error "--net tap='$1': no interface has such a name"
  [ -e "$net" ] ||
    usage_error "--net tap=$1: there is no such interface:" \
      "make it by 'ip tuntap add $1 mode tap user $(id -un)'"
  { [ -e "$net/tun_flags" ] && (($(cat "$net/tun_flags") & 2)); } ||
    usage_error "--net tap=$1: that is no TAP interface"
  owner=$(cat "$net/owner") group=$(cat "$net/group")
  [ "$(id -u)" = 0 ] || [ "$owner" = "$(id -u)" ] || [[ " $(id -G) " == *" $group "* ]] ||
    usage_error "--net tap=$1: it belongs to another user"
}

# add_net SPEC: one more network adapter.
add_net() {
  local kind=${1%%,*} option rest='' valid
  case $kind in
    user | null | echo) ;;
    tap=?*) check_tap "${kind#tap=}" ;;
    none) [ "$1" = none ] || usage_error "--net $1: none has no properties"; return ;;
    *) usage_error "--net '$kind': give user, tap=INTERFACE, null, echo or none" ;;
  esac
  [ "$kind" = "$1" ] || rest=${1#*,}
  valid='name=.+|queues=([1-9]|[1-5][0-9]|6[0-4])'
  valid="^($valid|mac=[0-9A-Fa-f][02468aceACE](:[0-9A-Fa-f]{2}){5})\$"
  [ "$kind" = "$1" ] || while IFS= read -r -d, option; do
    [[ $option =~ $valid ]] ||
      usage_error "--net $kind: '$option' is no name=NAME, queues=1 to 64 or mac=00:15:5d:01:02:03"
  done <<<"$rest,"
  nets+=("$1")
}

# check_forwards: each is a port of this machine, and there is a network for it.
check_forwards() {
  local forward part valid
  valid='(([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3}))?:'
  valid="^(tcp|udp):($valid)?([0-9]{1,5})-:([0-9]{1,5})\$"
  for forward in "${forwards[@]}"; do
    [[ $forward =~ $valid ]] ||
      usage_error "--forward '$forward': give for example tcp:127.0.0.1:2222-:22"
    for part in "${BASH_REMATCH[@]:4:4}"; do
      [ "${part:-0}" -le 255 ] ||
        usage_error "--forward '$forward': ${BASH_REMATCH[3]} is no address"
    done
    for part in "${BASH_REMATCH[@]:8:2}"; do
      { [ "$((10#$part))" -ge 1 ] && [ "$((10#$part))" -le 65535 ]; } ||
        usage_error "--forward '$forward': a port is from 1 to 65535"
    done
    [[ " ${nets[*]}" == *' user'* ]] || usage_error "--forward $forward: only with --net user"
  done
}

parse_run() {
  exec_cmd='' have_exec=0 drivers=enlighten guest=debian kernel=6.1 initrd='' append=''
  cpus=2 memory=1G disks=() nets=() have_net=0 forwards=() control=''
  faults=() accel=auto limit='' verbose=0 version='' hostile='' pause='' on_crash=end
  timers=direct monitor=0 repeat_lost=on
  while [ $# -gt 0 ]; do
    case $1 in
      --verbose) verbose=1; shift; continue ;;
      --monitor) monitor=1; shift; continue ;;
      --help | -h) usage; exit 0 ;;
      --exec | --drivers | --guest | --kernel | --initrd | --append | --cpus | --memory | --disk | \
        --dvd | --net | --forward | --control | --vmbus-version | --hostile | --fault | \
        --pause | --repeat-lost | --on-crash | --timers | --accel | --timeout)
        [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
      *) usage_error "unknown option '$1'" ;;
    esac
    case $1 in
      --exec) exec_cmd=$2 have_exec=1 ;;
      --drivers) drivers=$2 ;;
      --guest) guest=$2 ;;
      --kernel) kernel=$2 ;;
      --initrd) initrd=$2 ;;
      --append) append=$2 ;;
      --cpus) cpus=$2 ;;
      --memory) memory=$2 ;;
      --disk) disks+=("disk:$2") ;;
      --dvd) disks+=("dvd:$2") ;;
      --net) have_net=1; add_net "$2" ;;
      --forward) forwards+=("$2") ;;
      --control) control=$2 ;;
      --vmbus-version) version=$2 ;;
      --hostile) hostile=$2 ;;
      --fault) faults+=("$2") ;;
      --pause) pause=$2 ;;
      --repeat-lost) repeat_lost=$2 ;;
      --on-crash) on_crash=$2 ;;
      --timers) timers=$2 ;;
      --accel) accel=$2 ;;
      --timeout) limit=$2 ;;
    esac
    shift 2
  done
  case $guest in
    debian | minimal) ;;
    *) usage_error "--guest '$guest': give debian or minimal" ;;
  esac
  case $accel in
    auto | kvm | nested) ;;
    *) usage_error "--accel '$accel': give auto, kvm or nested" ;;
  esac
  case $cpus in
    '' | *[!0-9]* | ???* | 0*) usage_error "--cpus '$cpus': give a number from 1 to 16" ;;
  esac
  [ "$cpus" -le 16 ] || usage_error "--cpus $cpus: give a number from 1 to 16"
  mib=$(size_to_mib "$memory") ||
    usage_error "--memory '$memory' is no size: give for example 512M or 2G"
  { [ "$mib" -ge 128 ] && [ "$mib" -le 8192 ]; } ||
    usage_error "--memory $memory: give a size from 128M to 8G"
  case $limit in
    '') ;;
    *[!0-9]* | 0* | ???????*) usage_error "--timeout '$limit': give seconds" ;;
  esac
  case $version in
    '' | 2.4 | 3.0 | 4.0 | 4.1 | 5.0 | 5.1 | 5.2 | 5.3) ;;
    *) usage_error "--vmbus-version '$version': give 2.4 3.0 4.0 4.1 5.0 5.1 5.2 or 5.3" ;;
  esac
  case $hostile in
    '' | [0-9]*) ;;
    *) usage_error "--hostile '$hostile': give a number as seed" ;;
  esac
  [[ $pause =~ ^([0-9]+(,after=[0-9]+)?)?$ ]] ||
    usage_error "--pause '$pause': give SECONDS[,after=SECONDS]"
  case $repeat_lost in
    on | off) ;;
    *) usage_error "--repeat-lost '$repeat_lost': give on or off" ;;
  esac
  for fault in "${faults[@]}"; do
    [[ $fault =~ ^[a-z-]+=[0-9]+(,device=.+)?$ ]] ||
      usage_error "--fault '$fault': give NAME=VALUE[,device=NAME]"
    usage | grep "^  .* ${fault%%=*}=" >/dev/null ||
      usage_error "--fault $fault: there is no fault '${fault%%=*}'"
  done
  case $on_crash in
    end | continue) ;;
    *) usage_error "--on-crash '$on_crash': give end or continue" ;;
  esac
  case $timers in
    direct | message | message,arat | none) ;;
    *) usage_error "--timers '$timers': give direct, message, message,arat or none" ;;
  esac
  [ "$have_exec" = 0 ] || [ -n "$exec_cmd" ] || usage_error "--exec is empty: give a command"
  [ "$have_net" = 1 ] || nets=(user)
  check_forwards
  parse_drivers "$drivers"
}

# kernel_and_initrd -> sets guest_kernel, guest_initrd, and for Debian the root disk.
kernel_and_initrd() {
  local modules=() name
  case $kernel in
    6.1 | 6.12 | 6.1-rt | 6.12-rt | kasan | kcsan) ensure_kernel "$kernel" ;;
    *)
      ensure_kernel 6.1
      guest_kernel=$kernel guest_initrd=$initrd
      [ "$guest" = minimal ] || { ensure_debian; make_root; }
      return ;;
  esac
  guest_kernel=$KERNEL_IMAGE
  build_modules "$KERNEL_RELEASE"
  for name in $OUR_DRIVERS; do
    [ -e "$MODULES_DIR/$name.ko" ] ||
      die "the module $name.ko was not built in $MODULES_DIR: run './enlighten build'"
    modules+=("$MODULES_DIR/$name.ko")
  done
  if [ "$guest" = minimal ]; then
    ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "${modules[@]}"
    guest_initrd=${initrd:-$MINIMAL_INITRD}
  else
    ensure_debian
    ensure_modset "$KERNEL_RELEASE" "${modules[@]}"
    guest_initrd=${initrd:-$MODSET_DIR/initrd}
    make_root "$MODSET_DIR/files"
  fi
}

make_root() {
  mkdir -p "$SCRATCH/files/usr/lib/enlighten"
  cp "$AGENT" "$SCRATCH/files/usr/lib/enlighten/agent"
  make_root_disk "$SCRATCH/root.raw" "$SCRATCH/files" "$@"
  node_args+=(--disk "$SCRATCH/root.raw,name=root")
  host_disks=(--disk "disk/root,name=root" "${host_disks[@]}")
}

main() {
  local node_args=() host_disks=() host_args=() line free disk words
  parse_run "$@"
  case $kernel in
    6.1 | 6.12) ;;
    6.1-rt | 6.12-rt | kasan | kcsan)
      [ "$guest" = minimal ] || usage_error "--kernel $kernel: only with --guest minimal"
      ! is_debug_kernel "$kernel" || check_debug_room "$kernel" ;;
    *)
      case $kernel in
        */* | *vmlinuz* | *bzImage*) ;;
        *) [ -e "$kernel" ] || usage_error "--kernel '$kernel': give $KERNELS or a bzImage file" ;;
      esac
      check_file kernel "$kernel"
      [ "$(dd if="$kernel" bs=1 skip=514 count=4 2>/dev/null)" = HdrS ] ||
        die "the kernel $kernel is no bzImage: give a Linux x86 boot image"
      [ -n "$initrd" ] || usage_error "--kernel FILE needs its --initrd FILE" ;;
  esac
  [ -z "$initrd" ] || check_file initrd "$initrd"
  for disk in "${disks[@]}"; do add_disk "${disk%%:*}" "${disk#*:}"; done
  ensure_packages
  build_programs
  choose_accel "$accel"
  free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$free" -ge $((mib + 512)) ] ||
    die "--memory $memory: this machine has only $free MiB free; give less"
  if [ "$ACCEL" = nested ]; then ensure_node_image; fi
  scratch_dir
  kernel_and_initrd

  words="console=ttyS0 panic=-1 quiet no_timer_check random.trust_cpu=on cryptomgr.notests audit=0"
  words="$words rcupdate.rcu_expedited=1"
  [ "$guest" = minimal ] || words="$words root=LABEL=enlighten ro fsck.mode=skip"
  [ "$ACCEL" = kvm ] || words="$words mitigations=off"
  host_args=(run --kernel kernel --initrd initrd --cpus "$cpus" --memory "${mib}M")
  node_args+=(--file "$guest_kernel:kernel" --file "$guest_initrd:initrd")
  if [ "$have_exec" = 0 ] && ! { [ -t 0 ] && [ -t 1 ]; }; then
    exec_cmd='PATH=$PATH:/usr/lib/enlighten; table'
  fi
  if [ -n "$exec_cmd" ]; then
    words="$words enlighten.exec"
    printf '%s\n' "$exec_cmd" >"$SCRATCH/exec"
    mkdir -p "$LOG_DIR"
    : >"$LOG_DIR/console.log"
    node_args+=(--file "$SCRATCH/exec:exec" --out "console=$LOG_DIR/console.log")
    host_args+=(--exec-file exec --console file:out/console)
  else
    words="$words enlighten.table"
    node_args+=(--tty)
    host_args+=(--console stdio)
  fi
  if [ -n "$control" ]; then
    node_args+=(--control "$control")
    if [ "$ACCEL" = kvm ]; then
      host_args+=(--control "$(readlink -m "$control")")
    else
      host_args+=(--control control.sock)
    fi
  fi
  [ -z "$limit" ] || host_args+=(--timeout "$limit")
  [ -z "$version" ] || host_args+=(--vmbus-version "$version")
  [ -z "$hostile" ] || host_args+=(--hostile "$hostile")
  host_args+=(--repeat-lost "$repeat_lost")
  [ -z "$pause" ] || host_args+=(--pause "$pause")
  for fault in "${faults[@]}"; do host_args+=(--fault "$fault"); done
  [ "$monitor" = 0 ] || host_args+=(--monitor)
  [ "$timers" = direct ] || host_args+=(--timers "$timers")
  [ "$on_crash" = end ] || host_args+=(--on-crash "$on_crash")
  [ "$verbose" = 0 ] || host_args+=(--verbose)
  local spec
  for spec in "${nets[@]}"; do
    host_args+=(--net "$spec")
    case $spec in user* | tap=*) node_args+=(--net "${spec%%,*}") ;; esac
  done
  # The first adapter is eth0.
  local dhcp='' number
  for number in "${!nets[@]}"; do
    case ${nets[number]} in user*) dhcp=$dhcp,eth$number ;; esac
  done
  [ ${#nets[@]} = 0 ] || words="$words enlighten.net${dhcp:+ enlighten.dhcp=${dhcp#,}}"
  for spec in "${forwards[@]}"; do
    node_args+=(--forward "$spec")
    # From the nested machine's own port of the same number.
    [ "$ACCEL" = kvm ] || spec=$(sed -E 's/^(tcp|udp):(.*:)?([0-9]+-:)/\1:0.0.0.0:\3/' <<<"$spec")
    host_args+=(--forward "$spec")
  done
  host_args+=("${host_disks[@]}" --append "$words${append:+ $append}")
  # The nested machine needs memory for the guest, and for itself and the files in it.
  say "booting ${guest} $kernel, $cpus CPUs, ${mib}M," \
    "drivers: ${OUR_DRIVERS:-in-tree only}${OUR_DRIVERS:+ (enlighten)}, $ACCEL"
  # In the nested machine 10.0.2.2 is that one.
  [[ " ${nets[*]}" != *' user'* ]] ||
    say "the guest finds this machine's own servers at" \
      "$([ "$ACCEL" = kvm ] && echo 10.0.2.2 || echo 10.0.3.2)"
  local status=0 command=(enlighten-host "${host_args[@]}")
  # At a console a reboot boots again: another machine, with the same disks.
  [ -n "$exec_cmd" ] ||
    command=("status=10; while [ \$status = 10 ]; do status=0; ${command[*]@Q} || status=\$?; done
      exit \$status")
  # One emulated CPU boots Debian as fast as two, and does not end the guest (lab/README.md).
  "$LAB_DIR/node" --accel "$ACCEL" --smp 1 --memory "$((mib + 640))M" "${node_args[@]}" -- \
    "${command[@]}" <&0 &
  NODE_PID=$!
  on_exit "ask_child $NODE_PID"
  wait "$NODE_PID" || status=$?
  exit "$status"
}
