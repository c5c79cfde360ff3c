# The system call filters are compiled by libseccomp during the build and linked into the binary as data.
# cellblock_syscall_filters(MODULE): MODULE may include "jail_filters.hpp"; its tests also get the compiler, to compare.
function(cellblock_syscall_filters module)
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/src/jail)
  add_executable(make_filters ${dir}/filters/main.cpp ${dir}/filters/compiler.cpp ${dir}/policy/syscalls.cpp)
  target_link_libraries(make_filters PRIVATE cellblock_base cellblock_options PkgConfig::libseccomp)
  set(header ${CMAKE_BINARY_DIR}/generated/jail_filters.hpp)
  add_custom_command(OUTPUT ${header} COMMAND make_filters ${header} DEPENDS make_filters
    COMMENT "Compiling the system call filters")
  target_sources(cellblock_${module} PRIVATE ${header})
  if(TARGET ${module}_test)
    target_sources(${module}_test PRIVATE ${dir}/filters/compiler.cpp)
    target_link_libraries(${module}_test PRIVATE PkgConfig::libseccomp)
  endif()
endfunction()
