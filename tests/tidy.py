#!/usr/bin/env python3
"""tidy.py — holds the house's rules (ARCHITECTURE.md, CONTRIBUTING.md) as data and checks the tree.

usage: tests/tidy.py [--self-test] [FILE…]
Without FILE, all files of the tree. Prints `file:line: what is wrong: what to do`, one a line;
exit status 0 if there is nothing to say, 1 otherwise. --self-test sees each rule fire on a sample.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

FILE_LINES = 600
FUNCTION_LINES = 60
COLUMNS = 100
COLUMNS_ROW = 120
LEVELS = 3
PARAMETERS = 5

# Which folder may include which: the picture in ARCHITECTURE.md. Every folder may include itself.
ARROWS = {
    "storage/base": [],
    "storage": ["storage/base"],
    "sim/core": ["storage/base"],
    "sim/hart": ["sim/core", "storage/base"],
    "sim/device": ["sim/core", "storage/base"],
    "sim/board": ["sim/core", "sim/hart", "sim/device", "storage/base"],
    "jobs": ["storage/base"],
    "agent": ["jobs", "sim/core", "sim/hart", "sim/device", "sim/board", "storage", "storage/base"],
    "agent/verify": ["agent", "jobs", "sim/core", "sim/hart", "sim/device", "sim/board", "storage",
                     "storage/base"],
    "storage/remote": ["storage", "storage/base"],
    "platform/win32": [],
    "jobs/wire": ["jobs", "storage/base"],
    "agent/farm": ["agent", "agent/verify", "jobs/wire", "storage/remote", "jobs", "sim/core",
                   "sim/hart", "sim/device", "sim/board", "storage", "storage/base"],
    "coordinator/queue": ["jobs", "storage/base"],
    "coordinator": ["coordinator/queue", "jobs", "jobs/wire", "storage", "storage/remote",
                    "storage/base"],
    "cli/base": ["jobs", "storage", "storage/base"],
    "cli/farm": ["cli/base", "coordinator", "coordinator/queue", "agent/farm", "agent/verify",
                 "agent", "jobs/wire", "jobs", "storage/remote", "storage", "storage/base"],
    "cli": ["cli/base", "agent", "agent/verify", "jobs", "sim/core", "sim/hart", "sim/device",
            "sim/board", "storage", "storage/base"],
}

# Tests see what the program they are linked into sees, and the helpers.
SIMULATOR = ["sim/core", "sim/hart", "sim/device", "sim/board", "storage/base"]
EVERYTHING = list(ARROWS)
TEST_ARROWS = {
    "tests/storage/base": ["storage/base"],
    "tests/storage/remote": ["storage/remote", "storage", "storage/base"],
    "tests/storage": ["storage", "storage/base"],
    "tests/sim": SIMULATOR,
    "tests/jobs/wire": ["jobs/wire", "jobs", "storage/base"],
    "tests/jobs": ["jobs", "storage/base"],
    "tests": EVERYTHING,  # agent, cli, e2e, fuzz, bench, support, tools on the host
}

# Programs that run inside the simulated machine: no host library, includes beside themselves.
GUEST_FOLDERS = ("tests/guests/",)

# What SoftFloat's own sources want beside them; its names are theirs.
VENDOR = "cmake/softfloat"

# Exceptions by name: (rule, file) or (rule, file:function), and why. One that is not needed any
# more is reported, so that the list never grows stale.
EXCEPTIONS = {
    ("function-lines", "sim/hart/csr.c:read_machine"): "a switch, one register a case",
    ("function-lines", "sim/hart/decode.c:decode_instruction"): "a switch, one opcode a case",
    ("parameters", "tests/support/base_test.c:base_fails"): "its macro adds the call and its place",
    ("parameters", "coordinator/http.c:answer"): "the signature is libmicrohttpd's",
    ("parameters", "coordinator/http_exchange.c:query_each"): "the signature is libmicrohttpd's",
    ("parameters", "platform/posix/argp.c:argp_parse"): "the signature is glibc's",
    ("parameters", "platform/wasi/memory.c:mmap"): "the signature is POSIX's",
    ("parameters", "platform/wasi/process.c:posix_spawnp"): "the signature is POSIX's",
    ("typedef", "platform/win32/include/dirent.h"): "the name is POSIX's",
    ("typedef", "platform/posix/spawn.h"): "the name is POSIX's",
    ("typedef", "platform/win32/include/sys/select.h"): "the name is POSIX's",
    ("parameters", "platform/win32/memory.c:mmap"): "the signature is POSIX's",
    ("parameters", "platform/win32/process.c:posix_spawnp"): "the signature is POSIX's",
    ("prints", "platform/posix/argp.c"): "as glibc's it prints help and ends the program",
    ("prints", "platform/posix/qsort_r.c"): "as the library's it can tell nobody",
    ("prints", "platform/wasi/include/pthread.h"): "a wait that nobody can end",
    ("prints", "platform/win32/process.c"): "that is what execvp does",
    ("prints", "platform/wasi/process.c"): "that is what raise does; spawn.h's names",
    ("prints", "agent/farm/child.c"): "the end of a forked process",
    ("prints", "storage/base/check.c"): "a broken promise has nobody to return to",
    ("prints", "storage/base/log.c"): "it is the log",
}
# Pieces that one function includes once, in its middle: no guard.
PIECES = re.compile(r"sim/hart/interpreter_\w+\.h$")

# What state must never depend on (sim/): the host's clock, files, processes, randomness.
HOST_HEADERS = ("time.h", "sys/time.h", "unistd.h", "fcntl.h", "dirent.h", "sys/random.h",
                "sys/stat.h", "sys/types.h", "signal.h", "pthread.h", "threads.h", "locale.h")
# Functions with no bound or with hidden state; and what to use.
UNSAFE = {
    "gets": "fgets", "strcpy": "memcpy with a checked size", "strcat": "buf_append",
    "sprintf": "snprintf or buf_format", "vsprintf": "vsnprintf", "strtok": "strtok_r or a parser",
    "atoi": "a parser that checks", "atol": "a parser that checks", "atof": "a parser that checks",
    "rand": "the machine's seed", "srand": "the machine's seed", "alloca": "buf or an array",
    "localtime": "localtime_r", "gmtime": "gmtime_r", "tmpnam": "mkostemp", "mktemp": "mkostemp",
    "system": "posix_spawn",
}


def dotted(*parts):
    return ".".join(parts)


# Registries' hosts are configured where the program is built, never named here. Spelt in parts, so
# that this file keeps its own rule.
REGISTRIES = [
    dotted("debian", "org"), dotted("archive", "ubuntu", "com"), dotted("npmjs", "org"),
    dotted("npmjs", "com"), dotted("yarnpkg", "com"), dotted("pypi", "org"),
    dotted("pypi", "python", "org"), dotted("pythonhosted", "org"), dotted("docker", "io"),
    dotted("docker", "com"), dotted("quay", "io"), dotted("ghcr", "io"), dotted("gcr", "io"),
    dotted("crates", "io"), dotted("golang", "org"), dotted("rubygems", "org"),
    dotted("maven", "org"), dotted("maven", "apache", "org"), dotted("conda", "io"),
    dotted("githubusercontent", "com"), dotted("codeload", "github", "com"),
]
FORGE = dotted("github", "com").replace(".", r"\.")
REGISTRY = re.compile(
    r"(?<![\w-])((?:[\w-]+\.)*(?:%s))(?![\w.-]*\w)|%s/\S+/(?:archive|releases|raw)/|clone\s+\S*%s"
    % ("|".join(re.escape(host) for host in REGISTRIES), FORGE, FORGE))
UNFINISHED = re.compile(r"(?<![A-Za-z0-9_])(%s)(?![A-Za-z0-9_])"
                        % "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]))
HOME = re.compile(r"(?<![\w.$}*])/(?:home|Users)/\w+")

C_FILE = re.compile(r"\.[ch]$")
WIDTH_FILE = re.compile(r"\.([chS]|py)$")
# A row of a table stays on one line: of a comment's table, of attributes, of macros that list.
ROW = re.compile(r"\s*(\*|/\*)?\s*\||\s*ATTR\w*\(|\s*[A-Z_]+\(.*\)$|#define .*X\(|.*[^ ] \\$")
BINARY_FOLDERS = ("tests/fuzz/corpus/", "tests/golden/")


class Source:
    """One file: its path from the top, its lines, and its C without comments and strings."""

    def __init__(self, path, text):
        self.path = path
        self.folder = os.path.dirname(path)
        self.text = text
        self.lines = text.split("\n")
        self.is_c = C_FILE.search(path) is not None
        self.is_guest = path.startswith(GUEST_FOLDERS) and self.folder not in GUEST_FOLDERS
        self.code = strip_c(text).split("\n") if self.is_c else []


C_NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def strip_c(text):
    """C without comments and the insides of strings; line numbers and columns stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    def keep_includes(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match.group()[0] == '"' and text[line_start:].lstrip().startswith("#include"):
            return match.group()
        return blank(match)
    return C_NOISE.sub(keep_includes, text)


INCLUDE = re.compile(r"^\s*#\s*include\s*\"([^\"]+)\"")
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>")


def includes(source):
    for number, line in enumerate(source.code, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def allowed_folders(folder):
    """The arrows of a folder, or of the nearest one above it that has any."""
    for table in (ARROWS, TEST_ARROWS):
        if folder in table:
            return table[folder]
    if folder.startswith("tests/"):
        parent = os.path.dirname(folder)
        return allowed_folders(parent)
    return None


def may_include(folder, target):
    allowed = allowed_folders(folder)
    if target == folder or allowed is None or target in allowed:
        return True
    return folder.startswith("tests") and target.startswith("tests")


def rule_arrow(source):
    if not source.is_c or source.is_guest or source.folder == VENDOR:
        return
    for number, name in includes(source):
        target = os.path.dirname(name)
        if target == "" and not name.startswith("softfloat"):
            yield number, "include \"%s\" is not written from the top" % name, \
                "write the folder too"
        elif target != "" and allowed_folders(source.folder) is None:
            yield number, "folder %s has no arrows" % source.folder, \
                "add it to ARROWS in tests/tidy.py and to the picture in ARCHITECTURE.md"
        elif target != "" and not may_include(source.folder, target):
            yield number, "%s may not include %s" % (source.folder, name), \
                "turn the dependency around, or move the code (ARCHITECTURE.md)"


def rule_host_header(source):
    if not source.path.startswith("sim/"):
        return
    for number, line in enumerate(source.code, 1):
        match = SYSTEM_INCLUDE.match(line)
        if match and match.group(1) in HOST_HEADERS:
            yield number, "the simulator includes <%s>" % match.group(1), \
                "state must not depend on the host: take it through a seam"


def rule_long(source):
    if not source.path.startswith("sim/"):
        return
    for number, line in enumerate(source.code, 1):
        if re.search(r"\blong\b", re.sub(r"\blong\s+long\b", "", line)):
            yield number, "`long` has another size on other hosts", "use int32_t or int64_t"


def rule_typedef(source):
    for number, line in enumerate(source.code, 1):
        if re.search(r"\btypedef\s+(struct|union|enum)\b", line) and not source.is_guest:
            yield number, "a struct, union or enum hides behind a typedef", "say `struct name`"


def rule_unsafe(source):
    if source.path.startswith("tests/"):
        return
    for number, line in enumerate(source.code, 1):
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
            if match.group(1) in UNSAFE:
                yield number, "%s is not safe" % match.group(1), "use " + UNSAFE[match.group(1)]


def rule_prints(source):
    if source.path.startswith(("tests/", "cli/")):
        return
    for number, line in enumerate(source.code, 1):
        match = re.search(r"(?<![\w.>])(printf|puts|putchar|perror|exit|_exit|abort)\s*\(", line)
        if match or re.search(r"(?<![\w.>])f(printf|puts|putc)\s*\(.*\b(stderr|stdout)\b", line):
            yield number, "a library prints or ends the program", \
                "return an error (struct err), or CHECK a promise; only cli/ prints and exits"


def rule_file_lines(source):
    if re.search(r"\.([chS]|py)$", source.path) and len(source.lines) - 1 > FILE_LINES:
        yield FILE_LINES + 1, "%d lines, at most %d" % (len(source.lines) - 1, FILE_LINES), \
            "split the file along an idea"


def rule_columns(source):
    if not WIDTH_FILE.search(source.path):
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > (COLUMNS_ROW if ROW.match(line) else COLUMNS):
            yield number, "%d columns, at most %d" % (len(line), COLUMNS), "break the line"


def functions(source):
    """(name, head, first line, line of the brace, last line) of each; the brace is in column 0."""
    start = None
    for index, line in enumerate(source.code):
        if line.startswith("{"):
            start = index
        elif line.startswith("}") and start is not None:
            first = start
            while first > 0 and re.match(r"[^#;}]*$", source.code[first - 1]) and \
                    source.code[first - 1].strip() != "":
                first -= 1
            head = " ".join(source.code[first:start])
            match = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
            yield match.group(1) if match else "?", head, first, start, index
            start = None


def rule_function_lines(source):
    for name, _, first, _, last in functions(source):
        if last - first + 1 > FUNCTION_LINES:
            yield first + 1, "function %s has %d lines, at most %d" % \
                (name, last - first + 1, FUNCTION_LINES), "give its parts names", name


def parameters(head):
    """How many parameters the function's head has; commas inside parentheses do not count."""
    inside = head[head.find("(") + 1:head.rfind(")")]
    depth, count = 0, 1
    for character in inside:
        depth += (character == "(") - (character == ")")
        count += character == "," and depth == 0
    return 0 if inside.strip() in ("", "void") else count


def rule_parameters(source):
    if source.is_guest:
        return
    for name, head, first, _, _ in functions(source):
        count = parameters(head)
        # `struct err *err` comes last wherever something can fail: it is not counted.
        if count - bool(re.search(r"struct err \*err\)\s*$", head)) > PARAMETERS:
            yield first + 1, "function %s has %d parameters, at most %d and err" % \
                (name, count, PARAMETERS), "pass an options struct", name


STATEMENT = re.compile(r"( +)(?:if|for|while|do|switch|return|break|continue|goto)\b")


def rule_levels(source):
    for name, _, _, start, last in functions(source):
        for index in range(start, last):
            match = STATEMENT.match(source.code[index])
            if match and len(match.group(1)) > 4 * (LEVELS + 1):
                yield index + 1, "function %s goes over %d levels deep" % (name, LEVELS), \
                    "return early, or give the inner loop a name", name
                break


def rule_unfinished(source):
    for number, line in enumerate(source.lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, "%s" % match.group(1), "do it now, or say in the issue what is missing"


def rule_registry(source):
    for number, line in enumerate(source.lines, 1):
        if REGISTRY.search(line):
            yield number, "a registry's or mirror's host name", \
                "use what the machine's package tools are configured with"


def rule_home(source):
    for number, line in enumerate(source.lines, 1):
        if HOME.search(line):
            yield number, "a path of somebody's machine", "use a relative path or a variable"


def rule_blank(source):
    for number, line in enumerate(source.lines, 1):
        if line != line.rstrip():
            yield number, "space at the end of the line", "remove it"
        if "\t" in line and re.search(r"\.([ch]|py|md|yaml)$", source.path):
            yield number, "a tab", "use spaces"
    if source.text and not source.text.endswith("\n"):
        yield len(source.lines), "no newline at the end of the file", "add one"


def rule_guard(source):
    if not source.path.endswith(".h") or source.is_guest or source.folder == VENDOR:
        return
    if PIECES.match(source.path):
        return
    if not re.search(r"^#ifndef (THAW_\w+_H)\n#define \1$", source.text, re.M):
        yield 1, "no include guard THAW_…_H", "add #ifndef, #define and #endif"


RULES = {
    "arrow": rule_arrow, "host-header": rule_host_header, "long": rule_long,
    "typedef": rule_typedef, "unsafe": rule_unsafe, "prints": rule_prints,
    "file-lines": rule_file_lines, "columns": rule_columns, "function-lines": rule_function_lines,
    "parameters": rule_parameters, "levels": rule_levels, "unfinished": rule_unfinished,
    "registry": rule_registry, "home": rule_home, "blank": rule_blank, "guard": rule_guard,
}


def find_cycle(graph):
    """A list of nodes that leads back to its first, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for target in graph.get(node, ()):
            cycle = visit(target)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for node in sorted(graph):
        cycle = visit(node)
        if cycle:
            return cycle
    return None


def check_graph(sources):
    """Arrows and includes must not run in circles; what is included must be there."""
    cycle = find_cycle(ARROWS)
    if cycle:
        yield "tests/tidy.py", 1, "arrow", "arrows run in a circle: " + " -> ".join(cycle), \
            "remove one", None
    known = {source.path for source in sources}
    graph = {}
    for source in sources:
        if not source.is_c or source.is_guest:
            continue
        graph[source.path] = [name for _, name in includes(source)]
        for number, name in includes(source):
            if "/" in name and name not in known:
                yield source.path, number, "arrow", "%s is not in the tree" % name, \
                    "add it, or correct the name", None
    cycle = find_cycle(graph)
    if cycle:
        yield cycle[0], 1, "arrow", "includes run in a circle: " + " -> ".join(cycle), \
            "move what both need into a header of its own", None


def check(sources, exceptions, whole):
    """All findings, as (path, line, rule, what, to do), and the exceptions that were used."""
    findings, used = [], set()
    for source in sources:
        for rule, function in RULES.items():
            for finding in function(source):
                findings.append((source.path, finding[0], rule) + (finding[1:] + (None,))[:3])
    if whole:
        findings += check_graph(sources)
    kept = []
    for path, line, rule, what, do, name in findings:
        keys = [(rule, path), (rule, "%s:%s" % (path, name))]
        hits = [key for key in keys if key in exceptions]
        used.update(hits)
        if not hits:
            kept.append((path, line, rule, what, do))
    if whole:
        for rule, name in sorted(set(exceptions) - used):
            kept.append(("tests/tidy.py", 1, rule, "the exception for %s is not needed" % name,
                         "remove it"))
    return kept


def tree():
    """Paths of all files of the tree, from git if it is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        paths = [name for name in listed.decode().split("\0") if name]
        if paths:
            return sorted(set(paths))
    except (OSError, subprocess.CalledProcessError):
        pass
    paths = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", "build", "out")]
        paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(paths)


def read(paths):
    for path in paths:
        full = os.path.join(ROOT, path)
        if path.startswith(BINARY_FOLDERS) or os.path.islink(full) or not os.path.isfile(full):
            continue
        with open(full, "rb") as file:
            data = file.read()
        if b"\0" in data:
            continue
        yield Source(path, data.decode("utf-8", "replace"))


def main(arguments):
    if "--self-test" in arguments:
        import tidy_self_test  # beside this file
        return tidy_self_test.run()
    paths = [os.path.relpath(os.path.abspath(name), ROOT) for name in arguments]
    findings = check(list(read(paths or tree())), EXCEPTIONS, not paths)
    for path, line, rule, what, do in sorted(findings):
        print("%s:%d: %s: %s [%s]" % (path, line, what, do, rule))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv[1:]))
