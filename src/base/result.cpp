// Wording of errors.
#include "base/result.hpp"

#include <cerrno>
#include <cstring>

#include "base/printable.hpp"

namespace cellblock {

std::string errno_name(int error_number) {
    if (const char* name = strerrorname_np(error_number)) return name;
    return "errno " + std::to_string(error_number);
}

Error::Error(std::string what) : what_(std::move(what)) {}

Error::Error(std::string what, int error_number) : what_(std::move(what)), errno_(error_number) {
    const char* text = strerrordesc_np(error_number);
    what_ += std::string(": ") + (text ? text : "unknown error") + " (" + errno_name(error_number) + ")";
}

Error::Error(const Error&) = default;
Error::Error(Error&&) noexcept = default;
Error& Error::operator=(const Error&) = default;
Error& Error::operator=(Error&&) noexcept = default;
Error::~Error() = default;

Error&& Error::context(const std::string& act) && {
    what_ = act + ": " + what_;
    return std::move(*this);
}

Error&& Error::with_remedy(std::string remedy) && {
    if (remedy_.empty()) remedy_ = std::move(remedy);
    return std::move(*this);
}

std::string Error::sentence() const {
    return printable_sentence(remedy_.empty() ? what_ + "." : what_ + ". " + remedy_);
}

Error errno_error(std::string what) {
    return Error(std::move(what), errno);
}

}  // namespace cellblock
