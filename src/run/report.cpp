// Results for programs (JSON) and for people (one line).
#include "run/report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/printable.hpp"

namespace cellblock::run {
namespace {

using Json = nlohmann::ordered_json;

double seconds(std::chrono::microseconds time) {
    return static_cast<double>(time.count()) / 1e6;
}

Json known(int64_t value) {
    return value < 0 ? Json() : Json(value);
}

Json cpu_seconds(int64_t us) {
    return us < 0 ? Json() : Json(static_cast<double>(us) / 1e6);
}

void add_stream(Json& json, const std::string& name, const std::string& text, const Written& written) {
    const bool is_text = is_utf8(text);
    json[name] = is_text ? text : base64(text);
    json[name + "_encoding"] = is_text ? "utf-8" : "base64";
    json[name + "_bytes"] = written.bytes;
    json[name + "_truncated"] = written.truncated;
}

void add_usage(Json& json, const Usage& usage) {
    json["wall_time"] = seconds(usage.wall);
    json["cpu_time"] = cpu_seconds(usage.cpu_us);
    json["memory_peak"] = known(usage.memory_peak);
    json["io_read_bytes"] = known(usage.io_read);
    json["io_write_bytes"] = known(usage.io_written);
    json["processes_peak"] = known(usage.processes_peak);
    json["oom_kills"] = usage.oom_kills;
    json["refused_processes"] = usage.process_limit_hits;
}

Json signal_of(Verdict verdict, const std::optional<Ending>& ending) {
    if (!ending) return {};
    if (verdict == Verdict::signal && ending->stop == Stop::user) return signal_name(ending->stop_signal);
    return ending->exit && ending->exit->signal != 0 ? Json(signal_name(ending->exit->signal)) : Json();
}

Json compile_json(const std::optional<Compiled>& compile) {
    if (!compile) return {};
    Json json;
    json["cached"] = compile->cached;
    json["success"] = compile->verdict == Verdict::ok;
    json["verdict"] = to_text(compile->verdict);
    if (compile->cached) return json;
    json["exit_code"] =
        compile->ending.exit && compile->ending.exit->signal == 0 ? Json(compile->ending.exit->code) : Json();
    json["explanation"] = compile->explanation;
    add_stream(json, "stdout", compile->out, compile->ending.out);
    add_stream(json, "stderr", compile->err, compile->ending.err);
    json["wall_time"] = seconds(compile->ending.usage.wall);
    json["cpu_time"] = cpu_seconds(compile->ending.usage.cpu_us);
    json["memory_peak"] = known(compile->ending.usage.memory_peak);
    return json;
}

Json limits_json(const Circumstances& circumstances) {
    const jail::Limits& limits = circumstances.limits;
    const Bounds& bounds = circumstances.bounds;
    const auto time = [](std::chrono::milliseconds limit) {
        return limit.count() > 0 ? Json(seconds(limit)) : Json();
    };
    Json json;
    json["wall_time"] = time(bounds.wall_time);
    json["cpu_time"] = time(bounds.cpu_time);
    json["grace"] = seconds(bounds.grace);
    json["memory"] = limits.memory.count;
    json["cpus"] = limits.cpus > 0 ? Json(limits.cpus) : Json();
    json["processes"] = limits.processes;
    json["disk"] = limits.scratch.count;
    json["output"] = bounds.output.count;
    json["network"] = circumstances.network;
    return json;
}

Json denials_json(const std::optional<Ending>& ending) {
    Json json = Json::array();
    if (!ending) return json;
    for (const jail::Denial& denial : ending->denials)
        json.push_back({{"call", denial.call}, {"count", denial.count}, {"reason", denial.reason}});
    return json;
}

Json network_json(const std::vector<network::Report>& events) {
    Json json = Json::array();
    for (const network::Report& event : events)
        json.push_back({{"event", network::to_text(event.act)},
                        {"host", event.host},
                        {"port", event.port},
                        {"address", event.address},
                        {"reason", event.reason},
                        {"count", event.count},
                        {"sent_bytes", event.sent},
                        {"received_bytes", event.received}});
    return json;
}

std::string dump(const Json& json) {
    // Texts that are not UTF-8 are base64 by now, but for names of the host.
    // It may be shown on a terminal, which what a program has written is not to steer.
    return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

std::string result_json(const Outcome& outcome, const Collector& output, const Circumstances& circumstances) {
    const Ending ending = outcome.ending.value_or(Ending{});
    Json json;
    json["version"] = kResultVersion;
    json["success"] = outcome.verdict == Verdict::ok;
    json["verdict"] = to_text(outcome.verdict);
    json["explanation"] = outcome.explanation;
    json["exit_code"] = outcome.exit_status();
    json["signal"] = signal_of(outcome.verdict, outcome.ending);
    add_stream(json, "stdout", output.out(), ending.out);
    add_stream(json, "stderr", output.err(), ending.err);
    json["execution_time"] = seconds(ending.usage.wall);
    json["memory_used"] = known(ending.usage.memory_peak);
    add_usage(json, ending.usage);
    json["measured_by"] = outcome.level == jail::Level::full ? "cgroup" : "processes";
    json["language"] = circumstances.language;
    json["compile"] = compile_json(outcome.compile);
    json["cached"] = circumstances.cached;
    json["limits"] = limits_json(circumstances);
    json["denials"] = denials_json(outcome.ending);
    json["network_events"] = network_json(circumstances.network_events);
    json["level"] = jail::to_text(outcome.level);
    json["backend"] = jail::to_text(outcome.backend);
    json["landlock"] = outcome.has_landlock;
    json["audit_record"] = circumstances.audit_record.empty() ? Json() : Json(circumstances.audit_record);
    return dump(json);
}

std::string failure_json(const Error& error, int exit_status, const Circumstances& circumstances) {
    Outcome outcome;
    Json json = Json::parse(result_json(outcome, Collector(), circumstances));
    json["explanation"] = error.sentence();
    json["exit_code"] = exit_status;
    for (const char* unknown : {"measured_by", "level", "backend", "landlock"}) json[unknown] = nullptr;
    return dump(json);
}

std::string metrics_line(const Outcome& outcome) {
    std::string line;
    const auto add = [&line](const char* format, auto... values) {
        char text[96];
        std::snprintf(text, sizeof text, format, values...);
        line += (line.empty() ? "" : " · ") + std::string(text);
    };
    if (outcome.verdict == Verdict::ok || outcome.verdict == Verdict::exit_nonzero)
        add("exit %d", outcome.exit_status());
    else
        line = std::string(to_text(outcome.verdict));
    if (!outcome.explanation.empty()) line += " (" + printable_sentence(outcome.explanation) + ")";
    if (outcome.compile) {
        if (outcome.compile->cached)
            line += " · compiled before";
        else
            add("compiled in %.2f s", seconds(outcome.compile->ending.usage.wall));
    }
    if (!outcome.ending) return line;
    const Usage& usage = outcome.ending->usage;
    add("%.3f s", seconds(usage.wall));
    if (usage.cpu_us >= 0) add("CPU %.3f s", static_cast<double>(usage.cpu_us) / 1e6);
    if (usage.memory_peak >= 0)
        add("memory %s", cellblock::to_text(Bytes{static_cast<uint64_t>(usage.memory_peak)}).c_str());
    if (usage.processes_peak >= 0)
        add("%lld process%s", static_cast<long long>(usage.processes_peak),
            usage.processes_peak == 1 ? "" : "es");
    return line;
}

}  // namespace cellblock::run
