// A jail whose namespaces and view are made by a clone of this process: all of it with the backend native,
// the first half with the backend runsc.
#pragma once

#include "jail/child.hpp"
#include "jail/maker.hpp"

namespace cellblock::jail {

class CloningMaker : public Maker {
  public:
    [[nodiscard]] uint64_t namespaces() const override;
    void connect(int control_fd, int report_fd) override;
    Result<void> introduce(InitProcess& init) override;
    Result<ViewHandles> receive_view(InitProcess& init) override;

  protected:
    /// `child` is a member of the derived class.
    explicit CloningMaker(ChildPlan& child) : child_(child) {}

  private:
    ChildPlan& child_;
};

/// All of a ChildPlan but its descriptors.
Result<ChildPlan> compile_child(const Plan& plan, const RestrictPlan& restrict, const Identity& identity);

}  // namespace cellblock::jail
