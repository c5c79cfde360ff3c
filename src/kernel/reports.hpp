// What the kernel tells its operator about its life and its requests (docs/diagnostics.md). Any thread.
#pragma once

#include <chrono>
#include <vector>

#include "kernel/replies.hpp"
#include "network/reports.hpp"
#include "session/session.hpp"

namespace cellblock::kernel {

void report_start(const session::Isolation& isolation, const ProfileInForce& profile);
void report_failed_interpreter(const Error& error);
void report_lost_interpreter();
/// A request that the worker answered has ended.
void report_end(const protocol::Request& request, jail::Verdict verdict, std::chrono::nanoseconds took);
/// Each row of the policy is named at most once.
void report_refused_calls(const protocol::Request& request, const std::vector<jail::Denial>& denials);
/// What was refused is a warning, what went through is for who looks closely.
void report_network(const std::vector<network::Report>& reports);
void report_end_of_kernel(bool restart);

}  // namespace cellblock::kernel
