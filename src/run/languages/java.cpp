// Java. What takes time is the start of javac, a program in Java itself, whose classes the virtual machine
// would read, check and link again for each program. An archive of them (class data sharing), made once for
// each toolchain, saves three quarters of that.
#include <algorithm>
#include <array>
#include <filesystem>

#include "run/languages/java_source.hpp"
#include "run/languages/rows.hpp"
#include "run/store.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;
namespace fs = std::filesystem;

constexpr std::array kSuffixes{".java"sv};
constexpr std::array kPrograms{"java"sv};
constexpr std::array kEntries{"Main.java"sv};
constexpr std::array kWellKnown{"/usr/local/bin"sv,
                                "/usr/bin"sv,
                                "/usr/lib/jvm/default-java/bin"sv,
                                "/usr/lib/jvm/*/bin"sv,
                                "/usr/java/*/bin"sv,
                                "~/.sdkman/candidates/java/current/bin"sv,
                                "~/.sdkman/candidates/java/*/bin"sv,
                                "~/.jdks/*/bin"sv,
                                "~/.local/share/mise/installs/java/*/bin"sv};

constexpr std::string_view kPrepared = "/opt/cellblock/java";
constexpr std::string_view kCompiler = "com.sun.tools.javac.Main";

// Compiled to fill the archive: a class that the compiler needs for none of this is loaded as ever.
constexpr std::string_view kTraining = R"java(import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;
import java.util.stream.*;

public class Training {
    interface Shape { double area(); }
    static final class Circle implements Shape {
        private final double radius;
        Circle(double radius) { this.radius = radius; }
        @Override public double area() { return Math.PI * radius * radius; }
    }
    enum Colour { RED, GREEN }
    static abstract class Base<T extends Comparable<T>> {
        protected final List<T> values = new ArrayList<>();
        abstract T best() throws IOException;
    }
    static class Derived extends Base<Integer> {
        @Override Integer best() { return Collections.max(values); }
    }
    static int sum(int... numbers) {
        int total = 0;
        for (int number : numbers) total += number;
        return total;
    }
    public static void main(String[] args) throws Exception {
        Map<String, List<Integer>> byName = new HashMap<>();
        for (int i = 0; i < 10; i++) byName.computeIfAbsent("n" + i % 3, key -> new ArrayList<>()).add(i);
        Function<Integer, Integer> twice = x -> x * 2;
        Supplier<Shape> shapes = () -> new Circle(2);
        System.out.println(IntStream.range(0, 5).boxed().map(twice).collect(Collectors.toList()));
        System.out.printf("%s %.2f %d%n", byName, shapes.get().area(), sum(1, 2, 3));
        switch (Colour.values()[args.length % 2]) {
            case RED: System.out.println("red"); break;
            default: System.err.println("other");
        }
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            String line;
            while ((line = in.readLine()) != null) System.out.println(line.trim().split(" ")[0]);
        } catch (IOException | IllegalStateException error) {
            throw new RuntimeException(error);
        } finally {
            long bits = (1L << 3) ^ ~0xffL;
            char letter = (char) ('a' + bits % 3);
            StringBuilder text = new StringBuilder().append(letter).append(bits).reverse();
            int[][] grid = {{1, 2}, {3}};
            grid[0][1] += grid.length > 1 ? 1 : 0;
            do { text.append(grid[0][1]--); } while (grid[0][1] > 0);
        }
        Thread thread = new Thread(() -> System.out.println(Thread.currentThread().getName()));
        thread.start();
        thread.join();
        Object any = new Derived();
        if (any instanceof Base) System.out.println(((Base<?>) any).values.isEmpty());
        synchronized (any) { Optional.of(1).ifPresent(System.out::println); }
    }
}
)java";

/// Debian's JDK keeps its configuration below /etc, and lib/jvm.cfg, without which it does not start.
std::vector<std::string> places_of(const fs::path& home) {
    std::vector<std::string> places{home.string()};
    for (const char* name : {"lib/jvm.cfg", "conf/net.properties", "conf/security/java.security"}) {
        std::error_code error;
        const fs::path real = fs::canonical(home / name, error);
        if (error || !real.string().starts_with("/etc/")) continue;
        auto part = std::next(real.begin(), 2);
        std::string place = (fs::path("/etc") / *part).string();
        if (std::ranges::find(places, place) == places.end()) places.push_back(std::move(place));
    }
    return places;
}

Result<Toolchain> find(const Search& search) {
    for (const FoundProgram& program : find_programs(search, "javac", kWellKnown)) {
        const fs::path home = fs::path(program.real).parent_path().parent_path();
        const std::string java = (home / "bin/java").string();
        const std::vector<std::string> files{java, program.real, (home / "release").string(),
                                             (home / "lib/modules").string(),
                                             (home / "lib/server/libjvm.so").string()};
        std::error_code error;
        if (!fs::exists(java, error) || !fs::exists(files[3], error)) continue;
        Toolchain toolchain;
        toolchain.path = java;
        toolchain.id = "java\n" + identity_of(files);
        toolchain.mounts = TRY(show_in_place(search, places_of(home)));
        toolchain.version = Invocation{{java, "-XX:TieredStopAtLevel=1", "--version"}, {}};
        return toolchain;
    }
    return no_toolchain(
        search, "a JDK (javac, with lib/modules)", kWellKnown,
        "Install a JDK, 11 or newer (a runtime alone has no compiler), or put its bin directory "
        "into PATH.");
}

/// javac without its launcher, which would be one process more.
std::vector<std::string> compiler(const Toolchain& toolchain) {
    return {toolchain.path, "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  // it ends before better code would pay
            "-XX:-UsePerfData", "-Xshare:auto"};
}

std::string archive() {
    return std::string(kPrepared) + "/javac.jsa";
}

std::vector<std::string> compiler_options() {
    // No processors: they are looked for in the class path, and would be code of the user's.
    return {std::string(kCompiler), "-proc:none", "-encoding", "UTF-8", "-g:source,lines"};
}

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

Preparation preparation(const Toolchain& toolchain) {
    Preparation result;
    result.files = {{"Training.java", std::string(kTraining)}};
    Invocation train{compiler(toolchain), {}};
    train.argv.push_back("-XX:ArchiveClassesAtExit=" + archive());
    append(train.argv, compiler_options());
    append(train.argv, {"-d", "/tmp/classes", "Training.java"});
    std::vector<std::string_view> parts{"java 1", kTraining, toolchain.id};
    parts.insert(parts.end(), train.argv.begin(), train.argv.end());
    result.key = store_key(parts);
    result.steps = {std::move(train)};
    result.target = kPrepared;
    return result;
}

std::string qualified(const JavaSource& source, const std::string& type) {
    return source.package.empty() ? type : source.package + "." + type;
}

/// The class to start: of the file that the program begins with, else the only one that has a main method.
Result<std::string> main_class(const Program& program) {
    std::vector<std::string> candidates;
    for (const File& file : program.files) {
        if (!file.path.ends_with(kSuffixes[0])) continue;
        const JavaSource source = read_java_source(file.content);
        const std::string stem = fs::path(file.path).stem().string();
        const auto& types = source.types_with_main;
        if (types.empty()) continue;
        const bool has_own = std::ranges::find(types, stem) != types.end();
        const std::string& type = has_own ? stem : types.front();
        if (file.path == program.entry) return qualified(source, type);
        candidates.push_back(qualified(source, type));
    }
    if (candidates.size() == 1) return candidates.front();
    if (candidates.empty()) {
        // Newer versions start other forms, too; what is wrong is theirs to say.
        const File* const entry = file_of(program, program.entry);
        const JavaSource source = read_java_source(entry == nullptr ? "" : entry->content);
        return qualified(source, source.public_type.empty() ? fs::path(program.entry).stem().string()
                                                            : source.public_type);
    }
    std::string list;
    for (const std::string& candidate : candidates) list += (list.empty() ? "" : ", ") + candidate;
    return Error("several classes have a main method: " + list)
        .with_remedy("Name the file of the one to start first, with --file.");
}

/// Absolute: it may run in another directory than it lies in.
std::string class_path(const Program& program) {
    std::string path = inside(kBuiltClasses) + ":" + std::string(jail::kHome);
    for (const std::string& jar : paths_with_suffix(program, ".jar")) path += ":" + inside(jar);
    return path;
}

std::string name_of(std::string_view code) {
    const JavaSource source = read_java_source(code);
    return (source.public_type.empty() ? "Main" : source.public_type) + ".java";
}

Result<Recipe> plan(const Toolchain& toolchain, const Program& program, const jail::Limits& limits) {
    const std::string main = TRY(main_class(program));
    const std::string built{kBuiltClasses};
    const std::string path = class_path(program);
    const std::vector<std::string> sources = paths_with_suffix(program, kSuffixes[0]);
    Recipe recipe;
    recipe.preparation = preparation(toolchain);
    Invocation compile{compiler(toolchain), {}};
    compile.argv.push_back("-XX:SharedArchiveFile=" + archive());
    append(compile.argv, compiler_options());
    append(compile.argv, {"-d", built, "-cp", path});
    append(compile.argv, as_arguments(sources));
    recipe.build = {std::move(compile)};
    recipe.artifacts = {built};
    recipe.needs_sources = program.files.size() > sources.size();
    // What the machine may use is not what the host has. The heap may be larger than the jail, so a program
    // that needs too much meets the jail's limit, as in every other language; but it begins small and grows
    // no faster than it must.
    const uint64_t memory = limits.memory.count >> 20U;
    recipe.run.argv = {toolchain.path,
                       "-Xms" + std::to_string(std::max<uint64_t>(memory / 8, 8)) + "m",
                       "-Xmx" + std::to_string(memory / 4 * 5) + "m",
                       "-XX:+UseSerialGC",
                       "-XX:-UsePerfData",
                       "-Xshare:auto",
                       "-Dfile.encoding=UTF-8",
                       "-Dstdout.encoding=UTF-8",
                       "-Dstderr.encoding=UTF-8",
                       "-cp",
                       path,
                       main};
    return recipe;
}

constexpr jail::Limits build_limits() {
    jail::Limits limits;
    limits.memory = 1_GiB;
    limits.processes = 256;  // threads of the virtual machine
    return limits;
}

}  // namespace

const Language kJava{
    .name = "java",
    .title = "Java",
    .suffixes = kSuffixes,
    .programs = kPrograms,
    .projects = {},
    .main_file = "Main.java",
    .entries = kEntries,
    .any_file_begins = true,
    .name_of = name_of,
    .find = find,
    .plan = plan,
    .build_limits = build_limits(),
    .build_time = std::chrono::seconds(60),
};

}  // namespace cellblock::run
