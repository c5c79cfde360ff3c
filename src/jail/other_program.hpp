// What backends share that have a jail made, or a part of it, by a program of somebody else's (bubblewrap,
// gVisor): how it is found and given what it needs, and what it says. It is taken for what it is: a program
// that may be missing, refuse, hang, or be something else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/jail.hpp"
#include "jail/restrict.hpp"

namespace cellblock::jail {

/// Between the end of what it was to start and its own.
inline constexpr std::chrono::milliseconds kEndGrace{500};

/// Plan::program, or the system's `name`. `product` is what people call it and `how_to_get_it` the remedy.
Result<std::string> find_other_program(const Plan& plan, const std::string& name, const std::string& product,
                                       const std::string& how_to_get_it);

/// For given_fd::kHandOver.
Result<UniqueFd> make_hand_over(const Plan& plan, const RestrictPlan& restrict);
/// For given_fd::kProgram.
Result<UniqueFd> open_jail_init();

/// Its stdout and stderr.
class Said {
  public:
    static Result<Said> make();
    /// The end that the program writes to.
    [[nodiscard]] int fd() const { return theirs_.get(); }
    /// When the program has its own copy.
    void close_theirs() { theirs_.reset(); }
    /// "; it said: …", printable and short; empty where it has said nothing.
    [[nodiscard]] std::string quote() const;

  private:
    explicit Said(std::pair<UniqueFd, UniqueFd> pipe)
        : ours_(std::move(pipe.first)), theirs_(std::move(pipe.second)) {}
    UniqueFd ours_;
    UniqueFd theirs_;
};

/// In the process that executes the program: these descriptors get the numbers from given_fd::kControl on,
/// and all others above 2 are closed. 0 or -errno. Async-signal-safe.
int arrange_descriptors(std::vector<int>& descriptors);
/// stdin is /dev/null, stdout and stderr are `said_fd`. As above.
int arrange_streams(int said_fd);

}  // namespace cellblock::jail
