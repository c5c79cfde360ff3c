# Compiler settings that hold for every target: C++20, warnings as errors, hardening, sanitizers, ccache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Linux only: namespaces and cgroups have no counterpart elsewhere.
add_compile_definitions(_GNU_SOURCE)

add_library(cellblock_options INTERFACE)
target_compile_options(cellblock_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # TRY() is a statement expression; both compilers that we support have it.
  target_compile_options(cellblock_options INTERFACE -Wno-gnu-statement-expression)
else()
  # TRY() is a statement expression, which -Wpedantic rejects without this.
  target_compile_options(cellblock_options INTERFACE -Wno-pedantic)
endif()

if(CELLBLOCK_SANITIZE)
  add_compile_options(-fsanitize=${CELLBLOCK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CELLBLOCK_SANITIZE})
endif()

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
  # Each for itself, for the linker to leave out or put in order.
  add_compile_options(-ffunction-sections)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  if(NOT CELLBLOCK_SANITIZE)
    # The sanitizers check more, and do not see through the fortified functions.
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
  # pack-relative-relocs: a tenth of what has to be read and applied at every start (glibc from 2.36).
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,pack-relative-relocs)
  include(CheckPIESupported)
  check_pie_supported()
endif()
