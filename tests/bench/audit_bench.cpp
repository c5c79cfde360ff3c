// The cost of the audit log by itself: appends with each policy of syncing, in milliseconds, and the check of
// a log of COUNT records, in seconds. Prints all samples as JSON. Usage: audit_bench APPENDS COUNT DIRECTORY
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "observe/log.hpp"
#include "observe/verify.hpp"

namespace {

using namespace cellblock::observe;
using Clock = std::chrono::steady_clock;

template <class T>
T or_exit(cellblock::Result<T> result) {
    if (result) return std::move(result).value();
    std::cerr << result.error().sentence() << "\n";
    std::exit(1);
}

double seconds_since(Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
}

// About as large as the record of a cell's end.
Entry cell_end(int number) {
    Entry entry{"cell_end", {}};
    entry.members.text("kernel", "2b0bb6a8-7d8d-4bd2-8d3c-2f6f2f4c0c11").integer("cell", number);
    entry.members.text("notebook", "/home/user/project/analysis.ipynb")
        .text("user", "user")
        .text("verdict", "ok");
    entry.members.integer("wall_us", 1234).integer("cpu_us", 1234).integer("memory_peak", 123456789);
    entry.members.integer("outputs", 1).integer("output_bytes", 100).hash("outputs_sha256", Hash{});
    return entry;
}

// What a cell costs: the record of its start and that of its end.
std::vector<double> measure_cells(const std::string& directory, Sync sync, int count) {
    const auto log = or_exit(Log::open({directory, "", sync}));
    std::vector<double> samples;
    for (int i = 0; i < count; ++i) {
        const auto began = Clock::now();
        const Entry start = cell_end(i);
        or_exit(log->append(std::span(&start, 1), Barrier::none));
        const Entry end = cell_end(i);
        or_exit(log->append(std::span(&end, 1), sync == Sync::interval ? Barrier::none : Barrier::cell));
        samples.push_back(seconds_since(began) * 1000);
    }
    return samples;
}

double measure_verification(const std::string& directory, int count) {
    constexpr int kBatch = 100;
    const auto log = or_exit(Log::open({directory, "", Sync::interval}));
    std::vector<Entry> entries;
    for (int i = 0; i < kBatch; ++i) entries.push_back(cell_end(i));
    for (int i = 0; i < count; i += kBatch) or_exit(log->append(entries, Barrier::none));
    const auto began = Clock::now();
    const VerifyReport report = or_exit(verify(directory, {}));
    if (!report.ok() || report.records < static_cast<uint64_t>(count)) std::exit(1);
    return seconds_since(began);
}

void print(const std::string& name, const std::vector<double>& samples) {
    std::cout << "\"" << name << "\": [";
    for (size_t i = 0; i < samples.size(); ++i) std::cout << (i ? ", " : "") << samples[i];
    std::cout << "]";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: audit_bench APPENDS COUNT DIRECTORY\n";
        return 2;
    }
    const int cells = std::atoi(argv[1]);
    const int count = std::atoi(argv[2]);
    const std::string directory = argv[3];
    std::cout << "{\"cells\": {";
    for (const Sync sync : {Sync::interval, Sync::cell, Sync::each}) {
        const std::string name(to_text(sync));
        if (sync != Sync::interval) std::cout << ", ";
        print("records of a cell, sync " + name, measure_cells(directory + "/" + name, sync, cells));
    }
    std::cout << "}, \"records\": " << count
              << ", \"verify_seconds\": " << measure_verification(directory + "/large", count) << "}\n";
    return 0;
}
