# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The Debian packages the project needs: which are missing, and installing them.

missing_packages() {
  local package
  # dpkg-query fails when one of them is not known at all: that is what is asked.
  while read -r package; do
    case $package in '' | '#'*) continue ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)" = installed ] || printf '%s\n' "$package"
  done <"$LAB_DIR/packages"
}

ensure_packages() {
  local missing as_root=()
  command -v dpkg-query >/dev/null || die "this is no Debian system: Enlighten needs Debian 12 (bookworm) and its packages"
  missing=$(missing_packages | tr '\n' ' ')
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; } ||
      die "Debian packages are missing and this is not root: run as root 'apt-get install $missing'"
    as_root=(sudo)
  fi
  say "installing from Debian: $missing"
  # shellcheck disable=SC2086
  if ! apt-cache show --no-all-versions $missing >/dev/null 2>&1; then
    step "updating the package lists" "${as_root[@]}" apt-get update
  fi
  # shellcheck disable=SC2086
  step "installing $(echo "$missing" | wc -w) Debian packages" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing
}
