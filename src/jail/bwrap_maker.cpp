// The backend bwrap: a process that executes bubblewrap, which makes namespaces and view and then executes
// our jail-init in them. bubblewrap itself stays outside and waits for pid 1.
#include <linux/sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/sys.hpp"
#include "jail/bwrap_arguments.hpp"
#include "jail/child_socket.hpp"
#include "jail/hand_over.hpp"
#include "jail/init_process.hpp"
#include "jail/maker.hpp"
#include "jail/other_program.hpp"

namespace cellblock::jail {
namespace {

/// All that the cloned process needs; complete before the clone, as ChildPlan.
struct Launch {
    std::string program;
    std::vector<int> descriptors;  ///< in the order of given_fd and bwrap_fd
    int said_fd = -1;              ///< stdout and stderr
    Identity identity{};
    View view;                        ///< of which root's jails need the trees that the parent has opened
    std::vector<std::string> staged;  ///< for each tree: where it goes; empty: it is shown by its own path
    int control_fd = -1;
    int report_fd = -1;
    std::vector<int> kept_fds;  ///< sorted; everything else above 2 is closed first
    Fault fault;
};

int close_descriptors(Launch& launch, const char*& detail) {
    if (const int e = raw::close_all_but(launch.kept_fds.data(), launch.kept_fds.size()); e < 0) return e;
    detail = "leave the process group";
    if (const long e = raw::call(SYS_setsid); e < 0) return static_cast<int>(e);
    uint64_t no_signals = 0;
    raw::call(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof no_signals);
    detail = "standard streams";
    return arrange_streams(launch.said_fd);
}

int take_identity(Launch& launch, const char*& detail) {
    if (!launch.identity.root_mode) return 0;
    detail = "wait for the id map";
    if (const int e = await_go(launch.control_fd); e < 0) return e;
    return become_inside_user(launch.identity, detail);
}

int attach_staged(const HostTree& tree, const char* path) {
    if (tree.is_directory) {
        if (const int e = raw::make_directory(path, 0755); e < 0) return e;
    } else {
        const int fd = raw::open(path, O_CREAT | O_EXCL | O_WRONLY, 0444);
        if (fd < 0) return fd;
        raw::close(fd);
    }
    return raw::move_mount(tree.fd, path);
}

// Root's jails have a user who cannot look into root's directories, where environments often are. bubblewrap
// runs as that user, so what it is to bind must stand where it can go.
int stage_trees(Launch& launch, const char*& detail) {
    if (!launch.identity.root_mode) return 0;
    detail = "mount namespace";
    if (const long e = raw::call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr); e < 0)
        return static_cast<int>(e);
    if (const int e = open_host_trees(launch.view, detail); e < 0) return e;
    detail = kStaging;
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (const long e = raw::call(SYS_mount, "tmpfs", kStaging, "tmpfs", kFlags, "size=64k,mode=755"); e < 0)
        return static_cast<int>(e);
    for (size_t i = 0; i < launch.view.trees.size(); ++i) {
        if (launch.staged[i].empty()) continue;
        detail = launch.view.trees[i].source.c_str();
        if (const int e = attach_staged(launch.view.trees[i], launch.staged[i].c_str()); e < 0) return e;
    }
    return 0;
}

int execute(Launch& launch, const char*& detail) {
    detail = "wait for the limits";
    if (const int e = await_go(launch.control_fd); e < 0) return e;
    detail = "descriptors";
    if (const int e = arrange_descriptors(launch.descriptors); e < 0) return e;
    launch.report_fd = given_fd::kReport;
    // An injected fault must find nothing executed.
    if (launch.fault.error != 0 && launch.fault.step == Step::bubblewrap) return 0;
    detail = launch.program.c_str();
    // Options by a descriptor, since everybody on the host can read a command line; and no environment, which
    // could change what is executed (LD_PRELOAD).
    char* const arguments[] = {launch.program.data(), const_cast<char*>("--args"), const_cast<char*>("7"),
                               const_cast<char*>("/proc/self/fd/6"), nullptr};
    static_assert(bwrap_fd::kArguments == 7 && given_fd::kProgram == 6);
    char* const environment[] = {nullptr};
    return static_cast<int>(raw::call(SYS_execve, launch.program.c_str(), arguments, environment));
}

class BwrapMaker final : public Maker {
  public:
    BwrapMaker(Launch launch, std::vector<UniqueFd> given, Said said)
        : launch_(std::move(launch)), given_(std::move(given)), said_(std::move(said)) {
        launch_.said_fd = said_.fd();
    }

    int helpers() const override { return 1; }
    bool is_init() const override { return false; }
    // Root's jails have a user of their own, whose processes only the owner of a user namespace around them
    // has a say over (the soft memory limit changes limits of theirs). That must be us: bubblewrap's is made
    // by that user.
    uint64_t namespaces() const override {
        return launch_.identity.root_mode ? CLONE_NEWUSER | CLONE_NEWNS : 0;
    }

    void connect(int control_fd, int report_fd) override {
        launch_.control_fd = control_fd;
        launch_.report_fd = report_fd;
        launch_.descriptors = {control_fd, report_fd};
        for (const UniqueFd& fd : given_) launch_.descriptors.push_back(fd.get());
        launch_.kept_fds = launch_.descriptors;
        launch_.kept_fds.push_back(launch_.said_fd);
        for (const UniqueFd& tree : launch_.view.parent_fds) launch_.kept_fds.push_back(tree.get());
        std::sort(launch_.kept_fds.begin(), launch_.kept_fds.end());
    }

    [[noreturn]] void run() override {
        Setup setup(launch_);
        setup.step(Step::close_descriptors, close_descriptors);
        setup.step(Step::take_identity, take_identity);
        setup.step(Step::open_host_trees, stage_trees);
        setup.step(Step::bubblewrap, execute);
        raw::exit_process(1);
    }

    Result<void> introduce(InitProcess& init) override {
        given_.clear();
        said_.close_theirs();
        if (!launch_.identity.root_mode) return {};
        TRY(parent_step(Step::map_ids, launch_.fault, write_id_maps(init.cloned_pid(), launch_.identity)));
        return init.go();
    }

    Result<ViewHandles> receive_view(InitProcess& init) override {
        ViewHandles handles;
        auto directories = init.meet(std::size(kHandedOver));
        if (!directories && !init.has_report()) return why(init, std::move(directories).error());
        handles.directories = TRY(std::move(directories));
        TRY(init.go());
        return handles;
    }

  private:
    /// Of a bubblewrap that did not come as far as jail-init.
    Error why(InitProcess& init, const Error& error) {
        std::string text = "make the jail with bubblewrap (" + launch_.program + "): ";
        if (init.ended(kEndGrace))
            text += "it ended without a jail";
        else if (error.error_number() == ETIMEDOUT)
            text += "there is none within " + std::to_string(kSetupTimeout.count()) + " s";
        else
            text += error.what();
        const std::string said = said_.quote();
        Error full(text + said);
        // The sentences of bubblewrap for a kernel that refuses.
        if (said.find("namespace") != std::string::npos || said.find("uid map") != std::string::npos)
            return std::move(full).with_remedy(step_error(Step::clone, EPERM, "").remedy());
        return std::move(full).with_remedy(
            "bubblewrap 0.8 or later is needed; \"cellblock doctor\" tries it.");
    }

    Launch launch_;
    std::vector<UniqueFd> given_;
    Said said_;
};

std::string joined(const std::vector<std::string>& options) {
    std::string text;
    for (const std::string& option : options) text.append(option.c_str(), option.size() + 1);
    return text;
}

}  // namespace

Result<std::unique_ptr<Maker>> make_bwrap(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity) {
    Launch launch;
    launch.program = TRY(
        find_other_program(plan, "bwrap", "bubblewrap",
                           "Install it (the package is called bubblewrap), or choose the backend native."));
    launch.identity = identity;
    launch.fault = restrict.fault;
    launch.view = TRY(compile_view(plan, identity));
    for (size_t i = 0; i < launch.view.trees.size(); ++i)
        launch.staged.push_back(launch.view.trees[i].fd >= 0 ? staged_path(i) : "");

    const BwrapArguments arguments = TRY(bwrap_arguments(plan, identity, launch.view));
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(TRY(make_hand_over(plan, restrict)));
    descriptors.push_back(TRY(open_jail_init()));
    descriptors.push_back(TRY(sys::in_memory(joined(arguments.options))));
    for (const std::string& text : arguments.texts) descriptors.push_back(TRY(sys::in_memory(text)));
    Said said = TRY(Said::make());
    return std::unique_ptr<Maker>(new BwrapMaker(std::move(launch), std::move(descriptors), std::move(said)));
}

}  // namespace cellblock::jail
