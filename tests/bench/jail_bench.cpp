// The cost of a jail by itself: how long start() takes until our pid 1 is ready, /bin/true in it, and the
// end; beside them a bare spawn of /bin/true, and bubblewrap with one. All take turns, so that whatever else
// the machine does hits all alike. Prints all samples, in milliseconds, as JSON. Usage: jail_bench COUNT
// [LEVEL...]
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "jail/jail.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using cellblock::jail::Event;
using cellblock::jail::Jail;
using cellblock::jail::Level;
using cellblock::jail::Plan;

constexpr const char* kProgram = "/bin/true";
constexpr const char* kBubblewrap = "/usr/bin/bwrap";
constexpr int kExitTimeoutMs = 10'000;

/// By what was measured.
using Samples = std::map<std::string, std::vector<double>>;

double milliseconds_since(Clock::time_point began) {
    return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

[[noreturn]] void give_up(const std::string& why) {
    std::cerr << why << "\n";
    std::exit(1);
}

void run_program(Jail& jail) {
    cellblock::jail::Command command;
    command.argv = {kProgram};
    command.working_directory = "/";
    if (auto spawned = jail.spawn(command); !spawned) give_up(spawned.error().sentence());
    while (true) {
        pollfd entry{jail.event_fd(), POLLIN, 0};
        if (::poll(&entry, 1, kExitTimeoutMs) <= 0) give_up(std::string(kProgram) + " does not end");
        for (const Event& event : jail.take_events()) {
            if (event.kind == Event::Kind::worker_exited && event.exit.code == 0) return;
            give_up(std::string(kProgram) + " did not end well");
        }
    }
}

void measure_jail(Level level, Samples& samples) {
    const std::string name(to_text(level));
    Plan plan;
    plan.level = level;
    plan.name = "bench";
    const auto began = Clock::now();
    auto jail = Jail::start(plan);
    if (!jail) give_up(jail.error().sentence());
    samples[name + ": start"].push_back(milliseconds_since(began));
    run_program(**jail);
    const auto ending = Clock::now();
    jail->reset();
    samples[name + ": end"].push_back(milliseconds_since(ending));
    samples[name + ": start, /bin/true, end"].push_back(milliseconds_since(began));
}

void measure_process(std::vector<std::string> argv, const std::string& name, Samples& samples) {
    std::vector<char*> arguments;
    for (std::string& argument : argv) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const auto began = Clock::now();
    pid_t pid = 0;
    int status = 0;
    if (::posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), nullptr) != 0 ||
        ::waitpid(pid, &status, 0) != pid || status != 0)
        give_up(argv[0] + " failed");
    samples[name].push_back(milliseconds_since(began));
}

// The namespaces and the least of a view; no limits, no filter, no Landlock, no masks of /proc.
std::vector<std::string> bubblewrap() {
    return {kBubblewrap, "--unshare-all", "--ro-bind", "/usr", "/usr",      "--symlink", "usr/bin",
            "/bin",      "--symlink",     "usr/lib",   "/lib", "--symlink", "usr/lib64", "/lib64",
            "--proc",    "/proc",         "--dev",     "/dev", "--tmpfs",   "/tmp",      kProgram};
}

}  // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 0;
    std::vector<Level> levels;
    for (int i = 2; i < argc; ++i) {
        const auto level = cellblock::jail::parse_level(argv[i]);
        if (!level) give_up(level.error().sentence());
        levels.push_back(*level);
    }
    if (count < 1) {
        std::cerr << "usage: jail_bench COUNT [LEVEL...]\n";
        return 2;
    }
    if (levels.empty()) levels = {Level::full, Level::namespaced};
    const bool has_bubblewrap = ::access(kBubblewrap, X_OK) == 0;

    Samples samples;
    for (int i = 0; i < count; ++i) {
        for (const Level level : levels) measure_jail(level, samples);
        measure_process({kProgram}, "bare spawn of /bin/true", samples);
        if (has_bubblewrap) measure_process(bubblewrap(), "bubblewrap, /bin/true", samples);
    }

    std::cout << "{";
    for (auto entry = samples.begin(); entry != samples.end(); ++entry) {
        std::cout << (entry == samples.begin() ? "" : ", ") << "\"" << entry->first << "\": [";
        for (size_t i = 0; i < entry->second.size(); ++i) std::cout << (i ? ", " : "") << entry->second[i];
        std::cout << "]";
    }
    std::cout << "}\n";
    return 0;
}
