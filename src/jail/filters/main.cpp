// Runs during the build: writes the compiled filters, and the number of each call of the policy, as a header.
// Usage: make_filters FILE
#include <algorithm>
#include <fstream>
#include <iostream>
#include <utility>
#include <vector>

#include "jail/filters/compiler.hpp"
#include "jail/policy/syscalls.hpp"

namespace {

using namespace cellblock;
using namespace cellblock::jail;

Result<void> write_filter(std::ostream& out, Level level, Watch watch, const char* name) {
    const BpfProgram program = join(TRY(compile_filters(level, watch)));
    if (program.size() > BPF_MAXINSNS)
        return Error("compile the system call filter: it is larger than Linux allows");
    out << "inline constexpr sock_filter " << name << "[] = {\n";
    for (const sock_filter& part : program)
        out << "    {" << part.code << ", " << int{part.jt} << ", " << int{part.jf} << ", " << part.k
            << "U},\n";
    out << "};\n";
    return {};
}

void write_numbers(std::ostream& out) {
    std::vector<std::pair<int, size_t>> numbers;
    for (size_t i = 0; i < policy::calls().size(); ++i)
        if (const int number = call_number(policy::calls()[i].name); number >= 0)
            numbers.emplace_back(number, i);
    std::sort(numbers.begin(), numbers.end());
    out << "/// A call's number and the index of its row; by number.\n"
           "inline constexpr std::pair<int, unsigned short> kCallRows[] = {\n";
    for (const auto& [number, row] : numbers) out << "    {" << number << ", " << row << "},\n";
    out << "};\n";
}

Result<void> write_header(std::ostream& out) {
    out << "// Written from src/jail/policy/syscalls.cpp during the build.\n#pragma once\n"
           "#include <linux/filter.h>\n\n#include <utility>\n\nnamespace cellblock::jail::built_in {\n";
    TRY(write_filter(out, Level::full, Watch::listener, "kFullFilter"));
    TRY(write_filter(out, Level::namespaced, Watch::listener, "kNamespacedFilter"));
    TRY(write_filter(out, Level::full, Watch::none, "kUnwatchedFullFilter"));
    TRY(write_filter(out, Level::namespaced, Watch::none, "kUnwatchedNamespacedFilter"));
    write_numbers(out);
    out << "}  // namespace cellblock::jail::built_in\n";
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_filters FILE\n";
        return 2;
    }
    std::ofstream file(argv[1]);
    const auto written = write_header(file);
    file.close();
    if (!written) std::cerr << written.error().sentence() << "\n";
    return written && file ? 0 : 1;
}
