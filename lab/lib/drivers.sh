# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What --drivers means.

# parse_drivers SPEC -> sets OUR_DRIVERS, the names of the modules of ours that the guest gets.
parse_drivers() {
  local spec=$1 part known name whose chosen=' '
  known=$(our_modules | tr '\n' ' ')
  [ -n "$spec" ] ||
    usage_error "--drivers is empty: give enlighten, inbox, or a list as inbox,hv_storvsc=enlighten"
  while IFS= read -r -d, part; do
    case $part in
      enlighten) chosen=" $known" ;;
      inbox) chosen=' ' ;;
      *=enlighten | *=inbox)
        name=${part%%=*} whose=${part#*=}
        case " $known" in
          *" $name "*) ;;
          *) usage_error "--drivers: no driver '$name' of ours; there are: ${known% }" ;;
        esac
        chosen=${chosen/ $name / }
        [ "$whose" = inbox ] || chosen="$chosen$name "
        ;;
      *)
        usage_error "--drivers: unknown '$part': give enlighten, inbox, or a list" \
          "as inbox,hv_storvsc=enlighten" ;;
    esac
  done <<<"$spec,"
  OUR_DRIVERS=$(echo "$chosen" | xargs)
}
