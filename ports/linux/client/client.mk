# SPDX-License-Identifier: GPL-2.0-only
# What every driver shares, in a module's Kbuild, behind cxx.mk: client-objects are to be added to
# its NAME-y. The sources are linked beside its own as client_*.c. Its cxx-sources have to name
# core/vmbus/life_c.cc.
client-objects := client_channel.o client_transact.o client_lifecycle.o
