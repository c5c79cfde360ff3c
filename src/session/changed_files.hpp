// ChangedFiles: what the cells of one jail write beside the notebook, recorded after each cell and carried
// over to the host's directory where the user has said so (--notebook-dir rw).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "changes/recorder.hpp"

namespace cellblock::session {

class ChangedFiles {
  public:
    struct Options {
        changes::Recorder::Options recorder;
        bool carries_over = false;
    };
    /// `layer_fd` is Jail::changes_fd(); it is duplicated, and outlives its jail.
    static Result<std::unique_ptr<ChangedFiles>> create(const Options& options, int layer_fd);

    /// A cell begins: what the host changes from now on is no state that the cell has seen. Any thread.
    void before_cell();
    /// What the notebook should say after a cell; nothing is said twice. Blocking, any thread.
    std::vector<std::string> after_cell();
    /// When no process of the jail writes any more.
    void at_end();

  private:
    struct Findings {
        std::vector<std::string> sentences;
        std::vector<std::string> left;  ///< "path (reason)" of what is not where the user wants it
    };
    ChangedFiles(std::unique_ptr<changes::Recorder> recorder, UniqueFd layer, bool carries_over)
        : recorder_(std::move(recorder)), layer_(std::move(layer)), carries_over_(carries_over) {}
    Findings record(changes::Recorder::Pass pass);
    void carry_over(Findings& findings);

    std::mutex mutex_;
    std::unique_ptr<changes::Recorder> recorder_;
    UniqueFd layer_;
    const bool carries_over_;
    std::set<std::string> told_;
    std::atomic<int64_t> cell_began_ns_{INT64_MAX};
};

}  // namespace cellblock::session
