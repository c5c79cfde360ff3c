// The jail's name server, as a function of one message: what is asked is hostile, what is answered is one of
// a few things. An allowed name has one IPv4 address and nothing else; no other name exists.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace cellblock::network {

/// Of one query: the largest that resolvers send over UDP today. Answers are shorter than kMaxAnswer.
inline constexpr size_t kMaxQuery = 1232;
inline constexpr size_t kMaxAnswer = 512;
/// Seconds that a client may keep an answer; addresses do not change during the life of a jail.
inline constexpr uint32_t kAnswerLife = 60;

/// Names in lower case, and their addresses in the host's byte order.
using NameTable = std::map<std::string, uint32_t, std::less<>>;

struct DnsAnswer {
    std::string message;       ///< empty: none, for what is no query at all
    std::string refused_name;  ///< that is not allowed, as it was asked for; empty: it is, or there is none
};

DnsAnswer answer_query(std::string_view query, const NameTable& names);

}  // namespace cellblock::network
