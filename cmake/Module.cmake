# cellblock_module(NAME LINK <modules> PRIVATE <libraries>): the sources of src/NAME as a static library, and the
# *_test.cpp files beside them as the test program NAME_test. Headers of a module that is not in LINK are out of
# reach only by convention, which tests/tidy/test_dependencies.py enforces.
include(GoogleTest OPTIONAL)

function(cellblock_module name)
  cmake_parse_arguments(arg "" "" "LINK;PRIVATE" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/filters/")  # SyscallFilters.cmake
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  add_library(cellblock_${name} STATIC ${sources})
  set_target_properties(cellblock_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(cellblock_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/src)
  list(TRANSFORM arg_LINK PREPEND cellblock_ OUTPUT_VARIABLE modules)
  target_link_libraries(cellblock_${name} PUBLIC ${modules} Threads::Threads PRIVATE cellblock_options ${arg_PRIVATE})

  if(CELLBLOCK_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE cellblock_${name} cellblock_options ${arg_PRIVATE} GTest::gmock GTest::gtest GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE CELLBLOCK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# STATIC: of shared libraries, only those of glibc are left to be loaded and linked at each start (docs/adr/0023). Not for
# programs that use shared libraries in C++, whose exceptions need one libstdc++ for all.
function(cellblock_program name main)
  cmake_parse_arguments(arg "STATIC" "" "LINK" ${ARGN})
  add_executable(${name} ${main})
  list(TRANSFORM arg_LINK PREPEND cellblock_ OUTPUT_VARIABLE modules)
  target_link_libraries(${name} PRIVATE ${modules} cellblock_options CLI11::CLI11)
  # Modules bring libraries that this program may not need; each costs every start.
  target_link_options(${name} PRIVATE -Wl,--as-needed)
  if(arg_STATIC AND NOT CELLBLOCK_SANITIZE)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
  endif()
  add_dependencies(${name} worker_package)
endfunction()
