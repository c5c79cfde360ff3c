// What becomes of processes that outlive their cell.
#pragma once

namespace cellblock::session {

enum class Background {
    kill,  ///< they are ended when no cell runs any more
    keep,  ///< servers, pools of workers: later cells use them
};

}  // namespace cellblock::session
