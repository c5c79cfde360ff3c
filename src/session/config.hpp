// What a session is started with.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "jail/jail.hpp"
#include "network/broker.hpp"
#include "session/audit.hpp"
#include "session/background.hpp"
#include "session/changed_files.hpp"

namespace cellblock::session {

struct Config {
    /// Makes jails; another backend, or a test's, stands in here.
    std::function<Result<std::unique_ptr<jail::Jail>>(const jail::Plan&)> start_jail = jail::Jail::start;
    jail::Plan plan;
    jail::Command command;  ///< descriptors are filled in by the session
    /// Of a plan with Network::allow. Whom it reports to is filled in by the session.
    network::BrokerOptions broker;
    std::string worker_digest;
    /// Zero: no limit. While a cell waits for input() only the CPU time that it uses all the same counts.
    std::chrono::milliseconds wall_time{0};
    /// CPU time of a cell and of everything that runs in the jail beside it. Zero: no limit.
    std::chrono::milliseconds cpu_time{0};
    /// What becomes of processes that outlive their cell.
    Background background = Background::keep;
    /// From the interrupt at one of these limits to the kill.
    std::chrono::milliseconds wall_time_grace{2000};
    /// What one cell may put into the notebook, so that front ends can still show it. Zero: no limit.
    Bytes output_limit{0};
    /// Where what cells write beside the notebook is kept; needs a copy_on_write mount in the plan.
    std::optional<ChangedFiles::Options> changed_files;
    /// What to do when a cell cannot write beside the notebook; empty: it can, or there is nothing to do.
    std::string write_beside_hint;
    /// Nothing: no audit log is written.
    std::optional<AuditConfig> audit;
    /// What a person does to raise the limit with this option, e.g. "reinstall the kernel with a larger
    /// --memory".
    std::function<std::string(std::string_view option)> how_to_raise = [](std::string_view option) {
        return "raise " + std::string(option);
    };
};

}  // namespace cellblock::session
