// The rows of the table of languages, one file each.
#pragma once

#include "run/language.hpp"

namespace cellblock::run {

extern const Language kPython;
extern const Language kJavaScript;
extern const Language kGo;
extern const Language kRust;
extern const Language kJava;

}  // namespace cellblock::run
