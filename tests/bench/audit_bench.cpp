// The cost of the audit log by itself: appends with each policy of syncing, hashes of outputs, and all that a
// cell leaves, in milliseconds; many processes that append at once; and the check of a log of COUNT records,
// in seconds. Prints all samples as JSON. Usage: audit_bench APPENDS COUNT DIRECTORY
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "observe/log.hpp"
#include "observe/verify.hpp"
#include "session/audit.hpp"
#include "session/outputs.hpp"

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
    entry.members.text("memory_peak_of", "cell").integer("io_read_bytes", 4096).integer("io_write_bytes", 0);
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

// Typical outputs: some text, and a plot as matplotlib makes them.
constexpr int kTextLines = 64;
constexpr size_t kLine = 64;
constexpr size_t kPlotBytes = size_t{50} * 1024;

struct Message {
    std::string type;
    std::string content;
};

Message text_output() {
    std::string text;
    for (int i = 0; i < kTextLines; ++i) text += std::string(kLine - 1, 'x') + "\\n";
    return {"stream", R"({"name": "stdout", "text": ")" + text + "\"}"};
}

Message plot_output() {
    std::string base64;
    for (size_t i = 0; i < kPlotBytes / 3 * 4; ++i)
        base64 += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i * 7 % 64];
    return {"display_data", R"({"data": {"image/png": ")" + base64 +
                                R"(", "text/plain": "<Figure size 640x480 with 1 Axes>"}, "metadata": {}, )" +
                                R"("transient": {}})"};
}

std::vector<double> measure_hash(const Message& message, int count) {
    std::vector<double> samples;
    for (int i = 0; i < count; ++i) {
        cellblock::session::Displays displays;
        const auto began = Clock::now();
        cellblock::session::Outputs outputs;
        outputs.add(message.type, message.content, displays);
        if (outputs.hashes().plain == Hash{}) std::exit(1);
        samples.push_back(seconds_since(began) * 1000);
    }
    return samples;
}

// Everything that the log costs a cell, but for the sync: both records and the hash of what it shows.
std::vector<double> measure_trail(const std::string& directory, const std::vector<Message>& messages,
                                  int count) {
    using namespace cellblock;
    session::AuditConfig config;
    config.trail.log.directory = directory;
    config.trail.log.sync = Sync::interval;
    config.kernel = "2b0bb6a8-7d8d-4bd2-8d3c-2f6f2f4c0c11";
    config.notebook = "/home/user/project/analysis.ipynb";
    config.profile = "sha256:" + std::string(64, '0');
    session::Audit audit(config);
    protocol::Request request;
    request.msg_type = "execute_request";
    request.msg_id = "2b0bb6a8-7d8d-4bd2-8d3c-2f6f2f4c0c11_1_1";
    request.session = "2b0bb6a8-7d8d-4bd2-8d3c-2f6f2f4c0c11";
    request.header =
        R"({"msg_id": "2b0bb6a8_1_1", "username": "user", "session": "2b0bb6a8", "version": "5.4"})";
    request.metadata = R"({"cellId": "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"})";
    request.content = R"({"code": "data.plot", "silent": false})";
    jail::Counters counters;
    counters.cpu_time_us = counters.memory_peak = counters.oom_kills = counters.process_limit_hits = 1000;
    std::vector<double> samples;
    for (int i = 1; i <= count; ++i) {
        const auto id = static_cast<uint64_t>(i);
        const auto began = Clock::now();
        or_exit(audit.cell_begins(id, request));
        for (const Message& message : messages) audit.output(id, message.type, message.content);
        audit.cell_used(id, {}, counters, session::PeakOf::cell);
        audit.cell_ended(id, jail::Verdict::ok);
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

struct Writers {
    int processes = 50;
    uint64_t appended = 0;
    uint64_t found = 0;
    double seconds = 0;
};

// As many kernels as one user may have, each of which runs a cell after the other.
Writers measure_writers(const std::string& directory, int cells) {
    Writers writers;
    const auto began = Clock::now();
    for (int process = 0; process < writers.processes; ++process)
        if (::fork() == 0) {
            measure_cells(directory, Sync::cell, cells);
            ::_exit(0);
        }
    int ended_well = 0;
    for (int status = 0; ::wait(&status) > 0;) ended_well += status == 0 ? 1 : 0;
    writers.seconds = seconds_since(began);
    writers.appended = 2 * static_cast<uint64_t>(ended_well) * static_cast<uint64_t>(cells);
    const VerifyReport report = or_exit(verify(directory, {}));
    if (!report.ok() || ended_well != writers.processes) std::exit(1);
    writers.found = report.records - report.segments;  // each begins with a record of its own
    return writers;
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
    for (const auto& [name, messages] : {std::pair("hash of 4 KiB of text", std::vector{text_output()}),
                                         std::pair("hash of a plot of 50 KiB", std::vector{plot_output()})}) {
        std::cout << ", ";
        print(name, measure_hash(messages.front(), cells));
    }
    std::cout << ", ";
    print("all of a cell without output", measure_trail(directory + "/silent", {}, cells));
    std::cout << ", ";
    print("all of a cell with both",
          measure_trail(directory + "/both", {text_output(), plot_output()}, cells));
    const Writers writers = measure_writers(directory + "/writers", std::max(1, cells / 10));
    std::cout << "}, \"writers\": {\"processes\": " << writers.processes
              << ", \"appended\": " << writers.appended << ", \"found\": " << writers.found
              << ", \"seconds\": " << writers.seconds << "}";
    std::cout << ", \"records\": " << count
              << ", \"verify_seconds\": " << measure_verification(directory + "/large", count) << "}\n";
    return 0;
}
