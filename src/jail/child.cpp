// The page to read first about the jail: namespaces and view, as the native backend makes them; restrict.cpp
// goes on from there. Steps are in the order that the kernel's rules force; each comment says why here and
// not elsewhere. Async-signal-safe throughout: see ChildPlan.
#include "jail/child.hpp"

#include <sys/prctl.h>

#include "jail/child_socket.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

int close_descriptors(ChildPlan& plan, const char*&) {
    return raw::close_all_but(plan.kept_fds.data(), plan.kept_fds.size());
}

int take_identity(ChildPlan& plan, const char*& detail) {
    // The files of a process that cannot be dumped belong to root, who does not exist in here.
    raw::call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (plan.identity.root_mode) {
        detail = "wait for the id map";
        if (const int e = await_go(plan.control_fd); e < 0) return e;
    } else {
        detail = "setgroups";
        if (const int e = raw::write_text("/proc/self/setgroups", "deny", 4); e < 0) return e;
        detail = "gid_map";
        if (const int e = raw::write_text("/proc/self/gid_map", plan.gid_map.data(), plan.gid_map.size());
            e < 0)
            return e;
        detail = "uid_map";
        if (const int e = raw::write_text("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size());
            e < 0)
            return e;
    }
    if (const int e = become_inside_user(plan.identity, detail); e < 0) return e;
    // No PR_SET_PDEATHSIG: it follows the thread that cloned us, and the kernel process may end that one at
    // any time. The control socket follows the process: its end ends us (init.cpp).
    raw::call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0,
              0);  // Changing the uid cleared it; /proc/self is still needed.
    raw::call(SYS_umask, 0);
    return 0;
}

int set_host_name(ChildPlan& plan, const char*&) {
    return static_cast<int>(raw::call(SYS_sethostname, plan.name.c_str(), plan.name.size()));
}

int make_mounts_private(ChildPlan&, const char*&) {
    return static_cast<int>(raw::call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

int show_directories(ChildPlan& plan, const char*& detail) {
    if (const int e = show_environment(plan.view, detail); e < 0) return e;
    detail = "hand over";
    if (const int e =
            send_descriptors(plan.control_fd, plan.view.context_fds.data(), plan.view.context_fds.size());
        e < 0)
        return e;
    for (const int fd : plan.view.context_fds) raw::close(fd);
    if (plan.view.has_changed_directory) {
        const int e = send_descriptors(plan.control_fd, &plan.view.changes_fd, 1);
        raw::close(plan.view.changes_fd);
        if (e < 0) return e;
    }
    return hand_over_directories(plan, detail);
}

}  // namespace

void make_view(ChildPlan& plan) {
    Setup setup(plan);
    setup.step(Step::close_descriptors, close_descriptors);
    setup.step(Step::take_identity, take_identity);
    setup.step(Step::new_session, new_session);
    setup.step(Step::host_name, set_host_name);
    setup.step(Step::loopback, [](ChildPlan& p, const char*&) { return bring_up_loopback(p.network); });
    // While we may route, and bind ports below 1024.
    setup.step(Step::allowed_names, [](ChildPlan& p, const char*& detail) {
        return hand_over_network(p.network, p.control_fd, detail);
    });
    setup.step(Step::private_mounts, make_mounts_private);
    setup.step(Step::open_host_trees,
               [](ChildPlan& p, const char*& detail) { return open_host_trees(p.view, detail); });
    setup.step(Step::process_view,
               [](ChildPlan& p, const char*& detail) { return open_process_view(p.view, detail); });
    setup.step(Step::new_root,
               [](ChildPlan& p, const char*& detail) { return enter_new_root(p.view, detail); });
    setup.step(Step::base_view, [](ChildPlan& p, const char*& detail) { return build_base(p.view, detail); });
    setup.step(Step::environment_mounts, show_directories);
    setup.step(Step::old_root, [](ChildPlan&, const char*& detail) { return leave_old_root(detail); });
}

void run_child(ChildPlan& plan) {
    make_view(plan);
    Setup setup(plan);
    // Before /proc/sys becomes read-only, and while we still have capabilities.
    setup.step(Step::namespace_quota,
               [](ChildPlan&, const char*& detail) { return forbid_namespaces(detail); });
    setup.step(Step::process_masks, [](ChildPlan&, const char*& detail) { return mask_processes(detail); });
    setup.step(Step::read_only_root,
               [](ChildPlan&, const char*& detail) { return make_root_read_only(detail); });
    // From the jail's own /dev: a descriptor of the host's would be a way to look at the host's mount.
    setup.step(Step::standard_streams, detach_standard_streams);
    restrict_and_run(plan);
}

}  // namespace cellblock::jail
