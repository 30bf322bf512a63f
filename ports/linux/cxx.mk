# SPDX-License-Identifier: GPL-2.0-only
# C++ objects of the core in a kernel module. To be included by a module's Kbuild, which sets
# before:
#   cxx-sources   sources, relative to the top of the project
# and gets cxx-objects, to be added to its NAME-y.

# What the kernel asks of C and g++ does not know.
cxx-not-c++ := -std=% -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition \
	-Wdeclaration-after-statement -Wno-pointer-sign -Wmissing-declarations \
	-Werror=implicit-function-declaration -Werror=implicit-int -Werror=strict-prototypes \
	-Werror=incompatible-pointer-types -Werror=designated-init -fmacro-prefix-map=% \
	-Wno-alloc-size-larger-than -Wno-main -Wno-override-init -Woverride-init \
	-Wno-implicit-fallthrough -Wimplicit-fallthrough=%
# No debug information: the types of C++ are strange to the kernel's tools.
cxx-flags = $(filter-out $(cxx-not-c++) -g%,$(KBUILD_CFLAGS) $(KBUILD_CFLAGS_MODULE)) \
	-std=c++20 -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics \
	-fno-use-cxa-atexit -fvisibility=hidden -fno-gnu-unique -g0 -Wall -Wextra \
	-I$(ENLIGHTEN_TOP) $(cxx-memset-y) $(cxx-checks)
# What a debug kernel checks in its C (memory, values, races) it checks here: the flags are not
# among KBUILD_CFLAGS. Of them all but the warnings.
cxx-checks = $(filter-out -W%,$(if $(CONFIG_KASAN),$(CFLAGS_KASAN)) \
	$(if $(CONFIG_UBSAN),$(CFLAGS_UBSAN)) $(if $(CONFIG_KCSAN),$(CFLAGS_KCSAN)))
# The kernel has what is on the stack zeroed, a Result of each packet among it: by stores, as `rep
# stos` takes as long as the rest.
cxx-memset-$(CONFIG_X86_64) := -mmemset-strategy=unrolled_loop:256:noalign,libcall:-1:noalign

CXX ?= g++
quiet_cmd_cxx = CXX [M]  $@
      cmd_cxx = $(CXX) -Wp,-MMD,$(depfile) -D__KERNEL__ $(cxx-flags) -c -o $@ $<; \
	mv $@ $@.parts; \
	$(LD) $(KBUILD_LDFLAGS) -r --force-group-allocation \
		-T $(ENLIGHTEN_TOP)/ports/linux/cxx.lds -o $@ $@.parts; \
	rm -f $@.parts $(cmd_objtool)

cxx-object = $(subst /,_,$(1:.cc=.o))
cxx-objects := $(foreach source,$(cxx-sources),$(call cxx-object,$(source)))

define cxx-rule
$(obj)/$(call cxx-object,$(1)): $(ENLIGHTEN_TOP)/$(1) FORCE
	$$(call if_changed_dep,cxx)
endef
$(foreach source,$(cxx-sources),$(eval $(call cxx-rule,$(source))))
targets += $(cxx-objects)
