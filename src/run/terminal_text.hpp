// What a program writes, made fit for the terminal of the person who runs it. Words and colours stay what
// they are, and progress bars work; what would steer the terminal, hide words or show them in another order
// is spelled out.
#pragma once

#include <string>
#include <string_view>

namespace cellblock::run {

/// The line of a terminal that is being written. Both streams of a program may share it.
struct TerminalLine {
    bool is_own = true;  ///< nothing of anybody else stands in it
    bool is_empty = true;
};

/// One stream, piece by piece.
///
/// A carriage return passes: it goes back in a line that is the program's own, which the program may
/// overwrite. In a line that has begun with words of others it becomes a line end. Of the sequences that set
/// how text looks (SGR), those that set colours and weights pass, and neither the one that conceals nor those
/// that change fonts. Characters that embed, override or isolate a direction of writing do not pass.
class TerminalText {
  public:
    explicit TerminalText(TerminalLine& line) : line_(line) {}

    /// What to write. The beginning of a character or sequence is kept until its end comes.
    std::string add(std::string_view bytes) { return next(bytes, false); }
    /// What is left. Colours end here: what others write is none of the program's to colour, or to hide.
    std::string finish();

  private:
    std::string next(std::string_view bytes, bool is_last);
    /// Moves what `text` begins with to `out`, made harmless; 0: the rest of it has yet to come.
    size_t step(std::string_view text, bool is_last, std::string& out);
    size_t step_return(std::string_view text, bool is_last, std::string& out);
    size_t step_character(std::string_view text, bool is_last, std::string& out);

    TerminalLine& line_;
    std::string unfinished_;
    bool is_coloured_ = false;
};

}  // namespace cellblock::run
