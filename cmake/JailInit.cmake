# jail-init as a program of its own, for isolation backends that execute one: static, so that it needs nothing of the
# jail's view, and compiled from its own list of sources, so that it has nothing else in it and no sanitizer.
set(jail_init_sources restrict.cpp init.cpp init_list.cpp child_socket.cpp landlock.cpp seccomp.cpp selftest.cpp policy/landlock.cpp
  policy/limits.cpp policy/syscalls.cpp jail_init/main.cpp)
list(TRANSFORM jail_init_sources PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/src/jail/)
add_executable(jail_init ${jail_init_sources} ${CMAKE_CURRENT_SOURCE_DIR}/src/base/check.cpp
  ${CMAKE_BINARY_DIR}/generated/jail_filters.hpp)
target_include_directories(jail_init PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
target_link_libraries(jail_init PRIVATE cellblock_options)
# Not CMake's property, which adds "-pie" behind our own option: the program would need a loader.
set_property(TARGET jail_init PROPERTY POSITION_INDEPENDENT_CODE)
target_compile_options(jail_init PRIVATE -fPIE -fno-sanitize=all -ffunction-sections -fdata-sections)
target_link_options(jail_init PRIVATE -fno-sanitize=all -static-pie -Wl,--gc-sections)
set_target_properties(jail_init PROPERTIES OUTPUT_NAME jail-init
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/libexec/cellblock)
install(TARGETS jail_init RUNTIME DESTINATION libexec/cellblock)
foreach(user cellblock jail_test)
  if(TARGET ${user})
    add_dependencies(${user} jail_init)
  endif()
endforeach()
