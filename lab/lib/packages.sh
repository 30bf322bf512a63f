# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The Debian packages the project needs: which are missing, installing them, and where this machine
# gets them from.

# missing_packages [MORE...]: of lab/packages and of those named.
missing_packages() {
  local wanted have
  wanted=$(grep -v '^#' "$LAB_DIR/packages"; printf '%s\n' "$@")
  # dpkg-query fails when one of them is not known at all: that is what is asked.
  # shellcheck disable=SC2086
  have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed //p' || :)
  grep -vxF -e "$have" <<<"$wanted" || :
}

# ensure_packages [MORE...]: MORE is what only some commands need.
ensure_packages() {
  local missing as_root=()
  command -v dpkg-query >/dev/null ||
    die "this is no Debian system: Enlighten needs Debian 12 (bookworm) and its packages"
  missing=$(missing_packages "$@" | tr '\n' ' ')
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; } ||
      die "Debian packages are missing and this is not root: run as root 'apt-get install $missing'"
    as_root=(sudo)
  fi
  say "installing from Debian: $missing"
  step "updating the package lists" "${as_root[@]}" apt-get update
  # shellcheck disable=SC2086
  step "installing $(echo "$missing" | wc -w) Debian packages" \
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing
}

# This machine's own sources of Debian 12, so that its mirror and keys are used.
debian_sources() {
  apt-get indextargets \
    --format '$(ORIGIN)|$(CODENAME)|deb [trusted=no] $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' |
    sed -n 's/^Debian|bookworm[^|]*|deb \[trusted=no\]/deb/p' | sort -u
}
