#!/usr/bin/env python3
"""Reads the source tree and says where it breaks its own rules.

usage: tidy.py FOLDER

Every rule is a function below, in documents.py or in mentions.py, that yields (path, line, what is wrong and what to do). ARCHITECTURE.md gives the reasons.
Exit status 1 when there is anything; warnings alone are printed and pass. tidy_test.py shows that every rule can fail.
"""
import os
import pathlib
import re
import sys

import documents
import mentions

# Which folders a folder may include; itself always.
LAYERS = {
    "core": set(),
    "spec": {"core"},
    "wire": {"core"},
    "http": {"core"},
    "auth": {"core", "http"},
    "state": {"core"},
    "store": {"core", "state"},
    "runtime": {"core", "http", "spec"},
    "scheduler": {"core", "wire", "http", "auth", "state", "spec"},
    "aistore": {"core", "wire", "http", "auth", "state", "spec", "scheduler"},
    "worker": {"core", "wire", "http", "auth", "state", "store", "runtime", "spec"},
    "cli": {"core", "http", "auth"},
    "sdk": set(),
    "app": {"core", "spec", "wire", "http", "auth", "state", "store", "runtime", "scheduler", "aistore", "worker", "cli"},
}
# Heavy or leaky third-party headers, and the only files that may include them.
WRAPPED = [
    (r"boost/beast", r"http/[^/]+\.cc|tests/fuzz/websocket\.cc"),
    (r"rocksdb/", r"state/[^/]+\.cc"),
    (r"zmq", r"wire/[^/]+\.cc|tests/unit/wire/[^/]+\.cc"),
    (r"spdlog/", r"core/log\.cc"),
    (r"prometheus/", r"core/metrics\.cc"),
]
# Parses of what somebody else wrote, and the only files that may call them: they bound depth, size and number.
BOUNDED_PARSES = [
    ("JSON", r"json::(parse|accept|sax_parse|from_\w+)\s*\(|json_sax|operator>>\s*\(.*json", ("core/json.cc",)),
    ("YAML", r"YAML::(Load\w*|Parser)\b", ("core/yaml_documents.cc",)),
    ("msgpack", r"msgpack::(unpack\w*|v\d::unpack|unpacker|parse)\s*\(|msgpack::unpacker", ("wire/codec.cc", "state/record.h", "store/object_record.cc")),
    ("patterns of the standard library", r"std::w?regex|\bfnmatch\s*\(", ()),
]
LINE_CHARS_MAX = 160
FILE_LINES_MAX = 600
ARCHITECTURE_LINES_MAX = 250

SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".cache"}
CODE = (".h", ".cc", ".py", ".cmake")
TEXT = CODE + (".md", ".txt", ".json", ".yaml", ".yml", ".sh", ".c")


class Tree:
    """The files of a source tree, read once."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
            inside = pathlib.Path(folder).relative_to(self.root)
            self.files += [(inside / name).as_posix() for name in sorted(names)]
        self._texts = {}

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def lines(self, path):
        return enumerate(self.text(path).splitlines(), 1)

    def named(self, *endings):
        return [path for path in self.files if path.endswith(endings)]

    def code(self):
        return self.named(*CODE, "CMakeLists.txt")

    def folders(self):
        """Every folder that has a file somewhere below it."""
        found = set()
        for path in self.files:
            found.update(parent.as_posix() for parent in pathlib.PurePosixPath(path).parents)
        return found - {"."}


def folder_of(path):
    return path.split("/", 1)[0] if "/" in path else ""


def includes(tree, path):
    """(line, kind, what) of every include; the kind is '"' or '<'."""
    for number, line in tree.lines(path):
        found = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if found:
            yield number, found[1], found[2]


def direction_of_includes(tree):
    for path in tree.named(".h", ".cc"):
        folder = folder_of(path)
        if folder not in LAYERS:
            continue
        for number, kind, what in includes(tree, path):
            used = folder_of(what)
            if kind != '"':
                continue
            if what not in tree.files:
                yield path, number, f'"{what}" does not exist; includes name the file from the top of the tree'
            elif used != folder and used not in LAYERS[folder]:
                yield path, number, f"{folder}/ must not include {used}/ (it may: {', '.join(sorted(LAYERS[folder])) or 'nothing'})"


def direction_of_libraries(tree):
    for folder, allowed in LAYERS.items():
        path = f"{folder}/CMakeLists.txt"
        if path not in tree.files:
            continue
        for number, line in tree.lines(path):
            for used in re.findall(r"\bmillrace_([a-z]+)\b", line):
                if used in LAYERS and used != folder and used not in allowed:
                    yield path, number, f"{folder} must not link {used}"


def included_files_exist(tree):
    for path in tree.named(".h", ".cc"):
        if folder_of(path) in LAYERS:
            continue  # direction_of_includes says so
        for number, kind, what in includes(tree, path):
            beside = (pathlib.PurePosixPath(path).parent / what).as_posix()
            if kind == '"' and what not in tree.files and beside not in tree.files:
                yield path, number, f'"{what}" does not exist, neither from the top of the tree nor beside this file'


def wrapped_libraries(tree):
    for path in tree.named(".h", ".cc"):
        for number, kind, what in includes(tree, path):
            for library, allowed in WRAPPED:
                if kind == "<" and re.match(library, what) and not re.fullmatch(allowed, path):
                    yield path, number, f"<{what}> may be included by {allowed} only; use our own header for it"


def parses_are_bounded(tree):
    for path in tree.named(".h", ".cc"):
        if folder_of(path) not in LAYERS:
            continue
        for number, line in tree.lines(path):
            code = line.split("//", 1)[0]
            for what, pattern, allowed in BOUNDED_PARSES:
                if re.search(pattern, code) and path not in allowed:
                    yield path, number, f"parses {what} without bounds: use {' or '.join(allowed)}"


def headers_have_a_purpose(tree):
    for path in tree.named(".h"):
        lines = tree.text(path).splitlines()
        paragraph = 0
        while paragraph < len(lines) and lines[paragraph].startswith("//"):
            paragraph += 1
        if paragraph == 0 or len(lines[0]) < 20:
            yield path, 1, "a header begins with a comment that says what it is for, what not, and on which thread"
        if paragraph >= len(lines) or lines[paragraph].strip() != "#pragma once":
            yield path, paragraph + 1, "'#pragma once' comes right behind the comment at the top"


def sources_are_listed(tree):
    listed = {}
    for path in tree.named("CMakeLists.txt"):
        here = pathlib.PurePosixPath(path).parent
        put_in_front = re.findall(r"TRANSFORM \w+ PREPEND \$\{CMAKE_SOURCE_DIR\}/(\S*)\)", tree.text(path))
        for number, line in tree.lines(path):
            for word in re.findall(r"[^\s()\"]+\.cc\b", line.split("#", 1)[0]):
                word = word.replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
                from_top = word.startswith("${CMAKE_SOURCE_DIR}/")
                word = word.replace("${CMAKE_SOURCE_DIR}/", "")
                if "$" in word or "*" in word:
                    continue
                whole = word if from_top else os.path.normpath((here / word).as_posix())
                for prefix in put_in_front:
                    if whole not in tree.files and prefix + word in tree.files:
                        whole = prefix + word
                listed[whole] = (path, number)
    for source, (path, number) in sorted(listed.items()):
        if source not in tree.files:
            yield path, number, f"lists {source}, which does not exist"
    for source in tree.named(".cc"):
        if source not in listed:
            yield source, 1, "is not listed in the CMakeLists.txt of its folder, so nobody builds it"


def no_unfinished_work(tree):
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    for path in tree.named(*TEXT):
        for number, line in tree.lines(path):
            found = words.search(line)
            if found:
                yield path, number, f"{found[1]}: finish it, or say in plain words what is not supported"


def no_places_of_one_machine(tree):
    places = re.compile(r"(?<![\w>}.*])(/(?:wo" + r"rk|fa" + r"rm)/|/home/\w+/|/ro" + r"ot/)|\b[\w-]+\.(?:internal|corp|lan|intranet)\b")
    for path in tree.files:
        if not path.endswith(TEXT) and "." in pathlib.PurePosixPath(path).name:
            continue
        for number, line in tree.lines(path):
            found = places.search(line)
            if found:
                yield path, number, f"'{found[0]}' is a place of one machine; use a relative path or a setting"


def lines_and_files_are_short(tree):
    for path in tree.code():
        last = 0
        for number, line in tree.lines(path):
            last = number
            pinned_bytes = re.search(r"[0-9a-f]{100}", line)
            if len(line) > LINE_CHARS_MAX and not pinned_bytes:
                yield path, number, f"is {len(line)} characters long; at most {LINE_CHARS_MAX}"
        if last > FILE_LINES_MAX:
            yield path, last, f"has {last} lines; past {FILE_LINES_MAX} there is a second idea in it: give that a file of its own"


def architecture_is_short(tree):
    if "ARCHITECTURE.md" not in tree.files:
        yield "ARCHITECTURE.md", 1, "is missing"
        return
    count = len(tree.text("ARCHITECTURE.md").splitlines())
    if count > ARCHITECTURE_LINES_MAX:
        yield "ARCHITECTURE.md", count, f"has {count} lines; at most {ARCHITECTURE_LINES_MAX}"


def drawn_tree(tree):
    """folder → (line, description), from the first fenced block behind the heading 'The tree'."""
    drawn, stack, state = {}, [], "before"
    for number, line in tree.lines("ARCHITECTURE.md"):
        if state == "before" and re.match(r"#+ The tree$", line):
            state = "heading"
        elif state == "heading" and line.startswith("```"):
            state = "inside"
        elif state == "inside":
            if line.startswith("```"):
                break
            found = re.match(r"( *)(\S+)/(?:\s+(.*))?$", line)
            if not found:
                continue
            depth = len(found[1]) // 2
            stack = stack[:depth] + [found[2]]
            drawn["/".join(stack)] = (number, (found[3] or "").strip())
    return drawn


def architecture_shows_the_tree(tree):
    if "ARCHITECTURE.md" not in tree.files:
        return
    drawn = drawn_tree(tree)
    for folder in sorted(tree.folders() - drawn.keys()):
        if (pathlib.PurePosixPath(folder).parent / "*").as_posix() in drawn:
            continue  # "*/" stands for folders that are all alike
        yield "ARCHITECTURE.md", 1, f"'The tree' does not show {folder}/"
    for folder, (number, description) in drawn.items():
        if folder.removesuffix("/*") not in tree.folders():
            yield "ARCHITECTURE.md", number, f"shows {folder}/, which does not exist"
        elif not description:
            yield "ARCHITECTURE.md", number, f"does not say in a line what {folder}/ is"


def architecture_gives_the_layers(tree):
    """The table '| folder | may include |' of ARCHITECTURE.md is LAYERS."""
    rows = {}
    for number, line in tree.lines("ARCHITECTURE.md") if "ARCHITECTURE.md" in tree.files else ():
        found = re.match(r"\| `(\w+)/` \| ([a-z ]+) \|", line)
        if found:
            words = {"nothing": set(), "everything": LAYERS.keys() - {found[1], "sdk"}}
            rows[found[1]] = (number, set(words.get(found[2], found[2].split())))
    for folder, (number, allowed) in rows.items():
        if allowed != LAYERS.get(folder):
            yield "ARCHITECTURE.md", number, f"says what {folder}/ may include, and LAYERS of tests/tidy/tidy.py says something else"
    for folder in sorted(LAYERS.keys() - rows.keys()) if rows else ():
        yield "ARCHITECTURE.md", 1, f"does not say what {folder}/ may include"


def fault_points_are_listed(tree):
    list_path = "tests/crash/fault_points.txt"
    if list_path not in tree.files:
        return
    listed = {}
    for number, line in tree.lines(list_path):
        words = line.split("#", 1)[0].split()
        if words:
            listed[words[0]] = number
    used = {}
    for path in tree.named(".h", ".cc"):
        if folder_of(path) not in LAYERS:
            continue
        for number, line in tree.lines(path):
            for name in re.findall(r'MILLRACE_FAULT_POINT\("([^"]+)"\)', line.split("//", 1)[0]):
                used[name] = (path, number)
    for name in sorted(used.keys() - listed.keys()):
        yield *used[name], f"fault point '{name}' is not in {list_path}, so no crash test uses it"
    for name in sorted(listed.keys() - used.keys()):
        yield list_path, listed[name], f"fault point '{name}' is not in the code"


def headers_are_used(tree):
    """Warnings only: a header that nobody but its own .cc includes may be the end of something."""
    users = {}
    for path in tree.named(".h", ".cc"):
        for _, kind, what in includes(tree, path):
            if kind == '"' and os.path.splitext(what)[0] != os.path.splitext(path)[0]:
                users.setdefault(what, []).append(path)
    for path in tree.named(".h"):
        if folder_of(path) in LAYERS and path not in users:
            yield path, 1, "is included by nobody but its own .cc"


RULES = [
    direction_of_includes, direction_of_libraries, included_files_exist, wrapped_libraries, parses_are_bounded, headers_have_a_purpose,
    sources_are_listed, no_unfinished_work, no_places_of_one_machine, lines_and_files_are_short, architecture_is_short,
    architecture_shows_the_tree, architecture_gives_the_layers, fault_points_are_listed, *documents.RULES, *mentions.RULES,
]
WARNINGS = [headers_are_used]


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tree = Tree(arguments[1])
    if not tree.named(".cc"):
        print(f"tidy: {arguments[1]} holds no sources", file=sys.stderr)
        return 2
    for rule in WARNINGS:
        for path, line, what in rule(tree):
            print(f"{path}:{line}: warning: {what} [{rule.__name__}]")
    failures = 0
    for rule in RULES:
        for path, line, what in rule(tree):
            print(f"{path}:{line}: {what} [{rule.__name__}]")
            failures += 1
    print(f"{len(tree.files)} files, {len(RULES)} rules, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
