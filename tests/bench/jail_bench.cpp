// The cost of a jail by itself: how long start() takes until our pid 1 is ready, how long the end takes, and
// beside them a bare fork and exec. Prints all samples, in milliseconds, as JSON. Usage: jail_bench COUNT
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "jail/jail.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using cellblock::jail::Jail;
using cellblock::jail::Level;
using cellblock::jail::Plan;

double milliseconds_since(Clock::time_point began) {
    return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

struct Samples {
    std::string name;
    std::vector<double> values;
};

std::vector<Samples> measure_jails(Level level, const std::string& name, int count) {
    Samples start{name + ": start", {}};
    Samples end{name + ": end", {}};
    for (int i = 0; i < count; ++i) {
        Plan plan;
        plan.level = level;
        plan.name = "bench";
        const auto began = Clock::now();
        auto jail = Jail::start(plan);
        if (!jail) {
            std::cerr << jail.error().sentence() << "\n";
            std::exit(1);
        }
        start.values.push_back(milliseconds_since(began));
        const auto ending = Clock::now();
        jail->reset();
        end.values.push_back(milliseconds_since(ending));
    }
    return {start, end};
}

Samples measure_bare_process(int count) {
    Samples samples{"bare posix_spawn of /bin/true", {}};
    for (int i = 0; i < count; ++i) {
        const auto began = Clock::now();
        pid_t pid = 0;
        std::string program = "/bin/true";
        char* const argv[] = {program.data(), nullptr};
        if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv, nullptr) != 0) std::exit(1);
        ::waitpid(pid, nullptr, 0);
        samples.values.push_back(milliseconds_since(began));
    }
    return samples;
}

}  // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 0;
    if (count < 1) {
        std::cerr << "usage: jail_bench COUNT\n";
        return 2;
    }
    std::vector<Samples> all = measure_jails(Level::full, "full", count);
    for (Samples& samples : measure_jails(Level::namespaced, "namespaced", count))
        all.push_back(std::move(samples));
    all.push_back(measure_bare_process(count));

    std::cout << "{";
    for (size_t i = 0; i < all.size(); ++i) {
        std::cout << (i ? ", " : "") << "\"" << all[i].name << "\": [";
        for (size_t j = 0; j < all[i].values.size(); ++j) std::cout << (j ? ", " : "") << all[i].values[j];
        std::cout << "]";
    }
    std::cout << "}\n";
    return 0;
}
