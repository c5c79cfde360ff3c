# The worker's Python files are copied to <build>/lib/cellblock/cellblock_worker, where the binary looks for them
# (relative to itself), with the digest of their contents. The same digest is compiled into the binary: a worker of
# another build is refused at `hello`.
set(worker_source ${CMAKE_CURRENT_SOURCE_DIR}/src/worker/cellblock_worker)
set(worker_target ${CMAKE_BINARY_DIR}/lib/cellblock/cellblock_worker)
file(GLOB_RECURSE worker_files CONFIGURE_DEPENDS RELATIVE ${worker_source} ${worker_source}/*.py)
list(SORT worker_files)

set(digest_input "")
foreach(file IN LISTS worker_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${worker_source}/${file})
  file(SHA256 ${worker_source}/${file} file_digest)
  string(APPEND digest_input "${file}:${file_digest}\n")
endforeach()
string(SHA256 CELLBLOCK_WORKER_DIGEST "${digest_input}")

set(copy_commands "")
foreach(file IN LISTS worker_files)
  list(APPEND copy_commands COMMAND ${CMAKE_COMMAND} -E copy_if_different ${worker_source}/${file} ${worker_target}/${file})
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/DIGEST CONTENT "${CELLBLOCK_WORKER_DIGEST}\n")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/build_info.hpp CONTENT
"// Facts about this build, written by CMake.
#pragma once
namespace cellblock {
inline constexpr const char* kVersion = \"@PROJECT_VERSION@\";
inline constexpr const char* kWorkerDigest = \"@CELLBLOCK_WORKER_DIGEST@\";
}
" @ONLY)
include_directories(${CMAKE_BINARY_DIR}/generated)

list(TRANSFORM worker_files PREPEND ${worker_source}/ OUTPUT_VARIABLE worker_inputs)
file(GLOB kernelspec_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernelspec/*)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/worker.stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${worker_target}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${worker_target}
  ${copy_commands}
  COMMAND ${CMAKE_COMMAND} -E copy_if_different ${CMAKE_BINARY_DIR}/DIGEST ${worker_target}/DIGEST
  COMMAND ${CMAKE_COMMAND} -E copy_directory ${CMAKE_CURRENT_SOURCE_DIR}/kernelspec ${CMAKE_BINARY_DIR}/lib/cellblock/kernelspec
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/worker.stamp
  DEPENDS ${worker_inputs} ${kernelspec_files} ${CMAKE_BINARY_DIR}/DIGEST
  COMMENT "Copying the worker package")
add_custom_target(worker_package ALL DEPENDS ${CMAKE_BINARY_DIR}/worker.stamp)
