// Result<T>: what an operation on the world (kernel, file system, peer) answers. Either a value or an Error
// that reads as a sentence: what we were doing, what the system answered, what the user can do.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.hpp"

namespace cellblock {

/// Why something that depends on the outside did not work. Movable, comparable by eye only.
///
/// What makes, moves and ends one is cold: compilers put the ways that lead there out of the way of the
/// others.
class Error {
  public:
    /// `what` names the act ("open /etc/passwd"), without full stop.
    [[gnu::cold]] explicit Error(std::string what);
    /// The same with the kernel's answer; `error_number` is an errno value.
    [[gnu::cold]] Error(std::string what, int error_number);
    [[gnu::cold]] Error(const Error&);
    [[gnu::cold]] Error(Error&&) noexcept;
    [[gnu::cold]] Error& operator=(const Error&);
    [[gnu::cold]] Error& operator=(Error&&) noexcept;
    [[gnu::cold]] ~Error();

    /// The errno value that caused this, or 0 when none did.
    [[nodiscard]] int error_number() const { return errno_; }
    /// What was tried, outermost first: "start jail: mount /proc: Operation not permitted (EPERM)".
    [[nodiscard]] const std::string& what() const { return what_; }
    /// What a person can do about it; empty when we do not know.
    [[nodiscard]] const std::string& remedy() const { return remedy_; }

    /// Puts the caller's act in front.
    [[gnu::cold]] Error&& context(const std::string& act) &&;
    /// Sets the remedy when none is known yet: the place nearest to the cause knows best.
    [[gnu::cold]] Error&& with_remedy(std::string remedy) &&;

    /// One or two sentences for a person: what(), and the remedy when there is one. Whatever strangers have
    /// put into their names and values, it is printable (printable_sentence).
    [[nodiscard]] std::string sentence() const;

  private:
    std::string what_;
    std::string remedy_;
    int errno_ = 0;
};

/// An Error from the current errno.
[[gnu::cold]] Error errno_error(std::string what);

/// "EPERM" for 1, "errno 4711" for numbers without a name.
std::string errno_name(int error_number);

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        CHECK(ok());
        return std::get<0>(state_);
    }
    const T& value() const& {
        CHECK(ok());
        return std::get<0>(state_);
    }
    T&& value() && {
        CHECK(ok());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    Error& error() & {
        CHECK(!ok());
        return std::get<1>(state_);
    }
    const Error& error() const& {
        CHECK(!ok());
        return std::get<1>(state_);
    }
    Error&& error() && {
        CHECK(!ok());
        return std::get<1>(std::move(state_));
    }

  private:
    std::variant<T, Error> state_;
};

/// Result of an act that has no value.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

    [[nodiscard]] bool ok() const { return !error_.has_value(); }
    explicit operator bool() const { return ok(); }
    void value() const { CHECK(ok()); }
    Error& error() & {
        CHECK(!ok());
        return *error_;
    }
    const Error& error() const& {
        CHECK(!ok());
        return *error_;
    }
    Error&& error() && {
        CHECK(!ok());
        return *std::move(error_);
    }

  private:
    std::optional<Error> error_;
};

}  // namespace cellblock

// TRY(expression): the value of a Result, or return its error from the enclosing function. A GNU statement
// expression, which both supported compilers have.
#define TRY(...)                                   \
    ({                                             \
        auto try_result_ = (__VA_ARGS__);          \
        if (!try_result_.ok()) [[unlikely]]        \
            return std::move(try_result_).error(); \
        std::move(try_result_).value();            \
    })
