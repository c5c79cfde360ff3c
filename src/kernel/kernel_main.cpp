// Process-level matters: signals, the parent, the order of construction and destruction.
#include "kernel/kernel_main.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "base/sys.hpp"
#include "kernel/kernel.hpp"

namespace cellblock::kernel {
namespace {

using observe::Severity;

constexpr std::array kSignals{SIGTERM, SIGINT, SIGHUP};

// Before any thread exists, so that all of them inherit it: signals are read, never delivered.
void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kSignals) sigaddset(&set, signal);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

// Anybody who can connect costs a descriptor; the soft limit of 1024 is for programs that use select(2).
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void on_signal(int signal_fd, Kernel& kernel) {
    signalfd_siginfo info{};
    while (::read(signal_fd, &info, sizeof info) == sizeof info) {
        // Front ends that do not send interrupt_request send SIGINT to the kernel's process group.
        if (info.ssi_signo == SIGINT)
            kernel.interrupt();
        else
            kernel.terminate();
    }
}

// jupyter_client sets JPY_PARENT_PID: a kernel must not outlive the server that started it.
Result<UniqueFd> open_parent() {
    const char* text = std::getenv("JPY_PARENT_PID");
    pid_t parent = 0;
    if (!text || std::from_chars(text, text + std::strlen(text), parent).ec != std::errc{} || parent <= 1)
        return UniqueFd();
    return sys::pidfd_open(parent);
}

// Servers name the file kernel-ID.json.
std::string kernel_id(const std::string& connection_file) {
    const std::string name = std::filesystem::path(connection_file).stem();
    constexpr std::string_view kPrefix = "kernel-";
    return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

Result<int> serve(const KernelOptions& options) {
    const auto connection = TRY(protocol::read_connection_file(options.connection_file));
    session::Config config = TRY(session::make_config(options.launch));
    if (config.audit) {
        config.audit->kernel = kernel_id(options.connection_file);
        config.audit->profile = options.profile.digest;
    }
    const UniqueFd signals = TRY(sys::signal_fd(kSignals));
    const UniqueFd parent = TRY(open_parent());
    // The loop outlives everything that is registered with it.
    const auto loop = TRY(EventLoop::create());
    auto created = Kernel::create(connection, std::move(config), options.profile, *loop);
    if (!created) return std::move(created).error().context("start a kernel for " + options.connection_file);
    const auto kernel = *std::move(created);
    loop->watch(signals.get(), EPOLLIN, [&](uint32_t) { on_signal(signals.get(), *kernel); });
    if (parent.valid()) {
        loop->watch(parent.get(), EPOLLIN, [&](uint32_t) {
            loop->unwatch(parent.get());
            kernel->terminate();
        });
    }
    return kernel->run();
}

}  // namespace

int run_kernel(const KernelOptions& options) {
    block_signals();
    raise_descriptor_limit();
    // xeus greets on std::clog; a kernel's stderr is for what went wrong.
    std::clog.rdbuf(nullptr);
    observe::DiagnosticsOptions diagnostics = options.diagnostics;
    diagnostics.kernel = kernel_id(options.connection_file);
    observe::start_diagnostics(diagnostics);
    for (const std::string& sentence : options.ignored)
        observe::report(Severity::warning, "setting_ignored", sentence);
    // A seam for exceptions: those of libraries (ZeroMQ, xeus) end here.
    auto status = [&]() -> Result<int> {
        try {
            return serve(options);
        } catch (const std::exception& error) {
            return Error(std::string("run the kernel: ") + error.what());
        }
    }();
    if (!status) observe::report(Severity::error, "kernel_failed", status.error().sentence());
    observe::end_diagnostics();
    return status ? *status : 1;
}

}  // namespace cellblock::kernel
