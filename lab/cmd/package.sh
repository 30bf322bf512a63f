# SPDX-License-Identifier: GPL-2.0-only OR MIT
main() {
  case ${1:-} in
    --help | -h) echo "usage: ./enlighten package    makes the DKMS .deb; comes later"; exit 0 ;;
    '') die "the DKMS package comes later" ;;
    *) usage_error "unknown option '$1'" ;;
  esac
}
