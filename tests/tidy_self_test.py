"""tidy_self_test.py — sees each rule of tidy.py fire on a sample, and stay quiet on a good one."""
import sys

import tidy


def long_function(lines):
    return "static int f(int a)\n{\n" + "    a++;\n" * (lines - 3) + "}\n"


GUARD = "#ifndef THAW_X_H\n#define THAW_X_H\n#endif\n"
UNDONE = "TO" + "DO"
MIRROR = "https://deb." + "debian" + ".org/debian"
FORGE = "github" + ".com"

# rule, path, text that must make the rule fire, text that must not
SAMPLES = [
    ("arrow", "sim/core/x.c", '#include "storage/store.h"\n', '#include "storage/base/err.h"\n'),
    ("arrow", "sim/device/x.c", '#include "sim/hart/hart.h"\n', '#include "sim/core/bus.h"\n'),
    ("arrow", "sim/core/x.c", '#include "sim/board/virt.h"\n', '#include "sim/core/attr.h"\n'),
    ("arrow", "sim/hart/x.c", '#include "sim/device/plic.h"\n', '#include "sim/hart/trap.h"\n'),
    ("arrow", "storage/base/x.c", '#include "storage/store.h"\n', "#include <stdio.h>\n"),
    ("arrow", "storage/x.c", '#include "sim/core/machine.h"\n', '#include "storage/pack.h"\n'),
    ("arrow", "jobs/x.c", '#include "agent/session.h"\n', '#include "jobs/yaml.h"\n'),
    ("arrow", "jobs/x.c", '#include "storage/store.h"\n', '/* #include "storage/store.h" */\n'),
    ("arrow", "agent/x.c", '#include "cli/command.h"\n', '#include "storage/store.h"\n'),
    ("arrow", "cli/x.c", '#include "tests/support/base_test.h"\n', '#include "agent/session.h"\n'),
    ("arrow", "agent/x.c", '#include "session.h"\n', '#include "agent/session.h"\n'),
    ("arrow", "agent/x.c", '#include "../jobs/yaml.h"\n', '#include "jobs/yaml.h"\n'),
    ("arrow", "elsewhere/x.c", '#include "jobs/yaml.h"\n', "int x;\n"),
    ("arrow", "tests/storage/base/x.c", '#include "storage/store.h"\n',
     '#include "tests/support/base_test.h"\n'),
    ("arrow", "tests/sim/core/x.c", '#include "agent/session.h"\n',
     '#include "sim/board/virt.h"\n'),
    ("host-header", "sim/core/x.c", "#include <time.h>\n", "#include <string.h>\n"),
    ("host-header", "sim/hart/x.c", "#  include <unistd.h>\n", "/* <unistd.h> */\n"),
    ("long", "sim/core/x.c", "unsigned long x;\n", "unsigned long long x; /* not long */\n"),
    ("typedef", "jobs/x.h", "typedef struct a { int b; } a;\n", "typedef void f(struct a *a);\n"),
    ("unsafe", "jobs/x.c", "strcpy(a, b);\n", "my_strcpy(a, b); x.system(a); // strcpy(a)\n"),
    ("unsafe", "cli/x.c", "    int x = atoi (a);\n", "    text = \"atoi(a)\";\n"),
    ("prints", "agent/x.c", "    printf(a);\n", "    snprintf(a, 1, b);\n"),
    ("prints", "storage/x.c", "    fprintf(stderr, a);\n", "    fprintf(file, a);\n"),
    ("prints", "storage/x.c", "    exit(1);\n", "    job->exit(1);\n"),
    ("file-lines", "jobs/x.c", "int x;\n" * 601, "int x;\n" * 600),
    ("columns", "jobs/x.c", "x" * 101 + "\n", "ü" * 100 + "\n"),
    ("columns", "jobs/x.h", " * |" + "x" * 120 + "\n", " * |" + "x" * 110 + "\n"),
    ("function-lines", "jobs/x.c", long_function(61), long_function(60)),
    ("parameters", "jobs/x.c", "int f(int a, int b, int c,\n      int d, int e, int f)\n{\n}\n",
     "int f(int a, int b, int c, bool (*d)(int, int),\n      int e, struct err *err)\n{\n}\n"),
    ("levels", "jobs/x.c", "int f(int a)\n{\n" + " " * 20 + "if (a)\n}\n",
     "int f(int a)\n{\n" + " " * 16 + "if (a)\n" + " " * 20 + "a++;\n}\n"),
    ("unfinished", "README.md", UNDONE + ": more\n", "nothing " + UNDONE.lower() + " here\n"),
    ("unfinished", "jobs/x.c", "// " + "X" * 3 + " why\n", 'mktemp("file-' + "X" * 6 + '")\n'),
    ("registry", "deploy/x", MIRROR + "\n", "apt-get install debian-archive-keyring\n"),
    ("registry", "README.md", "from registry." + "npmjs" + ".org\n", "see riscv.org\n"),
    ("registry", "deploy/x", "FROM " + "docker" + ".io/debian\n", "docker.iox, a.quay.iota\n"),
    ("registry", "deploy/x", "git clone https://" + FORGE + "/a/b\n", "https://" + FORGE + "/a\n"),
    ("registry", "deploy/x", "curl https://" + FORGE + "/a/b/archive/x.tar\n", "curl x\n"),
    ("home", "README.md", "see /ho" + "me/ann/thaw\n", "$HOME/thaw, ${x}/ho" + "me/y\n"),
    ("blank", "jobs/x.c", "int x; \n", "int x;\n"),
    ("blank", "jobs/x.c", "\tint x;\n", "    int x;\n"),
    ("blank", "jobs/x.c", "int x;", "int x;\n"),
    ("guard", "jobs/x.h", "int x;\n", GUARD),
]


def fires(rule, path, text):
    return list(tidy.RULES[rule](tidy.Source(path, text)))


def check_samples():
    for rule, path, bad, good in SAMPLES:
        if not fires(rule, path, bad):
            yield "%s does not fire on %r" % (rule, bad[:60])
        if fires(rule, path, good):
            yield "%s fires on %r" % (rule, good[:60])
    for rule in sorted(set(tidy.RULES) - {sample[0] for sample in SAMPLES}):
        yield "%s has no sample" % rule


def whats(sources, exceptions):
    return [finding[3] for finding in tidy.check(sources, exceptions, True)]


def check_whole():
    """Rules that need more than one file, and exceptions."""
    one = tidy.Source("jobs/a.h", GUARD + '#include "jobs/b.h"\n')
    two = tidy.Source("jobs/b.h", GUARD + '#include "jobs/a.h"\n')
    good = tidy.Source("jobs/b.h", GUARD)
    loud = tidy.Source("jobs/c.c", long_function(61))
    if not any("circle" in what for what in whats([one, two], {})):
        yield "includes that run in a circle are not found"
    if whats([one, good], {}):
        yield "a good pair of headers is not quiet"
    if not any("not in the tree" in what for what in whats([one], {})):
        yield "an include of nothing is not found"
    if whats([loud], {("function-lines", "jobs/c.c:f"): "why"}):
        yield "an exception does not work"
    if not any("not needed" in what for what in whats([good], {("columns", "jobs/x.c"): "why"})):
        yield "an exception that is not needed is not found"
    if tidy.find_cycle({"a": ["b"], "b": ["c"], "c": ["a"]}) is None:
        yield "a circle of three is not found"
    if tidy.find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is not None:
        yield "two ways to one place are taken for a circle"
    found = fires("levels", "jobs/x.c", "int f(int a)\n{\n\n" + " " * 20 + "return;\n}\n")
    if not found or found[0][0] != 4:
        yield "line numbers are wrong"


def run():
    problems = list(check_samples()) + list(check_whole())
    for problem in problems:
        print("tests/tidy.py: self-test: " + problem, file=sys.stderr)
    return 1 if problems else 0
