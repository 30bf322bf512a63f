# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Flags for all of the project, and the sanitizers as one option.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

option(ENLIGHTEN_TESTS "build the tests, and with them a replay of the fuzz corpora" OFF)
option(ENLIGHTEN_FUZZ "build the fuzz targets with libFuzzer (clang alone)" OFF)
option(ENLIGHTEN_BENCH "build the benchmarks" OFF)
set(ENLIGHTEN_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize: address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Werror -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> -Wimplicit-fallthrough)
include_directories(${CMAKE_SOURCE_DIR})
if(ENLIGHTEN_SANITIZE)
  add_compile_options(-fsanitize=${ENLIGHTEN_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ENLIGHTEN_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code makes gcc see paths that cannot be taken; the plain builds keep these
    # warnings.
    add_compile_options(-Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
      -Wno-maybe-uninitialized)
  endif()
endif()

if(ENLIGHTEN_FUZZ)
  # All of it is instrumented; HV_SHARED_HOOK puts a hook before each read of shared memory
  # (core/vmbus/shared.hpp).
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_compile_definitions(HV_SHARED_HOOK)
endif()

# What the core is compiled with everywhere: what the kernel allows, and no more.
set(ENLIGHTEN_CORE_OPTIONS -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics)

# What need not be fast in builds for debugging, as what it tests or serves is elsewhere, is
# compiled fast.
function(enlighten_compile_fast target)
  if(CMAKE_BUILD_TYPE STREQUAL Debug)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# Several sources at once, as most of the time goes into what they all include. They share their
# names, too.
function(enlighten_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON)
endfunction()
