// Shows on a terminal that something takes its time, and what.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace cellblock::cli {

class Spinner {
  public:
    /// `fd` is a terminal; elsewhere, make none. Shows nothing where no thread can be made.
    explicit Spinner(int fd, std::string what);
    /// Removes the line.
    ~Spinner();
    Spinner(const Spinner&) = delete;
    Spinner& operator=(const Spinner&) = delete;

  private:
    void run();

    const int fd_;
    const std::string what_;
    std::mutex mutex_;
    std::condition_variable closing_;
    bool closes_ = false;
    std::thread thread_;  // last, because it uses the others
};

}  // namespace cellblock::cli
