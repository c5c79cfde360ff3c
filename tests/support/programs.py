"""The same small programs in every language that `cellblock run` knows."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Language:
    """Code by what it does. Compiled languages have only what differs from the others of their kind in `run`."""
    name: str
    suffix: str
    hello: str          # prints "Hello, wörld" to stdout and "to stderr" to stderr
    files: str          # writes and reads a file, prints "7 bytes"
    inputs: str         # prints its arguments, one a line, and then the lines that it reads in capitals
    status: str         # ends with status 3
    uncaught: str       # ends with an error that nobody handles, in line 3 or below
    uncaught_says: str  # what the language's runtime writes about it
    uncaught_status: int
    broken: str         # has an error that its compiler finds; for those without a compiler, its parser
    broken_says: str
    endless: str        # uses CPU time until it is stopped, after it has said "begun"
    greedy: str         # takes memory until it is stopped
    flood: str          # writes to stdout until it is stopped
    binary: str         # writes the bytes ff fe 00 61
    threads: str        # adds up 1…1000 in four threads, prints 500500
    project: dict = field(default_factory=dict)  # files of a project that prints "project: 42"
    tested: str = ""    # a function `add`, for the shipped tests
    tests: str = ""     # one check of it that holds and one that does not
    wrong: str = ""     # code whose line 3 raises, or does not compile, within the shipped tests


PYTHON = Language(
    "python", ".py",
    hello='import sys\nprint("Hello, wörld")\nprint("to stderr", file=sys.stderr)\n',
    files='with open("data.txt", "w") as f: f.write("7 bytes")\nprint(open("data.txt").read())\n',
    inputs='import sys\nprint(*sys.argv[1:], sep="\\n")\nfor line in sys.stdin: print(line.strip().upper())\n',
    status="raise SystemExit(3)\n",
    uncaught='def f():\n    # line 2\n    raise ValueError("oh no")\nf()\n',
    uncaught_says="ValueError: oh no", uncaught_status=1,
    broken="x = = 1\n", broken_says="SyntaxError",
    endless='print("begun")\nwhile True: pass\n',
    greedy="x = []\nwhile True: x.append(bytearray(1 << 20))\n",
    flood='while True: print("x" * 1000)\n',
    binary='import sys\nsys.stdout.buffer.write(b"\\xff\\xfe\\x00a")\n',
    threads="import threading\ntotal, lock = 0, threading.Lock()\ndef f(k):\n    global total\n"
            "    for i in range(k, 1001, 4):\n        with lock: total += i\n"
            "ts = [threading.Thread(target=f, args=(k,)) for k in range(4)]\n"
            "[t.start() for t in ts]; [t.join() for t in ts]\nprint(total)\n",
    project={"main.py": "from package.part import answer\nprint('project:', answer())\n", "package/__init__.py": "",
             "package/part.py": "def answer(): return 42\n"},
    tested="def add(a, b):\n    return a + b\n",
    tests='check("adds", add(1, 2), 3)\ncheck("is wrong", add(1, 2), 4)\n',
    wrong="def add(a, b):\n    # line 2\n    return a + missing\n")

JAVASCRIPT = Language(
    "javascript", ".js",
    hello='console.log("Hello, wörld");\nconsole.error("to stderr");\n',
    files='const fs = require("fs");\nfs.writeFileSync("data.txt", "7 bytes");\n'
          'console.log(fs.readFileSync("data.txt", "utf8"));\n',
    inputs='for (const a of process.argv.slice(2)) console.log(a);\n'
           'for (const l of require("fs").readFileSync(0, "utf8").trim().split("\\n")) console.log(l.toUpperCase());\n',
    status="process.exit(3);\n",
    uncaught='function f() {\n  // line 2\n  throw new Error("oh no");\n}\nf();\n',
    uncaught_says="Error: oh no", uncaught_status=1,
    broken="let x = = 1;\n", broken_says="SyntaxError",
    endless='console.log("begun");\nwhile (true);\n',
    greedy="const x = [];\nwhile (true) x.push(Buffer.alloc(1 << 20, 1));\n",
    flood='const fs = require("fs");\nwhile (true) fs.writeSync(1, "x".repeat(1000) + "\\n");\n',
    binary="process.stdout.write(Buffer.from([0xff, 0xfe, 0, 0x61]));\n",
    threads='const { Worker } = require("worker_threads");\nlet total = 0, left = 4;\n'
            'const code = "const { parentPort, workerData } = require(\'worker_threads\'); let t = 0;" +\n'
            '  "for (let i = workerData; i <= 1000; i += 4) t += i; parentPort.postMessage(t);";\n'
            'for (let k = 0; k < 4; k++)\n  new Worker(code, { eval: true, workerData: k }).on("message", (t) => {\n'
            "    total += t; if (--left === 0) console.log(total);\n  });\n",
    project={"package.json": '{"main": "lib/app.js"}', "lib/app.js": 'console.log("project:", require("dep")());\n',
             "node_modules/dep/index.js": "module.exports = () => 42;\n"},
    tested="function add(a, b) {\n  return a + b;\n}\n",
    tests='check("adds", add(1, 2), 3);\ncheck("is wrong", add(1, 2), 4);\n',
    wrong="function add(a, b) {\n  // line 2\n  return a + missing;\n}\n")

GO = Language(
    "go", ".go",
    hello='package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n\tfmt.Println("Hello, wörld")\n'
          '\tfmt.Fprintln(os.Stderr, "to stderr")\n}\n',
    files='package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n'
          '\tos.WriteFile("data.txt", []byte("7 bytes"), 0o644)\n\tb, _ := os.ReadFile("data.txt")\n'
          '\tfmt.Println(string(b))\n}\n',
    inputs='package main\n\nimport (\n\t"bufio"\n\t"fmt"\n\t"os"\n\t"strings"\n)\n\nfunc main() {\n'
           '\tfor _, a := range os.Args[1:] {\n\t\tfmt.Println(a)\n\t}\n\tin := bufio.NewScanner(os.Stdin)\n'
           '\tfor in.Scan() {\n\t\tfmt.Println(strings.ToUpper(in.Text()))\n\t}\n}\n',
    status='package main\n\nimport "os"\n\nfunc main() { os.Exit(3) }\n',
    uncaught='package main\n\nfunc main() { panic("oh no") }\n',
    uncaught_says="panic: oh no", uncaught_status=2,
    broken="package main\n\nfunc main() { x := 1 }\n", broken_says="main.go:3:15: ",
    endless='package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("begun")\n\tfor {\n\t}\n}\n',
    greedy="package main\n\nfunc main() {\n\tvar x [][]byte\n\tfor {\n\t\tb := make([]byte, 1<<20)\n"
           "\t\tfor i := range b {\n\t\t\tb[i] = 1\n\t\t}\n\t\tx = append(x, b)\n\t}\n}\n",
    flood='package main\n\nimport "os"\n\nfunc main() {\n\tb := make([]byte, 1000)\n\tfor {\n\t\tos.Stdout.Write(b)\n\t}\n}\n',
    binary='package main\n\nimport "os"\n\nfunc main() { os.Stdout.Write([]byte{0xff, 0xfe, 0, 0x61}) }\n',
    threads='package main\n\nimport (\n\t"fmt"\n\t"sync"\n)\n\nfunc main() {\n\tvar all sync.WaitGroup\n'
            '\tparts := make([]int, 4)\n\tfor k := 0; k < 4; k++ {\n\t\tall.Add(1)\n\t\tgo func(k int) {\n'
            '\t\t\tdefer all.Done()\n\t\t\tfor i := k; i <= 1000; i += 4 {\n\t\t\t\tparts[k] += i\n\t\t\t}\n\t\t}(k)\n\t}\n'
            '\tall.Wait()\n\tfmt.Println(parts[0] + parts[1] + parts[2] + parts[3])\n}\n',
    project={"go.mod": "module example.com/project\n\ngo 1.18\n",
             "main.go": 'package main\n\nimport (\n\t"fmt"\n\n\t"example.com/project/part"\n)\n\n'
                        'func main() { fmt.Println("project:", part.Answer()) }\n',
             "part/part.go": "package part\n\nfunc Answer() int { return 42 }\n"},
    tested="package main\n\nfunc add(a, b int) int { return a + b }\n",
    tests='check("adds", add(1, 2), 3)\ncheck("is wrong", add(1, 2), 4)\n',
    wrong="package main\n\nfunc add(a, b int) int { return a + missing }\n")

RUST = Language(
    "rust", ".rs",
    hello='fn main() {\n    println!("Hello, wörld");\n    eprintln!("to stderr");\n}\n',
    files='fn main() {\n    std::fs::write("data.txt", "7 bytes").unwrap();\n'
          '    println!("{}", std::fs::read_to_string("data.txt").unwrap());\n}\n',
    inputs="fn main() {\n    for a in std::env::args().skip(1) {\n        println!(\"{}\", a);\n    }\n"
           "    for l in std::io::stdin().lines() {\n        println!(\"{}\", l.unwrap().to_uppercase());\n    }\n}\n",
    status="fn main() {\n    std::process::exit(3);\n}\n",
    uncaught='fn main() {\n    // line 2\n    panic!("oh no");\n}\n',
    uncaught_says="oh no", uncaught_status=101,
    broken="fn main() {\n    let x: i32 = \"a\";\n}\n", broken_says="error[E0308]",
    endless='fn main() {\n    println!("begun");\n    loop {\n        std::hint::spin_loop();\n    }\n}\n',
    greedy="fn main() {\n    let mut x = Vec::new();\n    loop {\n        x.push(vec![1u8; 1 << 20]);\n    }\n}\n",
    flood='fn main() {\n    loop {\n        println!("{}", "x".repeat(1000));\n    }\n}\n',
    binary="use std::io::Write;\nfn main() {\n    std::io::stdout().write_all(&[0xff, 0xfe, 0, 0x61]).unwrap();\n}\n",
    threads="fn main() {\n    let parts: Vec<_> = (0..4)\n"
            "        .map(|k| std::thread::spawn(move || (k..=1000).step_by(4).sum::<u32>()))\n        .collect();\n"
            '    println!("{}", parts.into_iter().map(|t| t.join().unwrap()).sum::<u32>());\n}\n',
    project={"Cargo.toml": '[package]\nname = "project"\nversion = "0.1.0"\nedition = "2021"\n',
             "src/main.rs": 'mod part;\nfn main() {\n    println!("project: {}", part::answer());\n}\n',
             "src/part.rs": "pub fn answer() -> i32 {\n    42\n}\n"},
    tested="fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    tests='check("adds", add(1, 2), 3);\ncheck("is wrong", add(1, 2), 4);\n',
    wrong="fn add(a: i32, b: i32) -> i32 {\n    // line 2\n    a + missing\n}\n")

JAVA = Language(
    "java", ".java",
    hello='public class Main {\n    public static void main(String[] a) {\n'
          '        System.out.println("Hello, wörld");\n        System.err.println("to stderr");\n    }\n}\n',
    files='import java.nio.file.*;\npublic class Main {\n    public static void main(String[] a) throws Exception {\n'
          '        Files.writeString(Path.of("data.txt"), "7 bytes");\n'
          '        System.out.println(Files.readString(Path.of("data.txt")));\n    }\n}\n',
    inputs='import java.io.*;\npublic class Main {\n    public static void main(String[] a) throws Exception {\n'
           '        for (String s : a) System.out.println(s);\n'
           '        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));\n'
           '        for (String l; (l = in.readLine()) != null; ) System.out.println(l.toUpperCase());\n    }\n}\n',
    status="public class Main {\n    public static void main(String[] a) { System.exit(3); }\n}\n",
    uncaught='public class Main {\n    public static void main(String[] a) {\n'
             '        throw new IllegalStateException("oh no");\n    }\n}\n',
    uncaught_says="IllegalStateException: oh no", uncaught_status=1,
    broken="public class Main {\n    int x = \"a\";\n}\n", broken_says="Main.java:2: error: incompatible types",
    endless='public class Main {\n    public static void main(String[] a) {\n        System.out.println("begun");\n'
            "        while (true) Thread.onSpinWait();\n    }\n}\n",
    greedy="public class Main {\n    public static void main(String[] a) {\n"
           "        var x = new java.util.ArrayList<byte[]>();\n        while (true) x.add(new byte[1 << 20]);\n    }\n}\n",
    flood='public class Main {\n    public static void main(String[] a) {\n        String x = "x".repeat(1000);\n'
          "        while (true) System.out.println(x);\n    }\n}\n",
    binary="public class Main {\n    public static void main(String[] a) {\n"
           "        for (int b : new int[] {0xff, 0xfe, 0, 0x61}) System.out.write(b);\n        System.out.flush();\n    }\n}\n",
    threads="public class Main {\n    public static void main(String[] a) throws Exception {\n"
            "        int[] parts = new int[4];\n        Thread[] ts = new Thread[4];\n        for (int k = 0; k < 4; k++) {\n"
            "            int n = k;\n            ts[k] = new Thread(() -> { for (int i = n; i <= 1000; i += 4) parts[n] += i; });\n"
            "            ts[k].start();\n        }\n        for (Thread t : ts) t.join();\n"
            "        System.out.println(parts[0] + parts[1] + parts[2] + parts[3]);\n    }\n}\n",
    project={"com/x/App.java": "package com.x;\npublic class App {\n    public static void main(String[] a) {\n"
                               '        System.out.println("project: " + Part.answer());\n    }\n}\n',
             "com/x/Part.java": "package com.x;\nclass Part {\n    static int answer() { return 42; }\n}\n"},
    tested="class Sum {\n    static int add(int a, int b) { return a + b; }\n}\n",
    tests='check("adds", Sum.add(1, 2), 3);\ncheck("is wrong", Sum.add(1, 2), 4);\n',
    wrong="class Sum {\n    // line 2\n    static int add(int a, int b) { return a + missing; }\n}\n")

LANGUAGES = (PYTHON, JAVASCRIPT, GO, RUST, JAVA)
