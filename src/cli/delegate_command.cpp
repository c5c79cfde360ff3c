// `cellblock delegate`: an administrator gives a user cgroups, for hosts where systemd does not.
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/commands.hpp"
#include "jail/cgroup.hpp"

namespace cellblock::cli {
namespace {

Result<int> delegate(const std::string& user, const Context& context) {
    if (::geteuid() != 0)
        return Error("give cgroups to " + user + ": only root may")
            .with_remedy("Run sudo " + context.program + " delegate " + user + ".");
    const passwd* entry = ::getpwnam(user.c_str());
    if (!entry) return Error("there is no user " + user);
    TRY(jail::delegate_cgroups(entry->pw_uid, entry->pw_gid));
    context.out << "Kernels of " << user << " can have hard limits now, until the next boot.\n";
    return 0;
}

}  // namespace

Action declare_delegate(CLI::App& app, const Context& context) {
    app.footer(
        "Needed where \"cellblock doctor\" says so: hosts whose systemd does not delegate cgroups to users.");
    auto user = std::make_shared<std::string>();
    app.add_option("USER", *user, "name of the user")->required()->type_name("USER");
    return [user, &context] { return delegate(*user, context); };
}

}  // namespace cellblock::cli
