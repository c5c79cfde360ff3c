# Everything that Cellblock takes from the system; all of it is in Debian 12.
find_package(Threads REQUIRED)
# Archives: the few functions that are used of them are nothing to load at a start (docs/adr/0023).
find_path(NETTLE_HEADERS nettle/eddsa.h REQUIRED)
find_library(NETTLE_ARCHIVE libnettle.a REQUIRED)
find_library(HOGWEED_ARCHIVE libhogweed.a REQUIRED)
find_library(GMP_ARCHIVE libgmp.a REQUIRED)
add_library(nettle INTERFACE)
target_link_libraries(nettle INTERFACE ${HOGWEED_ARCHIVE} ${NETTLE_ARCHIVE} ${GMP_ARCHIVE})
find_path(XXHASH_HEADERS xxhash.h REQUIRED)  # the header is all that is used of it
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(cppzmq REQUIRED)
find_package(xeus REQUIRED)
find_path(TOMLPLUSPLUS_HEADERS toml++/toml.h REQUIRED)  # the headers are all that is used of it
# Compiled into the one file that uses it: two shared libraries less to load at the start of each kernel.
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
add_library(spdlog_in_place INTERFACE)
target_compile_definitions(spdlog_in_place INTERFACE SPDLOG_FMT_EXTERNAL)
target_link_libraries(spdlog_in_place INTERFACE fmt::fmt-header-only)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp)
if(CELLBLOCK_TESTS)
  find_package(GTest REQUIRED)
endif()
