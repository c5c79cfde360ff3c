# The files of profiles/ as text within the binary: they cannot be missing, and nobody can exchange them.
set(shipped "")
file(GLOB profile_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/profiles/*.toml)
foreach(file IN LISTS profile_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND shipped "    {\"${name}\", R\"profile(${text})profile\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/shipped_profiles.hpp CONTENT
"// The shipped profiles, written by CMake from profiles/*.toml.
#pragma once
#include <string_view>
namespace cellblock::profile {
struct ShippedProfile {
    std::string_view name;
    std::string_view text;
};
inline constexpr ShippedProfile kShippedProfiles[] = {
@shipped@};
}
" @ONLY)
