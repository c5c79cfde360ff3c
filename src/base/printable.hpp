// Text that strangers have chosen, made fit for a terminal, a log and a banner.
#pragma once

#include <string>
#include <string_view>

namespace cellblock {

/// One line of plain text for people: what would steer a terminal, reverse the direction of writing or not be
/// seen is escaped. Unambiguous: backslashes are, too.
std::string printable(std::string_view name);

/// What somebody wrote, in quotation marks for a sentence: printable, and no more than its first 64 bytes.
std::string in_quotes(std::string_view text);

/// The same for text in which some may be printable already, as the cells of tables: backslashes stay, so
/// twice is the same as once.
std::string printable_line(std::string_view text);

/// The same for whole sentences, which quote others somewhere: backslashes stay, and lines after the first
/// are indented, so that no quotation passes for a line of ours. Twice is the same as once but for the
/// indent.
std::string printable_sentence(std::string_view text);

/// The same for JSON, which stays equal: what steers or is not seen becomes an escape, and what JSON allows
/// of control characters, which is between its words, a space; line feeds stay. Bytes that are not UTF-8
/// become U+FFFD.
std::string printable_json(std::string_view json);

/// Whether a character (UTF-8) embeds, overrides or isolates a direction of writing, so that what follows is
/// shown in another order than it stands there. The letters of scripts that go from right to left do not.
bool turns_writing(std::string_view character);

}  // namespace cellblock
