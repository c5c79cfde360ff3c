// Maker: what differs between backends, which is how pid 1 of a jail comes to stand in its namespaces and its
// view. All else is the same for every backend: the cgroup, restrict_and_run(), the conversation with pid 1,
// the Jail.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/identity.hpp"
#include "jail/jail.hpp"
#include "jail/restrict.hpp"

namespace cellblock::jail {

class InitProcess;

/// What the child hands over of the network and the directories that it shows.
struct ViewHandles {
    std::vector<UniqueFd> network;          ///< as NetworkPlan::sockets
    std::vector<UniqueFd> contexts;         ///< of overlays
    std::optional<size_t> changed_context;  ///< which of them has an upper layer
    UniqueFd changes;                       ///< its directory
    std::vector<UniqueFd> directories;      ///< as kHandedOver
};

/// One jail's. Its functions are called once each, in this order.
class Maker {
  public:
    virtual ~Maker() = default;
    Maker(const Maker&) = delete;
    Maker& operator=(const Maker&) = delete;

    /// Processes that stay in the jail's cgroup beside pid 1 and what it runs.
    [[nodiscard]] virtual int helpers() const { return 0; }
    /// New ones, of the process that is cloned: flags as of clone(2).
    [[nodiscard]] virtual uint64_t namespaces() const = 0;
    /// Whether that is pid 1 itself; if not, it has the jail made by somebody else, and InitProcess::meet()
    /// finds pid 1.
    [[nodiscard]] virtual bool is_init() const { return true; }
    /// The child's ends of the conversation, both above 2. The last moment to prepare something.
    virtual void connect(int control_fd, int report_fd) = 0;
    /// In the cloned process. Async-signal-safe.
    [[noreturn]] virtual void run() = 0;
    /// Before the child learns that it may go on: it is not in its cgroup yet.
    virtual Result<void> introduce(InitProcess& init) = 0;
    /// It is. Ends when pid 1 stands in its view and goes on to restrict itself.
    virtual Result<ViewHandles> receive_view(InitProcess& init) = 0;

  protected:
    Maker() = default;
};

/// Of the plan's backend. Errors name a mount that cannot be, or a program that is missing.
Result<std::unique_ptr<Maker>> make_maker(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity);
Result<std::unique_ptr<Maker>> make_native(const Plan& plan, const RestrictPlan& restrict,
                                           const Identity& identity);
Result<std::unique_ptr<Maker>> make_bwrap(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity);
Result<std::unique_ptr<Maker>> make_runsc(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity);

/// An injected fault of a step that the parent takes.
Result<void> parent_step(Step step, const Fault& fault, Result<void> result);

}  // namespace cellblock::jail
