// What a cell shows, as one hash that a saved notebook can be compared with. Front ends do not save messages:
// they join text, break it into lists of lines, sort members, replace displays, clear. So the hash is about
// what all of that leaves as it is; docs/audit-log.md ("Outputs") is the contract, and
// tests/support/outputs.py a second implementation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/hash.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::session {

/// Outputs of one cell that are compared; front ends show no more in a useful way.
inline constexpr size_t kMaxOutputs = 10'000;
/// Displays with an id of one kernel.
inline constexpr size_t kMaxDisplays = 10'000;
inline constexpr size_t kMaxDisplayId = 1024;
/// Text without a line feed, as long as a carriage return in it can be obeyed.
inline constexpr size_t kMaxOutputLine = size_t{1} << 20U;
/// One value that is JSON in itself (MIME types …+json, metadata). To compare those their members must be
/// sorted, for which they are built in memory, at many times their size.
inline constexpr size_t kMaxOutputJson = size_t{4} << 20U;

/// The displays of all cells by their ids: an update anywhere changes each of them, in whatever cell it is.
class Displays {
  public:
    struct Display {
        observe::Hash body{};
    };
    /// The display with this id has this content from now on; null when there are kMaxDisplays already.
    std::shared_ptr<const Display> set(const std::string& id, const observe::Hash& body);
    /// The same for one that is there.
    void update(const std::string& id, const observe::Hash& body);
    /// Grows with each change of something that was shown.
    [[nodiscard]] uint64_t changes() const { return changes_; }

  private:
    std::map<std::string, std::shared_ptr<Display>, std::less<>> displays_;
    uint64_t changes_ = 0;
};

class Outputs {
  public:
    /// A message of the cell. Types that are no output change nothing.
    void add(std::string_view type, std::string_view content, Displays& displays);
    /// An output as notebooks hold them; false when it is not of their form.
    bool add_saved(std::string_view output);

    struct Hashes {
        observe::Hash plain{};
        /// The same where backspaces and carriage returns have been obeyed, as JupyterLab does before it
        /// saves. Nothing when there are none.
        std::optional<observe::Hash> obeyed;
    };
    [[nodiscard]] Hashes hashes() const;
    /// Why a saved notebook may differ from the hash though nobody has edited it; empty: it does not.
    [[nodiscard]] std::string_view trouble() const { return trouble_; }
    /// For bounds of memory.
    [[nodiscard]] size_t count() const { return outputs_.size(); }

  private:
    struct Output {
        char kind = 0;
        observe::Hash body{};
        std::shared_ptr<const Displays::Display> display;  // then its body counts
        std::optional<observe::Hash> obeyed;               // of a stream
    };
    /// The last output, while it is a stream to which text may be added.
    struct Run {
        std::string name;
        observe::Sha256 plain;                  // up to `line`
        std::optional<observe::Sha256> obeyed;  // the same where it is another one
        std::string line;                       // that has no end yet
        bool is_long = false;                   // the hashes are about the beginning of that line
        bool line_has_control = false;          // backspaces or carriage returns

        void add(std::string_view text);
        void end_line();
    };

    bool add_output(std::string_view type, std::string_view content, Displays* displays);
    bool add_stream(std::string_view content);
    bool add_error(std::string_view content);
    bool add_display(std::string_view type, std::string_view content, Displays* displays);
    void add_text(std::string_view text);
    std::optional<observe::Hash> body_of(const std::vector<protocol::JsonMember>& members);
    void append(Output output);
    void end_run();
    [[nodiscard]] Output of_run() const;
    void clear();
    void note_trouble(std::string_view word);

    std::vector<Output> outputs_;  // without run_
    std::unique_ptr<Run> run_;
    bool clear_next_ = false;
    std::string_view trouble_;
};

/// The same text for the same JSON value, whoever wrote it; nothing when it is too large, or no JSON.
std::optional<std::string> canonical_json(std::string_view value);

}  // namespace cellblock::session
