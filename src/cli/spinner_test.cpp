// What turns while something takes its time must not be what ends it.
#include "cli/spinner.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include "base/sys.hpp"

namespace cellblock::cli {
namespace {

TEST(Spinner, ShowsNothingWhereNoThreadCanBeMade) {
    auto [reader, writer] = sys::pipe().value();
    pthread_attr_t before;
    pthread_attr_t impossible;
    ASSERT_EQ(::pthread_getattr_default_np(&before), 0);
    ASSERT_EQ(::pthread_attr_init(&impossible), 0);
    // More than there are addresses: as where a limit of threads is reached, the answer is EAGAIN.
    ASSERT_EQ(::pthread_attr_setstacksize(&impossible, size_t{1} << 60U), 0);
    ASSERT_EQ(::pthread_setattr_default_np(&impossible), 0);
    EXPECT_NO_THROW(Spinner(writer.get(), "compiling"));
    EXPECT_EQ(::pthread_setattr_default_np(&before), 0);
    ::pthread_attr_destroy(&impossible);
    ::pthread_attr_destroy(&before);
}

}  // namespace
}  // namespace cellblock::cli
