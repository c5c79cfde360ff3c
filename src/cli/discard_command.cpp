// `cellblock discard`: forgets what cells have changed.
#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/chosen_changes.hpp"

namespace cellblock::cli {
namespace {

Result<int> discard(const ChangesOptions& options, const Context& context) {
    changes::Set set = TRY(open_one(options, context));
    if (set.is_running())
        return Error("discard the changes " + set.id() + ": their kernel still runs, and its cells see them")
            .with_remedy("Shut the kernel down first.");
    const size_t count = set.changes().size();
    TRY(set.remove());
    context.out << "Discarded " << set.id() << ", " << count << (count == 1 ? " change.\n" : " changes.\n");
    return 0;
}

}  // namespace

Action declare_discard(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock discard                       of this directory\n"
        "  cellblock discard --changes ID          as \"cellblock diff --list\" names them");
    auto options = std::make_shared<ChangesOptions>();
    declare_changes_options(app, *options);
    return [options, &context]() { return discard(*options, context); };
}

}  // namespace cellblock::cli
