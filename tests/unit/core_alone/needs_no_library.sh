#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# needs_no_library.sh NM ARCHIVE: what the archive needs and does not hold itself may only be what
# every kernel has.
set -eu
nm=$1 archive=$2
symbols=$("$nm" "$archive")
defined=$(printf '%s\n' "$symbols" | awk 'NF == 3 && $2 != "U" { print $3 }' | sort -u)
needed=$(printf '%s\n' "$symbols" | awk '$1 == "U" { print $2 }' | sort -u)
wrong=$(printf '%s\n' "$needed" | grep -vxF "$defined" |
  grep -vxE 'memcpy|memset|memmove|memcmp|' || :)
if [ -n "$wrong" ]; then
  printf 'the core needs what a kernel does not have:\n%s\n' "$wrong"
  exit 1
fi
constructors=$("$nm" "$archive" | grep -E '_GLOBAL__sub_I|__cxa_' || :)
if [ -n "$constructors" ]; then
  printf 'the core has code that runs before it is called:\n%s\n' "$constructors"
  exit 1
fi
