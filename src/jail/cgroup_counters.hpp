// The files in which a cgroup counts: read before and after every cell, so at little cost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "jail/jail.hpp"

namespace cellblock::jail {

/// A whole number, with or without a line feed behind it; nothing when the text does not begin with one.
std::optional<int64_t> to_number(std::string_view text);
/// The number after `key` in lines of "key value"; -1 without one.
int64_t keyed(std::string_view text, std::string_view key);

/// The counters of one cgroup, through descriptors that stay open. One thread at a time.
class CgroupCounters {
  public:
    virtual ~CgroupCounters() = default;
    /// As Jail::counters(). What is not there has nothing to say.
    virtual Counters read() = 0;
    /// As Jail::restart_memory_peak().
    virtual bool restart_memory_peak() = 0;

  protected:
    CgroupCounters() = default;
};
/// Directories with "/" at their ends; `cpuacct` is empty where there is none.
std::unique_ptr<CgroupCounters> counters_v1(const std::string& memory, const std::string& pids,
                                            const std::string& cpuacct);
std::unique_ptr<CgroupCounters> counters_v2(const std::string& directory);

/// What has gone through block devices, in bytes.
struct Traffic {
    int64_t read = 0;
    int64_t written = 0;
};
/// The sum over the devices of an io.stat (cgroup-v2.rst), of which `is_stacked` says whether one, "253:0",
/// lies on others: what goes through it is counted there and below again, so only those at the bottom count.
Traffic sum_traffic(std::string_view io_stat,
                    const std::function<bool(const std::string& device)>& is_stacked);

}  // namespace cellblock::jail
