"""Rules about what documents claim of the code: routes, codes of errors, members of records, keys of the configuration.

As in tidy.py, a rule yields (path, line, what is wrong and what to do). Where the files are not in the tree a rule has nothing to say.
"""
import re

API = ("scheduler/API.md", "aistore/AISTORE.md")


def shape(path):
    """A path with every name that stands for something as '*': '/v1/jobs/{id}' and '/v1/jobs/JOB' are the same."""
    parts = path.split("?", 1)[0].strip("/").split("/")
    return "/".join("*" if part.startswith("{") or re.fullmatch(r"[A-Z][A-Z0-9]*", part) else part for part in parts)


def documented_shapes(tree):
    """shape → (document, line). '`…/ID/pause`, `/resume`' are two paths that differ in their last part."""
    shapes = {}
    for path in API:
        for number, line in tree.lines(path) if path in tree.files else ():
            whole = ""
            request = line.split("|")[1] if line.startswith("|") else line
            for text in re.findall(r"`([^`]+)`", request):
                found = re.match(r"(?:[A-Z]+ )?(/v1/[^\s\[]*)|[A-Z]+ (/health|/metrics)", text)
                if found:
                    whole = (found[1] or found[2]).split("?", 1)[0]
                    optional = re.search(r"\[(/[^\]?]+)\]", text)
                    if optional:
                        shapes[shape(whole + optional[1])] = (path, number)
                elif whole and re.fullmatch(r"/[a-z_]+", text):
                    whole = whole.rsplit("/", 1)[0] + text
                else:
                    continue
                shapes[shape(whole)] = (path, number)
    return shapes


def routes(tree):
    """(path, line, pattern) of every route of a proxy. A pattern that is put together ends in '*'."""
    for path in tree.named(".cc"):
        if not path.startswith(("scheduler/", "aistore/")):
            continue
        for number, line in tree.lines(path):
            found = re.search(r'router\.add\([^"]*(?:"[A-Z]+", )?(?:std::string\()?"(/[^"]*)"(\) \+ verb)?', line)
            if found:
                yield path, number, found[1] + ("{verb}" if found[2] else "")


def routes_are_documented(tree):
    if API[0] not in tree.files:
        return
    known = {}
    for path, number, pattern in routes(tree):
        known[shape(pattern.replace("...}", "}"))] = (path, number, pattern)
    documented = documented_shapes(tree)
    # A name with slashes in it takes whatever follows.
    open_ended = {found.rsplit("/", 1)[0] for found, (_, _, pattern) in known.items() if pattern.endswith("...}")}

    def fits(written, pattern):
        ours, theirs = written.split("/"), pattern.split("/")
        return len(ours) == len(theirs) and all(b in ("*", a) for a, b in zip(ours, theirs))

    for found, (path, number, pattern) in sorted(known.items()):
        is_there = any(fits(written, found) or written.startswith(found.rsplit("/", 1)[0] + "/") and pattern.endswith("...}") for written in documented)
        if not is_there and not any(found.startswith(prefix + "/") for prefix in open_ended):
            yield path, number, f"route {pattern} is in no document: {' or '.join(API)}"
    for written, (path, number) in sorted(documented.items()):
        is_there = any(fits(written, found) or found.startswith(written + "/") for found in known)
        if not is_there and not any(written.startswith(prefix + "/") for prefix in open_ended) and not written.startswith("v1/worker"):
            yield path, number, f"speaks of /{written}, which no route answers"


def codes_are_documented(tree):
    """API.md has a row '| `code` | status |' for each code of core/result.h, with the status of http/message.cc."""
    if API[0] not in tree.files or "core/result.cc" not in tree.files:
        return
    names = dict(re.findall(r'case Code::(\w+): return "(\w+)";', tree.text("core/result.cc")))
    statuses = dict(re.findall(r"case Code::(\w+): return (\d{3});", tree.text("http/message.cc")))
    rows = {}
    for number, line in tree.lines(API[0]):
        for name, status in re.findall(r"\| `(\w+)` \| (\d{3}) \|", line):
            rows[name] = (number, status)
    for code, name in names.items():
        if name not in rows:
            yield API[0], 1, f"has no row for the code '{name}' of core/result.h"
        elif rows[name][1] != statuses.get(code):
            yield API[0], rows[name][0], f"says {rows[name][1]} of '{name}'; http/message.cc says {statuses.get(code)}"
    for name in sorted(rows.keys() - set(names.values())):
        yield API[0], rows[name][0], f"has a row for '{name}', which is no code"


def record_members_are_documented(tree):
    """Every member that is written to disk or wire is in FORMAT.md or PROTOCOL.md, as `name`."""
    documents = [path for path in ("state/FORMAT.md", "wire/PROTOCOL.md") if path in tree.files]
    if not documents:
        return
    words = set()
    for path in documents:
        for _, line in tree.lines(path):
            for text in re.findall(r"`([^`]+)`", line):
                words.update(re.findall(r"\w+", text))
    for path in tree.named(".h", ".cc"):
        if not path.startswith(("core/", "state/", "store/", "wire/", "scheduler/", "worker/")):
            continue
        for found in re.finditer(r"MSGPACK_DEFINE_MAP\(((?:[^()]|\([^()]*\))*)\)", tree.text(path)):
            number = tree.text(path).count("\n", 0, found.start()) + 1
            members = re.sub(r'MSGPACK_NVP\("(\w+)",[^)]*\)', r"\1", found[1])
            for member in re.findall(r"\w+", members):
                if member not in words:
                    yield path, number, f"member '{member}' travels or is kept, but is not in {' or '.join(documents)}"


def configuration_is_documented(tree):
    """docs/CONFIGURATION.md has a table for each kind of node with a row '| `key` |' for each key of fields()."""
    document = "docs/CONFIGURATION.md"
    if "core/config.cc" not in tree.files:
        return
    if document not in tree.files:
        yield document, 1, "does not exist"
        return
    for kind, config in (("proxy", "ProxyConfig"), ("target", "TargetConfig")):
        code = re.search(rf"std::is_same_v<std::remove_const_t<Config>, {config}>(.*?)^}}", tree.text("core/config.cc"), re.S | re.M)
        section = re.search(rf"^## [^\n]*\b{kind}\b[^\n]*$(.*?)(?=^## |\Z)", tree.text(document), re.S | re.M | re.I)
        keys = set(re.findall(r'visit\("(\w+)"', code[1])) if code else set()
        rows = set(re.findall(r"^\| `(\w+)` \|", section[1], re.M)) if section else set()
        for key in sorted(keys - rows):
            yield document, 1, f"has no row for the key '{key}' of a {kind}"
        for key in sorted(rows - keys):
            yield document, 1, f"has a row for '{key}', which is no key of a {kind}"


RULES = [routes_are_documented, codes_are_documented, record_members_are_documented, configuration_is_documented]
