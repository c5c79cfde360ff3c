// The backend runsc: gVisor in the namespaces and the view of a native jail, and jail-init in gVisor. Its
// parent side is that of the native backend; pid 1 of the namespaces watches gVisor, and pid 1 inside gVisor
// is whom the kernel process speaks with.
#include <fcntl.h>

#include <array>

#include "base/sys.hpp"
#include "jail/init_process.hpp"
#include "jail/native_maker.hpp"
#include "jail/other_program.hpp"
#include "jail/policy/limits.hpp"
#include "jail/runsc_child.hpp"
#include "jail/runsc_config.hpp"

namespace cellblock::jail {
namespace {

// A start takes half a second on a quiet machine; eight were seen on a busy one.
constexpr std::chrono::seconds kGvisorTimeout{30};

class RunscMaker final : public CloningMaker {
  public:
    /// `given`: the HandOver, runsc, jail-init.
    RunscMaker(RunscPlan child, std::string program, int helpers, std::array<UniqueFd, 3> given, Said said)
        : CloningMaker(plan_),
          plan_(std::move(child)),
          program_(std::move(program)),
          helpers_(helpers),
          given_(std::move(given)),
          said_(std::move(said)) {}

    int helpers() const override { return helpers_; }

    void connect(int control_fd, int report_fd) override {
        plan_.said_fd = said_.fd();
        plan_.given_fds = {control_fd, report_fd, given_[0].get(), given_[1].get()};
        plan_.jail_init_fd = given_[2].get();
        plan_.kept_fds.push_back(plan_.said_fd);
        for (const UniqueFd& fd : given_) plan_.kept_fds.push_back(fd.get());
        CloningMaker::connect(control_fd, report_fd);
    }

    [[noreturn]] void run() override { run_runsc_child(plan_); }

    Result<void> introduce(InitProcess& init) override {
        given_ = {};
        said_.close_theirs();
        return CloningMaker::introduce(init);
    }

    Result<ViewHandles> receive_view(InitProcess& init) override {
        ViewHandles handles = TRY(CloningMaker::receive_view(init));
        if (!init.report_comes(kGvisorTimeout)) return why(init);
        return handles;
    }

  private:
    /// There is no word of jail-init.
    Error why(InitProcess& init) {
        std::string text = "have gVisor run the jail (" + program_ + "): ";
        if (init.ended(kEndGrace))
            text += "it ended without a jail";
        else
            text += "there is none within " + std::to_string(kGvisorTimeout.count()) + " s";
        return std::move(Error(text + said_.quote()))
            .with_remedy("A gVisor of 2024 or later is needed; \"cellblock doctor\" tries it.");
    }

    RunscPlan plan_;
    const std::string program_;
    const int helpers_;
    std::array<UniqueFd, 3> given_;
    Said said_;
};

/// Of which the jail's interface is gVisor's, so that there is nothing to do in the namespace around it.
Plan without_network(Plan plan) {
    plan.network = Network::none;
    return plan;
}

}  // namespace

Result<std::unique_ptr<Maker>> make_runsc(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity) {
    std::string program =
        TRY(find_other_program(plan, "runsc", "gVisor",
                               "Install it (https://gvisor.dev/docs/user_guide/install/; with Go: sudo env "
                               "GOBIN=/usr/local/bin CGO_ENABLED=0 "
                               "go install gvisor.dev/gvisor/runsc@latest), or choose the backend native."));
    RunscPlan child;
    static_cast<ChildPlan&>(child) = TRY(compile_child(without_network(plan), restrict, identity));
    child.config = runsc_config(plan, identity, child.view);
    child.network_option = runsc_network(plan.network);
    child.host_limits = policy::gvisor_limits(plan.limits);
    std::array<UniqueFd, 3> given;
    given[0] = TRY(make_hand_over(plan, restrict));
    given[1] = TRY(sys::open(program, O_RDONLY));
    given[2] = TRY(open_jail_init());
    Said said = TRY(Said::make());
    return std::unique_ptr<Maker>(new RunscMaker(std::move(child), std::move(program),
                                                 policy::host_tasks(plan.limits) - plan.limits.processes,
                                                 std::move(given), std::move(said)));
}

}  // namespace cellblock::jail
