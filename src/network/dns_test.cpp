// Queries as clients send them, and as attackers do.
#include "network/dns.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cellblock::network {
namespace {

using std::string;
using std::string_view;

const NameTable kNames{{"a.example", 0xc6120001}, {"b.example", 0xc6120002}};

string pair(unsigned value) {
    return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)};
}

string header(unsigned flags = 0x0100, unsigned questions = 1, unsigned others = 0) {
    return pair(0x1234) + pair(flags) + pair(questions) + pair(0) + pair(0) + pair(others);
}

/// "a.example" as labels.
string labels(string_view name) {
    string bytes;
    while (!name.empty()) {
        const string_view label = name.substr(0, name.find('.'));
        bytes += static_cast<char>(label.size());
        bytes += label;
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return bytes + '\0';
}

string query(string_view name, unsigned type = 1, unsigned question_class = 1) {
    return header() + labels(name) + pair(type) + pair(question_class);
}

const string kOptions = string("\0", 1) + pair(41) + pair(1232) + string(4, '\0') + pair(0);

unsigned word_at(const string& message, size_t at) {
    return static_cast<unsigned>(static_cast<uint8_t>(message.at(at))) << 8U |
           static_cast<uint8_t>(message.at(at + 1));
}
unsigned code_of(const string& message) {
    return word_at(message, 2) & 0xfU;
}
unsigned answers_of(const string& message) {
    return word_at(message, 6);
}

TEST(Dns, AnAllowedNameHasItsAddress) {
    const DnsAnswer answer = answer_query(query("a.example"), kNames);
    EXPECT_EQ(answer.message, pair(0x1234) + pair(0x8180) + pair(1) + pair(1) + pair(0) + pair(0) +
                                  labels("a.example") + pair(1) + pair(1) +  // the question
                                  pair(0xc00c) + pair(1) + pair(1) + pair(0) + pair(kAnswerLife) + pair(4) +
                                  string("\xc6\x12\x00\x01", 4));
    EXPECT_EQ(answer.refused_name, "");
}

TEST(Dns, CaseMakesNoDifferenceAndIsGivenBack) {
    const string asked = query("A.eXample");
    const DnsAnswer answer = answer_query(asked, kNames);
    EXPECT_EQ(answers_of(answer.message), 1U);
    EXPECT_EQ(answer.message.substr(12, 11), asked.substr(12, 11))
        << "clients check it against forged answers";
}

TEST(Dns, OtherTypesOfAnAllowedNameAreEmpty) {
    for (const unsigned type : {28U /*AAAA*/, 65U /*HTTPS*/, 64U /*SVCB*/, 16U /*TXT*/, 15U /*MX*/, 5U, 6U}) {
        const DnsAnswer answer = answer_query(query("a.example", type), kNames);
        EXPECT_EQ(code_of(answer.message), 0U) << type;
        EXPECT_EQ(answers_of(answer.message), 0U) << type;
        EXPECT_EQ(answer.refused_name, "") << type;
    }
}

TEST(Dns, NamesThatAreNotAllowedDoNotExist) {
    for (const char* name : {"c.example", "example", "www.a.example", "a.example.evil.example", "aa.example",
                             "a.examplee", "localhost", "127.0.0.1", "1.0.0.127.in-addr.arpa"}) {
        const DnsAnswer answer = answer_query(query(name), kNames);
        EXPECT_EQ(code_of(answer.message), 3U) << name;
        EXPECT_EQ(answers_of(answer.message), 0U) << name;
        EXPECT_EQ(answer.refused_name, name);
    }
    EXPECT_EQ(answer_query(query(""), kNames).refused_name, ".");
}

TEST(Dns, ADotWithinALabelIsNoDotBetweenTwo) {
    const DnsAnswer answer = answer_query(header() +
                                              string("\x09"
                                                     "a.example",
                                                     10) +
                                              '\0' + pair(1) + pair(1),
                                          kNames);
    EXPECT_EQ(code_of(answer.message), 3U);
    EXPECT_EQ(answer.refused_name, "a\\.example");
}

TEST(Dns, WhoKnowsExtendedErrorsIsToldWhy) {
    const string asked = header(0x0100, 1, 1) + labels("c.example") + pair(1) + pair(1) + kOptions;
    const string answer = answer_query(asked, kNames).message;
    EXPECT_EQ(word_at(answer, 10), 1U);
    EXPECT_EQ(answer.substr(answer.size() - 8), pair(6) + pair(15) + pair(2) + pair(18));
    const string allowed = header(0x0100, 1, 1) + labels("a.example") + pair(1) + pair(1) + kOptions;
    EXPECT_EQ(answers_of(answer_query(allowed, kNames).message), 1U);
    // Without the client's word for it, there are none in the answer.
    EXPECT_EQ(word_at(answer_query(query("c.example"), kNames).message, 10), 0U);
}

TEST(Dns, OtherClassesAreRefused) {
    EXPECT_EQ(code_of(answer_query(query("a.example", 1, 3), kNames).message), 5U);
    EXPECT_EQ(code_of(answer_query(query("version.bind", 16, 3), kNames).message), 5U);
}

TEST(Dns, AnswersAreNotAnswered) {
    EXPECT_EQ(answer_query(header(0x8180) + labels("a.example") + pair(1) + pair(1), kNames).message, "");
}

TEST(Dns, OtherOperationsAreNotImplemented) {
    for (const unsigned operation : {1U, 2U, 4U, 5U, 15U})
        EXPECT_EQ(
            code_of(answer_query(header(operation << 11U) + labels("a.example") + pair(1) + pair(1), kNames)
                        .message),
            4U);
}

TEST(Dns, PointersInAQuestionAreMalformed) {
    for (const string& name : {string("\xc0\x0c", 2), string("\xc0\xff", 2),
                               string("\x01"
                                      "a\xc0\x0c",
                                      4),
                               string("\xc0\x00", 2), string("\x40", 1), string("\x80", 1)})
        EXPECT_EQ(code_of(answer_query(header() + name + pair(1) + pair(1), kNames).message), 1U);
}

TEST(Dns, WhatIsCutShortIsMalformedOrNothing) {
    const string whole = query("a.example");
    for (size_t size = 0; size < whole.size(); ++size) {
        const DnsAnswer answer = answer_query(string_view(whole).substr(0, size), kNames);
        if (size < 12)
            EXPECT_EQ(answer.message, "") << size;
        else
            EXPECT_EQ(code_of(answer.message), 1U) << size;
    }
}

TEST(Dns, CountsThatAreNoQuerysAreMalformed) {
    EXPECT_EQ(code_of(answer_query(header(0x0100, 0), kNames).message), 1U);
    EXPECT_EQ(
        code_of(answer_query(header(0x0100, 2) + labels("a.example") + pair(1) + pair(1), kNames).message),
        1U);
    EXPECT_EQ(code_of(answer_query(header(0x0100, 65535), kNames).message), 1U);
}

TEST(Dns, NamesAreNotLongerThanTheyMayBe) {
    string name;
    while (name.size() < 252) name += "a.";
    EXPECT_EQ(code_of(answer_query(query(name + "a"), kNames).message), 3U) << "253 characters";
    EXPECT_EQ(code_of(answer_query(query(name + "aa"), kNames).message), 1U) << "254 characters";
    EXPECT_LE(answer_query(query(name + "a"), kNames).message.size(), kMaxAnswer);
    EXPECT_EQ(code_of(answer_query(query("a.example") + string(kMaxQuery, 'x'), kNames).message), 1U);
}

}  // namespace
}  // namespace cellblock::network
