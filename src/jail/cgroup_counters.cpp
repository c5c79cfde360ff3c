// Texts of counters, as cgroup-v2.rst and the files of version 1 have them.
#include "jail/cgroup_counters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"

namespace cellblock::jail {
namespace {

/// Takes the text up to `separator`, and that, from the front.
std::string_view take_until(std::string_view& text, char separator) {
    const size_t end = std::min(text.find(separator), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

}  // namespace

Counters used_since(const Counters& before, const Counters& after) {
    Counters used = after;
    for (int64_t Counters::*grows :
         {&Counters::memory_limit_hits, &Counters::oom_kills, &Counters::process_limit_hits,
          &Counters::cpu_time_us, &Counters::io_read, &Counters::io_written})
        used.*grows = before.*grows >= 0 && after.*grows >= before.*grows ? after.*grows - before.*grows : -1;
    return used;
}

std::optional<int64_t> to_number(std::string_view text) {
    int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc() ? std::optional(value) : std::nullopt;
}

int64_t keyed(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (take_until(line, ' ') == key) return to_number(line).value_or(-1);
    }
    return -1;
}

Traffic sum_traffic(std::string_view io_stat,
                    const std::function<bool(const std::string& device)>& is_stacked) {
    Traffic sum;
    while (!io_stat.empty()) {
        std::string_view line = take_until(io_stat, '\n');
        const std::string device(take_until(line, ' '));
        if (line.empty() || is_stacked(device)) continue;
        while (!line.empty()) {
            std::string_view value = take_until(line, ' ');
            const std::string_view key = take_until(value, '=');
            if (key == "rbytes") sum.read += std::max<int64_t>(to_number(value).value_or(0), 0);
            if (key == "wbytes") sum.written += std::max<int64_t>(to_number(value).value_or(0), 0);
        }
    }
    return sum;
}

namespace {

/// A file of counters, kept open: each read from its beginning asks the kernel of Linux anew. One that is not
/// there has nothing to say.
class CounterFile {
  public:
    explicit CounterFile(const std::string& path, int access = O_RDONLY) {
        if (auto fd = sys::open(path, access)) fd_ = std::move(fd).value();
    }

    [[nodiscard]] bool is_open() const { return fd_.valid(); }
    /// Its text, valid until the next call; nothing where there is none, or more than fits.
    std::optional<std::string_view> read() {
        const ssize_t size = fd_.valid() ? ::pread(fd_.get(), buffer_.data(), buffer_.size(), 0) : -1;
        if (size < 0 || static_cast<size_t>(size) == buffer_.size()) return {};
        return std::string_view(buffer_.data(), static_cast<size_t>(size));
    }
    std::string_view text() { return read().value_or(""); }
    int64_t number() { return to_number(text()).value_or(-1); }
    /// Writes what makes it begin anew; false where nothing does.
    bool restart(std::string_view word) {
        return fd_.valid() &&
               ::pwrite(fd_.get(), word.data(), word.size(), 0) == static_cast<ssize_t>(word.size());
    }

  private:
    UniqueFd fd_;
    std::array<char, 8192> buffer_{};
};

/// Whether a block device lies on others: LVM, RAID, encryption.
bool is_stacked(const std::string& device) {
    std::error_code error;
    const std::filesystem::path below = "/sys/dev/block/" + device + "/slaves";
    return std::filesystem::exists(below, error) && !std::filesystem::is_empty(below, error);
}

/// Who may not write to a file that has nothing to restart may still read it.
CounterFile open_peak(const std::string& path) {
    CounterFile file(path, O_RDWR);
    return file.is_open() ? std::move(file) : CounterFile(path);
}

class CountersV1 final : public CgroupCounters {
  public:
    CountersV1(const std::string& memory, const std::string& pids, const std::string& cpuacct)
        : current_(memory + "memory.usage_in_bytes"),
          peak_(open_peak(memory + "memory.max_usage_in_bytes")),
          limit_hits_(memory + "memory.failcnt"),
          oom_control_(memory + "memory.oom_control"),
          pids_events_(pids + "pids.events"),
          pids_peak_(pids + "pids.peak"),
          cpu_usage_(cpuacct.empty() ? "" : cpuacct + "cpuacct.usage") {}

    // Without bytes of block devices: version 1 counts them only for devices with a limit (since 6.10), and
    // what kernel threads write later not at all.
    Counters read() override {
        Counters counters;
        counters.memory_current = current_.number();
        counters.memory_peak = peak_.number();
        counters.memory_limit_hits = limit_hits_.number();
        counters.oom_kills = keyed(oom_control_.text(), "oom_kill");
        counters.process_limit_hits = keyed(pids_events_.text(), "max");
        counters.processes_peak = pids_peak_.number();
        if (const int64_t ns = cpu_usage_.number(); ns >= 0) counters.cpu_time_us = ns / 1000;
        return counters;
    }

    bool restart_memory_peak() override { return peak_.restart("0"); }

  private:
    CounterFile current_, peak_, limit_hits_, oom_control_, pids_events_, pids_peak_, cpu_usage_;
};

class CountersV2 final : public CgroupCounters {
  public:
    explicit CountersV2(const std::string& directory)
        : current_(directory + "memory.current"),
          peak_(open_peak(directory + "memory.peak")),
          memory_events_(directory + "memory.events"),
          pids_events_(directory + "pids.events"),
          pids_peak_(directory + "pids.peak"),
          cpu_stat_(directory + "cpu.stat"),
          io_stat_(directory + "io.stat") {}

    Counters read() override {
        Counters counters;
        counters.memory_current = current_.number();
        counters.memory_peak = peak_.number();
        const std::string_view memory = memory_events_.text();
        // "oom": an allocation was about to fail for our own limit. "max" also counts successful reclaim.
        counters.memory_limit_hits = keyed(memory, "oom");
        counters.oom_kills = keyed(memory, "oom_kill");
        counters.process_limit_hits = keyed(pids_events_.text(), "max");
        counters.processes_peak = pids_peak_.number();
        counters.cpu_time_us = keyed(cpu_stat_.text(), "usage_usec");
        const auto io_stat = io_stat_.read();
        if (!io_stat) return counters;
        const Traffic traffic = sum_traffic(*io_stat, [this](const std::string& device) {
            const auto [known, is_new] = stacked_.try_emplace(device, false);
            if (is_new) known->second = is_stacked(device);
            return known->second;
        });
        counters.io_read = traffic.read;
        counters.io_written = traffic.written;
        return counters;
    }

    // For this descriptor alone, and since 6.12 only (cgroup-v2.rst).
    bool restart_memory_peak() override { return peak_.restart("restart"); }

  private:
    CounterFile current_, peak_, memory_events_, pids_events_, pids_peak_, cpu_stat_, io_stat_;
    std::map<std::string, bool> stacked_;  // block devices that the jail has used
};

}  // namespace

std::unique_ptr<CgroupCounters> counters_v1(const std::string& memory, const std::string& pids,
                                            const std::string& cpuacct) {
    return std::make_unique<CountersV1>(memory, pids, cpuacct);
}

std::unique_ptr<CgroupCounters> counters_v2(const std::string& directory) {
    return std::make_unique<CountersV2>(directory);
}

}  // namespace cellblock::jail
