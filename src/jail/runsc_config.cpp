// The view is made already; what is left to say is who runs in it, and what of it takes writes.
#include "jail/runsc_config.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/check.hpp"

namespace cellblock::jail {
namespace {

using nlohmann::json;

json bind(const std::string& source, const std::string& path, const char* access) {
    return {{"destination", path},
            {"type", "bind"},
            {"source", source},
            {"options", {"rbind", access, "nosuid", "nodev"}}};
}

bool takes_writes(const View& view, const ViewStep& step) {
    switch (step.kind) {
        case ViewStep::Kind::scratch:
        case ViewStep::Kind::shared_memory:
        case ViewStep::Kind::changed_directory:
            return true;
        default:
            return step.tree >= 0 && view.trees[static_cast<size_t>(step.tree)].is_writable;
    }
}

json mounts_of(const View& view) {
    json mounts = json::array();
    mounts.push_back(
        {{"destination", "/proc"}, {"type", "proc"}, {"options", {"nosuid", "nodev", "noexec"}}});
    // gVisor's own has less, and says so of its kernel and not of the view.
    mounts.push_back(bind("/sys", "/sys", "ro"));
    mounts.push_back(bind(kShownPlace, kGvisorPlace, "ro"));
    std::vector<std::string> written;
    for (const auto* steps : {&view.base, &view.environment})
        for (const ViewStep& step : *steps) {
            const bool lies_below = std::ranges::any_of(
                written, [&](const std::string& path) { return step.path.starts_with(path + "/"); });
            if (takes_writes(view, step)) {
                mounts.push_back(bind(step.path, step.path, "rw"));
                written.push_back(step.path);
            } else if (lies_below && step.tree >= 0) {
                // Linux keeps it read-only in any case; here gVisor's kernel knows it, too.
                mounts.push_back(bind(step.path, step.path, "ro"));
            }
        }
    return mounts;
}

}  // namespace

std::string runsc_network(Network network) {
    CHECK(network != Network::allow);
    // What gVisor calls "none" has a loopback interface. "sandbox" has what is up in the namespace that
    // gVisor makes for itself: nothing.
    return network == Network::none ? "--network=sandbox" : "--network=none";
}

std::string runsc_config(const Plan& plan, const Identity& identity, const View& view) {
    const auto same = [](unsigned id) {
        return json::array({{{"containerID", id}, {"hostID", id}, {"size", 1}}});
    };
    json namespaces = json::array();
    for (const char* type : {"user", "mount", "pid", "network", "ipc", "uts"})
        namespaces.push_back({{"type", type}});
    const json config = {{"ociVersion", "1.0.0"},
                         {"hostname", plan.name},
                         {"root", {{"path", kRootForGvisor}, {"readonly", true}}},
                         {"mounts", mounts_of(view)},
                         {"process",
                          {{"args", {kJailInitInside}},
                           {"env", json::array()},
                           {"cwd", "/"},
                           {"user", {{"uid", identity.inside_uid}, {"gid", identity.inside_gid}}},
                           {"capabilities", json::object()},
                           {"noNewPrivileges", true}}},
                         {"linux",
                          {{"namespaces", namespaces},
                           {"uidMappings", same(identity.inside_uid)},
                           {"gidMappings", same(identity.inside_gid)}}}};
    return config.dump();
}

}  // namespace cellblock::jail
