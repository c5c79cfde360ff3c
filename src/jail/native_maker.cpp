// The native backend's parent side: a clone of this process into new namespaces, where run_child() goes on.
#include "jail/native_maker.hpp"

#include <linux/sched.h>
#include <cstdlib>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/sys.hpp"
#include "jail/init_process.hpp"

namespace cellblock::jail {
namespace {

/// Fields 48 and 49 of /proc/self/stat, see proc(5): where this process's command line lies.
Result<std::pair<char*, size_t>> command_line() {
    const std::string stat = TRY(sys::read_file("/proc/self/stat", 4096));
    size_t at = stat.rfind(')');
    for (int field = 2; field < 48 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
    if (at == std::string::npos) return Error("read /proc/self/stat: unknown format");
    char* end = nullptr;
    const uintptr_t first = std::strtoull(stat.c_str() + at, &end, 10);
    const uintptr_t last = std::strtoull(end, nullptr, 10);
    if (first == 0 || last < first) return Error("read /proc/self/stat: no command line");
    return std::pair{reinterpret_cast<char*>(first), static_cast<size_t>(last - first)};
}

class NativeMaker final : public CloningMaker {
  public:
    explicit NativeMaker(ChildPlan plan) : CloningMaker(plan_), plan_(std::move(plan)) {}

    [[noreturn]] void run() override { run_child(plan_); }

  private:
    ChildPlan plan_;
};

}  // namespace

// New cgroup namespaces are made later, by the child itself, when it is in its cgroup.
uint64_t CloningMaker::namespaces() const {
    return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
}

void CloningMaker::connect(int control_fd, int report_fd) {
    child_.control_fd = control_fd;
    child_.report_fd = report_fd;
    child_.kept_fds.insert(child_.kept_fds.end(), {control_fd, report_fd});
    for (const UniqueFd& tree : child_.view.parent_fds) child_.kept_fds.push_back(tree.get());
    std::sort(child_.kept_fds.begin(), child_.kept_fds.end());
}

Result<void> CloningMaker::introduce(InitProcess& init) {
    if (!child_.identity.root_mode) return {};
    TRY(parent_step(Step::map_ids, child_.fault, write_id_maps(init.pid(), child_.identity)));
    return init.go();
}

Result<ViewHandles> CloningMaker::receive_view(InitProcess& init) {
    ViewHandles handles;
    if (const size_t sockets = child_.network.sockets.size(); sockets != 0) {
        handles.network = TRY(init.receive_descriptors(kDnsSockets));
        for (UniqueFd& socket : TRY(init.receive_descriptors(sockets - kDnsSockets)))
            handles.network.push_back(std::move(socket));
    }
    handles.contexts = TRY(init.receive_descriptors(child_.view.context_fds.size()));
    if (child_.view.has_changed_directory) {
        handles.changed_context = child_.view.changed_context;
        auto changes = TRY(init.receive_descriptors(1));
        handles.changes = std::move(changes.front());
    }
    handles.directories = TRY(init.receive_descriptors(std::size(kHandedOver)));
    return handles;
}

Result<ChildPlan> compile_child(const Plan& plan, const RestrictPlan& restrict, const Identity& identity) {
    ChildPlan child;
    static_cast<RestrictPlan&>(child) = restrict;
    child.identity = identity;
    child.uid_map = id_map_line(identity.inside_uid, identity.host_uid);
    child.gid_map = id_map_line(identity.inside_gid, identity.host_gid);
    child.name = plan.name;
    child.network = compile_network(plan);
    child.view = TRY(compile_view(plan, identity));
    child.writable_paths = child.view.writable_paths;
    std::tie(child.title, child.title_size) = TRY(command_line());
    return child;
}

Result<std::unique_ptr<Maker>> make_native(const Plan& plan, const RestrictPlan& restrict,
                                           const Identity& identity) {
    return std::unique_ptr<Maker>(new NativeMaker(TRY(compile_child(plan, restrict, identity))));
}

}  // namespace cellblock::jail
