// The backend bwrap: a process that executes bubblewrap, which makes namespaces and view and then executes
// our jail-init in them. bubblewrap itself stays outside, waits for pid 1, and is taken for what it is: a
// program that may be missing, refuse, hang, or be something else.
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/installation.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "jail/bwrap_arguments.hpp"
#include "jail/bwrap_hand_over.hpp"
#include "jail/child_socket.hpp"
#include "jail/init_process.hpp"
#include "jail/maker.hpp"
#include "jail/system_program.hpp"

namespace cellblock::jail {
namespace {

// What it says before it gives up is a line or two.
constexpr size_t kMaxSaid = 600;
// Where descriptors wait until all numbers that they are to have are free: above those.
constexpr int kParking = 128;
// Between the end of what it was to start and its own.
constexpr std::chrono::milliseconds kEndGrace{500};

Result<std::string> find_bwrap(const Plan& plan) {
    if (!plan.bubblewrap.empty()) return plan.bubblewrap;
    auto found = find_system_program("bwrap");
    if (found) return found;
    return std::move(found)
        .error()
        .context("find bubblewrap, which the isolation backend bwrap needs")
        .with_remedy("Install it (the package is called bubblewrap), or choose the backend native.");
}

Result<UniqueFd> open_jail_init() {
    auto program = sys::open(TRY(installation_root()) + "/libexec/cellblock/jail-init", O_RDONLY);
    if (!program) return std::move(program).error().with_remedy("Install Cellblock again.");
    return program;
}

/// All that the cloned process needs; complete before the clone, as ChildPlan.
struct Launch {
    std::string program;
    std::vector<int> descriptors;  ///< in the order of bwrap_fd
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
    const int null = raw::open("/dev/null", O_RDONLY);
    if (null < 0) return null;
    if (const int e = raw::move_descriptor(null, 0, 0); e < 0) return e;
    for (const int stream : {1, 2})
        if (const int e = raw::move_descriptor(launch.said_fd, stream, 0); e < 0) return e;
    return 0;
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
    for (int& fd : launch.descriptors) {
        const long parked = raw::call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, kParking);
        if (parked < 0) return static_cast<int>(parked);
        fd = static_cast<int>(parked);
    }
    int number = bwrap_fd::kControl;
    for (const int fd : launch.descriptors)
        if (const int e = raw::move_descriptor(fd, number++, 0); e < 0) return e;
    launch.report_fd = bwrap_fd::kReport;
    if (const int e = raw::close_range(static_cast<unsigned>(number), ~0U); e < 0) return e;
    // An injected fault must find nothing executed.
    if (launch.fault.error != 0 && launch.fault.step == Step::bubblewrap) return 0;
    detail = launch.program.c_str();
    // Options by a descriptor, since everybody on the host can read a command line; and no environment, which
    // could change what is executed (LD_PRELOAD).
    char* const arguments[] = {launch.program.data(), const_cast<char*>("--args"), const_cast<char*>("7"),
                               const_cast<char*>("/proc/self/fd/6"), nullptr};
    static_assert(bwrap_fd::kArguments == 7 && bwrap_fd::kProgram == 6);
    char* const environment[] = {nullptr};
    return static_cast<int>(raw::call(SYS_execve, launch.program.c_str(), arguments, environment));
}

class BwrapMaker final : public Maker {
  public:
    BwrapMaker(Launch launch, std::vector<UniqueFd> given, std::pair<UniqueFd, UniqueFd> said)
        : launch_(std::move(launch)), given_(std::move(given)), said_(std::move(said)) {
        launch_.said_fd = said_.second.get();
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
        said_.second.reset();
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
        if (init.maker_ended(kEndGrace))
            text += "it ended without a jail";
        else if (error.error_number() == ETIMEDOUT)
            text += "there is none within " + std::to_string(kSetupTimeout.count()) + " s";
        else
            text += error.what();
        const std::string said = what_it_said();
        if (!said.empty()) text += "; it said: " + said;
        Error full(std::move(text));
        // The sentences of bubblewrap for a kernel that refuses.
        if (said.find("namespace") != std::string::npos || said.find("uid map") != std::string::npos)
            return std::move(full).with_remedy(step_error(Step::clone, EPERM, "").remedy());
        return std::move(full).with_remedy(
            "bubblewrap 0.8 or later is needed; \"cellblock doctor\" tries it.");
    }

    std::string what_it_said() {
        pollfd entry{said_.first.get(), POLLIN, 0};
        char text[kMaxSaid];
        if (::poll(&entry, 1, 0) <= 0) return "";
        const ssize_t n = ::read(said_.first.get(), text, sizeof text);
        if (n <= 0) return "";
        std::string said(text, static_cast<size_t>(n));
        said.erase(said.find_last_not_of(" \n") + 1);
        return printable(said);
    }

    Launch launch_;
    std::vector<UniqueFd> given_;
    std::pair<UniqueFd, UniqueFd> said_;  ///< a pipe: stdout and stderr of bubblewrap
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
    launch.program = TRY(find_bwrap(plan));
    launch.identity = identity;
    launch.fault = restrict.fault;
    launch.view = TRY(compile_view(plan, identity));
    for (size_t i = 0; i < launch.view.trees.size(); ++i)
        launch.staged.push_back(launch.view.trees[i].fd >= 0 ? staged_path(i) : "");

    HandOver given;
    given.level = restrict.level;
    given.landlock = restrict.landlock;
    given.limits = plan.limits;
    given.host_root_device = restrict.host_root_device;
    given.host_root_inode = restrict.host_root_inode;
    given.parent_pid = restrict.parent_pid;
    given.fault = restrict.fault;
    const BwrapArguments arguments = TRY(bwrap_arguments(plan, identity, launch.view));
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(TRY(sys::in_memory({reinterpret_cast<const char*>(&given), sizeof given})));
    descriptors.push_back(TRY(open_jail_init()));
    descriptors.push_back(TRY(sys::in_memory(joined(arguments.options))));
    for (const std::string& text : arguments.texts) descriptors.push_back(TRY(sys::in_memory(text)));
    CHECK(bwrap_fd::kHandOver + descriptors.size() < static_cast<size_t>(kParking));
    auto said = TRY(sys::pipe());
    return std::unique_ptr<Maker>(new BwrapMaker(std::move(launch), std::move(descriptors), std::move(said)));
}

}  // namespace cellblock::jail
