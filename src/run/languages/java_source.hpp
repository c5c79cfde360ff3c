// What has to be known of a Java source before it is compiled: what its public class is called, since the
// file must be called so, and which class can be started.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cellblock::run {

struct JavaSource {
    std::string package;                       ///< "a.b"; empty: none
    std::string public_type;                   ///< without the package; empty: none
    std::vector<std::string> types_with_main;  ///< outermost ones, without the package
};

/// By tokens, so that comments and strings are passed over. Whatever it is given, it is no judge of it.
JavaSource read_java_source(std::string_view code);

}  // namespace cellblock::run
