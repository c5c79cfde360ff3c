// Keys and the kept form of results.
#include "run/repeats.hpp"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

using Json = nlohmann::json;

/// All of it, from a descriptor whose end comes by itself: a file.
Result<std::string> read_input(int fd) {
    std::string input;
    std::vector<char> buffer(size_t{64} << 10U);
    while (fd >= 0) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno_error("read the standard input for the program");
        if (n == 0) break;
        input.append(buffer.data(), static_cast<size_t>(n));
        if (input.size() > kMaxKeyedInput.count)
            return Error("keep results of a program whose standard input is more than " +
                         to_text(kMaxKeyedInput))
                .with_remedy("Run it without --cache.");
    }
    return input;
}

std::string numbers_of(const Job& job) {
    const jail::Limits& limits = job.plan.limits;
    return Json{limits.memory.count,
                limits.processes,
                limits.cpus,
                limits.scratch.count,
                limits.scratch_inodes,
                limits.shared_memory.count,
                limits.file_size.count,
                limits.open_files,
                job.bounds.wall_time.count(),
                job.bounds.cpu_time.count(),
                job.bounds.grace.count(),
                job.bounds.output.count,
                static_cast<int>(job.plan.level),
                static_cast<int>(job.plan.backend),
                static_cast<int>(job.plan.landlock)}
        .dump();
}

/// What a program writes is kept as it was shown, with the lines of a template's values.
std::string regions_of(const LineMap& lines) {
    Json json = Json::array();
    for (const Region& region : lines.regions())
        json.push_back({region.file, region.first, region.count, region.indent, region.name});
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string key_of(const Job& job, std::string_view input) {
    const std::string numbers = numbers_of(job);
    const std::string regions = regions_of(job.lines);
    std::vector<std::string_view> parts{"result", job.toolchain.id, numbers, job.working_directory, regions,
                                        input};
    for (const auto* list : {&job.arguments, &job.variables}) {
        parts.emplace_back("list");
        parts.insert(parts.end(), list->begin(), list->end());
    }
    parts.emplace_back("program");
    for (const std::string_view part : parts_of(job.program)) parts.push_back(part);
    return store_key(parts);
}

std::string keep(const Outcome& outcome, const Collector& output) {
    const Usage& usage = outcome.ending->usage;
    const Json json{{"code", outcome.ending->exit->code},
                    {"wall_us", usage.wall.count()},
                    {"cpu_us", usage.cpu_us},
                    {"memory_peak", usage.memory_peak},
                    {"io_read", usage.io_read},
                    {"io_written", usage.io_written},
                    {"processes_peak", usage.processes_peak},
                    {"oom_kills", usage.oom_kills},
                    {"process_limit_hits", usage.process_limit_hits},
                    {"compiled", outcome.compile.has_value()},
                    {"landlock", outcome.has_landlock}};
    const std::vector<File> files{
        {"outcome", json.dump()}, {"stdout", output.out()}, {"stderr", output.err()}};
    return pack(files);
}

/// Nothing when the bytes are not what keep() writes: the store has been damaged.
std::optional<Outcome> recall(const Job& job, const std::string& bytes, Sink& sink) {
    const auto files = unpack(bytes);
    if (!files || files->size() != 3) return {};
    const Json json = Json::parse((*files)[0].content, nullptr, false);
    Outcome outcome;
    Ending ending;
    try {
        ending.exit = jail::Exit{json.at("code"), 0};
        Usage& usage = ending.usage;
        usage.wall = std::chrono::microseconds(json.at("wall_us").get<int64_t>());
        json.at("cpu_us").get_to(usage.cpu_us);
        json.at("memory_peak").get_to(usage.memory_peak);
        json.at("io_read").get_to(usage.io_read);
        json.at("io_written").get_to(usage.io_written);
        json.at("processes_peak").get_to(usage.processes_peak);
        json.at("oom_kills").get_to(usage.oom_kills);
        json.at("process_limit_hits").get_to(usage.process_limit_hits);
        json.at("landlock").get_to(outcome.has_landlock);
        if (json.at("compiled")) {
            outcome.compile.emplace();
            outcome.compile->cached = true;
        }
    } catch (const Json::exception&) {
        return {};
    }
    ending.out.bytes = (*files)[1].content.size();
    ending.err.bytes = (*files)[2].content.size();
    outcome.ending = std::move(ending);
    outcome.verdict = judge(*outcome.ending);
    outcome.level = job.plan.level;
    outcome.backend = job.plan.backend;
    sink.write(Stream::out, (*files)[1].content);
    sink.write(Stream::err, (*files)[2].content);
    return outcome;
}

}  // namespace

Result<void> check_repeatable(const Job& job) {
    const auto refuse = [](const std::string& why) -> Result<void> {
        return Error("keep the result (--cache): " + why).with_remedy("Run it without --cache.");
    };
    if (job.plan.network != jail::Network::none) return refuse("the program has a network");
    if (!job.plan.mounts.empty()) return refuse("it has volumes, which may change");
    if (!job.program.directories.empty())
        return refuse("its directory " + job.program.directories.front().path + " may change");
    return {};
}

Result<Outcome> run_or_repeat(const Job& job, const Store& store, const Collector& output, Sink& sink,
                              Progress& progress, bool& repeated) {
    const std::string input = TRY(read_input(job.stdin_fd));
    const std::string key = key_of(job, input);
    if (const auto kept = store.result(key)) {
        if (auto outcome = recall(job, *kept, sink)) {
            repeated = true;
            return *std::move(outcome);
        }
    }
    Job with_input = job;
    UniqueFd memory;
    if (job.stdin_fd >= 0) {
        memory = TRY(sys::in_memory(input));
        with_input.stdin_fd = memory.get();
    }
    Outcome outcome = TRY(run_program(with_input, store, sink, progress));
    if (outcome.verdict == Verdict::ok || outcome.verdict == Verdict::exit_nonzero) {
        // What cannot be kept is run again next time.
        [[maybe_unused]] const auto kept = store.keep_result(key, keep(outcome, output));
    }
    return outcome;
}

}  // namespace cellblock::run
