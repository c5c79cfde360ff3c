// The states of cells, over records that are written here, and notebooks that are none.
#include "cli/notebook_match.hpp"

#include <gmock/gmock.h>

#include "observe/hash.hpp"
#include "session/outputs.hpp"

namespace cellblock::cli {
namespace {

using testing::HasSubstr;

constexpr const char* kPrinted = R"({"output_type":"stream","name":"stdout","text":"a\n"})";
constexpr const char* kForged = R"({"output_type":"stream","name":"stdout","text":"b\n"})";

std::string cell(const std::string& source, const std::string& outputs, const std::string& id = "i") {
    return R"({"cell_type":"code","id":")" + id + R"(","source":[")" + source + R"("],"outputs":[)" +
           outputs + "]}";
}

std::string notebook(const std::string& cells) {
    return R"({"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[)" + cells + "]}";
}

std::string hash(const std::string& text) {
    return observe::to_hex(observe::Sha256().of(text));
}

std::string outputs_hash(const char* output) {
    session::Outputs outputs;
    if (output) {
        EXPECT_TRUE(outputs.add_saved(output));
    }
    return observe::to_hex(outputs.hashes().plain);
}

std::string record(int cell, const std::string& code, const char* output, const std::string& more = "") {
    return R"({"seq":)" + std::to_string(cell) + R"(,"time":"2026-01-0)" + std::to_string(cell) +
           R"(","kernel":"k","cell":)" + std::to_string(cell) + R"(,"verdict":"ok","code_sha256":")" +
           hash(code) + R"(","outputs_sha256":")" + outputs_hash(output) + "\"" + more + "}";
}

MatchedCell judged(const std::string& cells, const std::vector<std::string>& ends,
                   const std::string& type = "cell_end") {
    auto match = NotebookMatch::read(notebook(cells));
    EXPECT_TRUE(match);
    for (const std::string& end : ends) match->add_record(type, end);
    return match->cells().at(0);
}

TEST(NotebookMatch, FindsTheRecordOfACell) {
    const MatchedCell found = judged(cell("print()", kPrinted), {record(1, "print()", kPrinted)});
    EXPECT_EQ(found.state, MatchState::match);
    EXPECT_EQ(found.record->seq, "1");
    EXPECT_EQ(found.record->verdict, "ok");
}

TEST(NotebookMatch, FindsWhatWasEdited) {
    const std::vector<std::string> records{record(1, "print()", kPrinted)};
    EXPECT_EQ(judged(cell("print()", kForged), records).state, MatchState::edited);
    EXPECT_EQ(judged(cell("print()", ""), records).state, MatchState::edited);
    EXPECT_EQ(judged(cell("print(1)", kPrinted), records).state, MatchState::edited);
    EXPECT_EQ(judged(cell("print(1)", kForged), records).state, MatchState::unrecorded);
    EXPECT_EQ(judged(cell("print(1)", ""), {record(1, "print()", nullptr)}).state, MatchState::unrecorded)
        << "silence is no evidence";
    EXPECT_EQ(judged(cell("print()", R"({"output_type":"other"})"), records).state, MatchState::edited);
}

TEST(NotebookMatch, TakesAnyOfTheTimesThatACodeRan) {
    const std::vector<std::string> records{record(1, "f()", kPrinted), record(2, "f()", kForged),
                                           record(3, "f()", kPrinted, R"(,"cell_id":"other")")};
    EXPECT_EQ(judged(cell("f()", kPrinted), records).record->seq, "3") << "the newest";
    EXPECT_EQ(judged(cell("f()", kPrinted, "other"), records).record->seq, "3");
    const std::vector<std::string> with_ids{record(1, "f()", kPrinted, R"(,"cell_id":"mine")"),
                                            record(2, "f()", kPrinted, R"(,"cell_id":"other")")};
    EXPECT_EQ(judged(cell("f()", kPrinted, "mine"), with_ids).record->seq, "1") << "its own";
    EXPECT_EQ(judged(cell("f()", kForged, "mine"), with_ids).state, MatchState::edited)
        << "an id proves nothing";
}

TEST(NotebookMatch, SaysWhatItCannotKnow) {
    const std::string incomparable = record(1, "f()", nullptr, R"(,"incomparable":"output_widget")");
    const MatchedCell unclear = judged(cell("f()", kForged), {incomparable});
    EXPECT_EQ(unclear.state, MatchState::unclear);
    EXPECT_THAT(unclear.reason, HasSubstr("widget"));
    EXPECT_EQ(judged(cell("f()", kPrinted), {record(1, "f()", nullptr)}, "cell_start").state,
              MatchState::unclear);
    EXPECT_EQ(judged(cell(" ", ""), {}).state, MatchState::empty);
    EXPECT_EQ(judged(cell(" ", kPrinted), {}).state, MatchState::unrecorded);
}

TEST(NotebookMatch, RefusesWhatIsNoNotebook) {
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"nbformat":3,"cells":[]})"),
          std::string(R"({"nbformat":4})"), notebook("1"), notebook(R"({"cell_type":"code","source":1})"),
          notebook(R"({"cell_type":"code","source":"","outputs":{}})"), notebook(std::string(100'000, '[')),
          notebook(cell("\xFF", ""))})
        EXPECT_FALSE(NotebookMatch::read(text)) << text.substr(0, 60);
    EXPECT_TRUE(NotebookMatch::read(notebook(R"({"cell_type":"markdown","source":1})")));
}

}  // namespace
}  // namespace cellblock::cli
