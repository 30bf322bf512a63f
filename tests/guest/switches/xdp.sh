# SPDX-License-Identifier: GPL-2.0-only OR MIT
# XDP on a machine of one CPU: with more of them the in-tree driver is no judge of it.
# tests: 37-network-xdp.sh
