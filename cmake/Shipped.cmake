# Files as text within the binary: they cannot be missing, and nobody can exchange them.
# cellblock_shipped(HEADER MODULE TYPE ARRAY NAME FILES…): an array of TYPE {name, text}; NAME is NAME_WE or NAME, as
# get_filename_component() has it.
function(cellblock_shipped header module type array name_part)
  set(shipped "")
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} ${name_part})
    file(READ ${file} text)
    string(APPEND shipped "    {\"${name}\", R\"shipped(${text})shipped\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${header} CONTENT
"// Written by CMake.
#pragma once
#include <string_view>
namespace cellblock::${module} {
struct ${type} {
    std::string_view name;
    std::string_view text;
};
inline constexpr ${type} ${array}[] = {
@shipped@};
}
" @ONLY)
endfunction()

cellblock_shipped(shipped_profiles.hpp profile ShippedProfile kShippedProfiles NAME_WE
  ${CMAKE_CURRENT_SOURCE_DIR}/profiles/*.toml)
cellblock_shipped(shipped_templates.hpp run ShippedTemplate kShippedTemplates NAME
  ${CMAKE_CURRENT_SOURCE_DIR}/templates/*.template)
