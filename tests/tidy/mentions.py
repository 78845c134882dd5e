"""Rules about what documents mention of the code: files, functions, constants, fault points, command lines, numbers.

As in tidy.py, a rule yields (path, line, what is wrong and what to do). Where the files are not in the tree a rule has nothing to say.
"""
import pathlib
import re
import shlex

GRAMMAR = "cli/grammar.cc"
NODE_COMMANDS = {"app/node_commands.cc": ("proxy", "target"), "app/dev_command.cc": ("dev",)}
# For people who know AIStore: what they name with () is its SDK's.
OF_THE_SDK = ("docs/", "aistore/AISTORE.md")


def spans(line):
    return re.findall(r"`([^`]+)`", line)


def exists(tree, folders, path):
    """A file or a folder. A part in capitals stands for any name."""
    parts = path.rstrip("/").split("/")
    while parts and re.fullmatch(r"[A-Z]+", parts[-1]):
        parts.pop()
    path = "/".join(parts)
    return path in tree.files or path in folders


def documents_name_real_files(tree):
    """'`tests/fuzz/run --hours 1`', '`worker/`', '`core/loop.h`', '[all keys](spec/SPECIFICATION.md)': files, folders, links."""
    folders = tree.folders()
    top = {folder for folder in folders if "/" not in folder}
    for path in tree.named(".md"):
        here = pathlib.PurePosixPath(path).parent
        for number, line in tree.lines(path):
            for span in spans(line):
                place = span.split(" ", 1)[0]
                is_place = re.fullmatch(r"[\w.-]+(?:/[\w.-]*)+", place)
                is_ours = place.split("/", 1)[0] in top or re.search(r"\.(?:h|cc|md|py|txt|json|cmake)$", place)
                if is_place and is_ours and not exists(tree, folders, place) and not exists(tree, folders, (here / place).as_posix()):
                    yield path, number, f"names {place}, which does not exist"
            for link in re.findall(r"\]\(([^)#:]+)\)", line):
                parts = []
                for part in (here / link).parts:
                    parts = parts[:-1] if part == ".." and parts else parts + [part]
                if not exists(tree, folders, "/".join(parts)):
                    yield path, number, f"links to {link}, which does not exist"


def comments_name_real_files(tree):
    top = "|".join(sorted({folder.split("/", 1)[0] for folder in tree.folders()}))
    named = re.compile(rf"(?<![\w./<>-])((?:{top})/[\w./-]+\.(?:h|cc|c|md|py|txt|yaml|cmake))\b")
    for path in tree.named(".h", ".cc", ".c", ".py", ".cmake", ".sh", "CMakeLists.txt"):
        begin = r"//(.*)" if path.endswith((".h", ".cc", ".c")) else r"(?:^|\s)#\s(.*)"
        for number, line in tree.lines(path):
            comment = re.search(begin, line)
            for file in named.findall(comment[1]) if comment else ():
                if file not in tree.files:
                    yield path, number, f"speaks of {file}, which does not exist"


def scopes(tree):
    """name of a class, enumeration or namespace → the texts of the files that declare it, or implement it."""
    found = {}
    for path in tree.named(".h", ".cc"):
        text = tree.text(path)
        names = set(re.findall(r"\b(?:class|struct|enum class) (\w+)\b(?! *;)", text))
        for namespace in re.findall(r"\bnamespace ([\w:]+) \{", text):
            names.update(namespace.split("::"))
        for name in names:
            found.setdefault(name, []).append(text)
    return found


def documents_name_real_code(tree):
    """'`CatalogService::create_bucket`', '`settle()`', '`kStoreFormat`', '`MILLRACE_SOCKET`': there is such a member, function, constant, name."""
    documents = [path for path in tree.named(".md")]
    if not documents:
        return
    known = scopes(tree)
    words = set()
    for path in tree.named(".h", ".cc", ".c", ".py", ".cmake"):
        words.update(re.findall(r"\w+", tree.text(path)))
    for path in documents:
        for number, line in tree.lines(path):
            for span in spans(line):
                if member := re.fullmatch(r"(?:\w+::)*(\w+)::(\w+)(?:\(\))?", span):
                    scope, name = member[1], member[2]
                    if not any(re.search(rf"\b{name}\b", text) for text in known.get(scope, ())):
                        yield path, number, f"names {span}: {scope} has no {name}"
                elif function := re.fullmatch(r"(\w+)\(\)", span):
                    if function[1] not in words and not path.startswith(OF_THE_SDK):
                        yield path, number, f"names {span}, which is nowhere in the code"
                elif re.fullmatch(r"k[A-Z][a-z]\w+|(?:millrace|MILLRACE)_\w+", span) and span not in words and span != "kConstants":
                    yield path, number, f"names {span}, which is nowhere in the code"


def headers_are_documented(tree):
    """The headers of HTTP that are Millrace's or AIStore's: those of the code are in a document, and the other way round."""
    used, named = {}, {}
    for path in tree.named(".h", ".cc"):
        for number, line in tree.lines(path) if not path.startswith("tests/") else ():
            for header in re.findall(r'"((?:Millrace|Ais)-[A-Z][\w-]*)"', line):
                used.setdefault(header, (path, number))
    for path in tree.named(".md"):
        for number, line in tree.lines(path):
            for header in re.findall(r"\b(?:Millrace|Ais)-[A-Z][\w-]*", line):
                named.setdefault(header, (path, number))
    for header in sorted(used.keys() - named.keys()) if named else ():
        yield *used[header], f"the header {header} is in no document: scheduler/API.md, aistore/AISTORE.md, wire/PROTOCOL.md or runtime/CONTAINERS.md"
    for header in sorted(named.keys() - used.keys()):
        yield *named[header], f"names the header {header}, which is nowhere in the code"


def documents_name_real_fault_points(tree):
    list_path = "tests/crash/fault_points.txt"
    if list_path not in tree.files:
        return
    listed = {line.split("#", 1)[0].strip() for _, line in tree.lines(list_path)}
    for path in tree.named(".md", ".h"):
        for number, line in tree.lines(path):
            for name in re.findall(r'MILLRACE_FAULT_POINT\("([\w.]+)"\)|MILLRACE_FAULT=([\w.]+\.[\w.]+):', line):
                name = name[0] or name[1]
                if name not in listed and not name.startswith("module."):
                    yield path, number, f"names the fault point '{name}', which is not in {list_path}"


def grammar(tree):
    """('', 'job', …) → the words that may follow, and the flags that there are anywhere."""
    following, flags = {"": set()}, {"--help", "-h"}
    for path in [path for path in tree.named(".cc") if path.startswith("cli/grammar")] + list(NODE_COMMANDS):
        if path not in tree.files:
            continue
        text = tree.text(path)
        following[""].update(NODE_COMMANDS.get(path, ()))
        for literal in re.findall(r'"((?:-\w,)?--?[\w-]+)"', text):
            flags.update(literal.split(","))
        for noun in re.findall(r'\bnoun\("(\w+)"', text):
            following[""].add(noun)
            following.setdefault(noun, set())
        for parent, word in re.findall(r'\b(?:verb<\w+>|add_job_submit)\(\s*(&app|\w+),\s*"(\w+)"', text):
            following.setdefault("" if parent == "&app" else parent, set()).add(word)
        for words, parent in re.findall(r"for \(const auto& \[word, description\] : \{(.*?)\}\) \{\s*auto \w+ = verb<\w+>\((\w+), word", text, re.S):
            following.setdefault(parent, set()).update(re.findall(r'\{"(\w+)", "', words))
    return following, flags


def command_lines(tree):
    """(path, line, words behind 'millrace') of what documents tell to type: code in backticks, and indented or fenced blocks."""
    for path in tree.named(".md"):
        fenced = False
        for number, line in tree.lines(path):
            if line.startswith("```"):
                fenced = not fenced
            texts = [line] if fenced or line.startswith("    ") else spans(line)
            for text in texts:
                for command in re.split(r"&&|\|\s|;", text):
                    found = re.match(r"\s*(?:[A-Z_]+=\S+ )*(?:\S+/)?millrace (.*)", command)
                    if not found:
                        continue
                    try:
                        yield path, number, shlex.split(found[1], comments=True)
                    except ValueError:
                        yield path, number, found[1].split()


def commands_are_in_the_grammar(tree):
    """Also those that messages of the code and scripts tell to type, as far as 'millrace job resume'."""
    if GRAMMAR not in tree.files:
        return
    following, flags = grammar(tree)
    nouns = "|".join(noun for noun in following if noun)
    for path in tree.named(".h", ".cc", ".sh", ".yaml"):
        for number, line in tree.lines(path) if not path.startswith("tests/") else ():
            for noun, word in re.findall(rf"\bmillrace ({nouns}) ([a-z]+)\b", line) if nouns else ():
                if word not in following[noun]:
                    yield path, number, f"speaks of 'millrace {noun} {word}': there is no '{word}'; {GRAMMAR} has the words"
    for path, number, words in command_lines(tree):
        parent = ""
        for word in words[:2]:
            if parent not in following or not re.fullmatch(r"[a-z|]+", word):
                break
            for one in word.split("|"):
                if one not in following[parent]:
                    yield path, number, f"tells to type 'millrace {' '.join(words)}': there is no '{one}'; {GRAMMAR} has the words"
            parent = word if parent == "" else None
        for word in words:
            if re.fullmatch(r"--?[a-z][\w-]*(=\S*)?", word) and word.split("=", 1)[0] not in flags:
                yield path, number, f"tells to type 'millrace {' '.join(words)}': there is no flag '{word}'"


# (document, words around the number, file, constant). The number is the constant's, in any of the ways to write it.
NUMBERS = [
    ("wire/PROTOCOL.md", "| 3 | Heartbeat | both | every {} |", "worker/proxy_link.cc", "kBeat"),
    ("wire/PROTOCOL.md", "| 3 | Heartbeat | both | every {} |", "scheduler/control_plane.cc", "kBeat"),
    ("wire/PROTOCOL.md", "every {} on a new connection;", "worker/proxy_link.cc", "kHelloPause"),
    ("wire/PROTOCOL.md", "every {} while refused |", "worker/proxy_link.cc", "kRefusedPause"),
    ("wire/PROTOCOL.md", "says hello again when it heard nothing for {},", "worker/proxy_link.cc", "kProxySilence"),
    ("wire/PROTOCOL.md", "A target that has heard nothing for {} makes a new socket", "worker/proxy_link.cc", "kConnectionSilence"),
    ("wire/PROTOCOL.md", "on a change; every {} until acknowledged; to a target that joins", "scheduler/scheduler.cc", "kResend"),
    ("wire/PROTOCOL.md", "(progress alone: every {} at most)", "worker/slice_reporter.cc", "kThrottle"),
    ("wire/PROTOCOL.md", "again after 0.5 s, 1 s … {} |", "scheduler/control_plane.cc", "kCatalogPauseMax"),
    ("wire/PROTOCOL.md", "tries again after 1 s, 2 s … {})", "worker/catalog_keeper.cc", "kPauseMax"),
    ("wire/PROTOCOL.md", "the one before was silent for {}.", "scheduler/membership.cc", "kAliveMax"),
    ("wire/PROTOCOL.md", "It is refused after {} in which both were heard", "scheduler/membership.cc", "kTwinPatience"),
    ("wire/PROTOCOL.md", "is: at most {} (to a proxy", "wire/codec.h", "kMessageBytesMax"),
    ("wire/PROTOCOL.md", "(to a proxy {})", "wire/codec.h", "kTargetMessageBytesMax"),
    ("wire/PROTOCOL.md", "within limits ({} elements per collection", "wire/codec.cc", "kElementsMax"),
    ("wire/PROTOCOL.md", "| received, not taken by the node's loop | {}, or", "wire/bus.h", "kUntakenMessagesMax"),
    ("wire/PROTOCOL.md", "not looked at while something is written down | {} |", "scheduler/control_plane.cc", "kMailMax"),
    ("wire/PROTOCOL.md", "| queued to send, per socket | {} |", "wire/bus.h", "kQueuedMessagesMax"),
    ("wire/PROTOCOL.md", "{} for a page of `verify`", "scheduler/job_api.cc", "kVerifyPatience"),
    ("wire/PROTOCOL.md", "a barrier gives {}.", "worker/remote_syncs.cc", "kCallTimeMax"),
    ("scheduler/API.md", "a specification {},", "core/yaml_documents.h", "kYamlBytesMax"),
    ("scheduler/API.md", "a message about an object {},", "worker/action_message.cc", "kMessageBytesMax"),
    ("scheduler/API.md", "that are larger than {} one is read at a time", "scheduler/large_body.h", "kSmallBodyBytesMax"),
    ("scheduler/API.md", "A result of up to {} is sent with its length", "worker/inline_transform.cc", "kBufferedBytesMax"),
    ("scheduler/API.md", "`objects` ({} names", "scheduler/job_request.cc", "kListedObjectsMax"),
    ("scheduler/API.md", "(1 to {}, 1,000 if absent)", "scheduler/job_api.cc", "kErrorsPageMax"),
    ("scheduler/API.md", "an object of up to {} is compared", "store/local_reader.cc", "kFileInMemoryBytesMax"),
    ("scheduler/API.md", "at most {} entries and", "store/object_record.h", "kCustomEntriesMax"),
    ("scheduler/API.md", "parts (1 to {})", "store/drafts.h", "kPieceNumberMax"),
    ("state/FORMAT.md", "a block of {} by a synced write", "store/sequence.cc", "kBlock"),
    ("state/FORMAT.md", "a folder for up to {} files", "store/shelves.cc", "kFilesMax"),
    ("state/FORMAT.md", "Value: a record of at most {}.", "store/object_record.h", "kRecordBytesMax"),
    ("state/FORMAT.md", "write-ahead log of at most {} in all", "state/rocks_kv.cc", "kWalBytesMax"),
    ("state/FORMAT.md", "at the latest about {} after they were published", "store/durability.cc", "kUnsettledTimeMax"),
    ("spec/SPECIFICATION.md", "| `0`; oci: `{}` | in its container", "runtime/container_server.cc", "kPidsMax"),
    ("spec/SPECIFICATION.md", "objects at a time, up to {};", "spec/settings.cc", "kConcurrencyMax"),
    ("spec/SPECIFICATION.md", "objects in flight on one connection, up to {};", "spec/settings.cc", "kBatchObjectsMax"),
    ("runtime/STREAM.md", "at most {} objects unanswered", "runtime/stream_communicator.cc", "kObjectsMax"),
    ("runtime/STREAM.md", "length of the payload; at most {} |", "runtime/stream_frames.h", "kFramePayloadBytesMax"),
    ("runtime/STREAM.md", "Arguments: {}.", "runtime/stream_frames.h", "kStreamArgsBytesMax"),
    ("runtime/CONTAINERS.md", "listens there on port {} (", "runtime/container_server.cc", "kCallbackPort"),
    ("runtime/CONTAINERS.md", "{} processes and threads unless", "runtime/container_server.cc", "kPidsMax"),
    ("runtime/FORKSERVER.md", "or does not reply within {} (", "runtime/fork_server.cc", "kReplyTimeMax"),
    ("runtime/FORKSERVER.md", "ends, or takes over {} | spawned", "runtime/fork_server.cc", "kLoadTimeMax"),
    ("runtime/FORKSERVER.md", "that happens {} times in a row", "runtime/filter_launcher.cc", "kFailuresMax"),
    ("runtime/RUNS.md", "if more than {} runs have left", "runtime/filter_run.cc", "kStragglersMax"),
]
WORDS = dict(enumerate("zero one two three four five six seven eight nine ten".split())) | {30: "thirty"}
UNITS = {"milliseconds": 1, "seconds": 1000, "minutes": 60_000, "hours": 3_600_000}


def value_of(tree, path, constant):
    """('time' in ms, or 'count', number), or None where there is no such constant that can be read."""
    found = re.search(rf"\b{constant}\b *(?:= *([^;]+)|\{{([^}}]+)\}});", tree.text(path))
    if not found:
        return None
    text = (found[1] or found[2]).replace("std::chrono::", "").replace("'", "")
    text = re.sub(r"(?<=[0-9])(ull|u)\b", "", text)
    duration = re.fullmatch(r"(milliseconds|seconds|minutes|hours)\((\d+)\)", text.strip())
    if duration:
        return "time", UNITS[duration[1]] * int(duration[2])
    if re.fullmatch(r"[\d\s*<+]+", text):
        return "count", eval(text)  # digits, '*', '<<' and '+' only
    return None


def ways_to_write(kind, number):
    if kind == "time":
        for unit, short, long in ((1, "ms", "millisecond"), (1000, "s", "second"), (60_000, "min", "minute"), (3_600_000, "h", "hour")):
            amount = number / unit
            if not 0.1 <= amount < 10_000:
                continue
            long += "" if amount == 1 else "s"
            yield f"{amount:g} {short}"
            yield f"{amount:g} {long}"
            if amount in WORDS:
                yield f"{WORDS[int(amount)]} {long}"
        return
    yield str(number)
    yield f"{number:,}"
    if number in WORDS:
        yield WORDS[number]
    for shift, name in ((10, "KiB"), (20, "MiB")):
        if number % (1 << shift) == 0:
            yield f"{number >> shift} {name}"


def numbers_are_those_of_the_code(tree):
    for document, around, source, constant in NUMBERS:
        if document not in tree.files or source not in tree.files:
            continue
        value = value_of(tree, source, constant)
        if value is None:
            yield source, 1, f"{constant} cannot be read, which {document} quotes; correct NUMBERS in tests/tidy/mentions.py"
        elif not any(around.format(way) in tree.text(document) for way in ways_to_write(*value)):
            shown = " or ".join(dict.fromkeys(ways_to_write(*value)))
            yield document, 1, f"does not say '{around.format('…')}' with {shown}, which is {constant} of {source}"


def default_values(tree):
    """(kind of node, key) → the value of its member in core/config.h, in ms, bytes or as it is; None where that is no number or word."""
    members, keys, kind = {}, {}, None
    for _, line in tree.lines("core/config.h"):
        if found := re.match(r"struct (Proxy|Target)Config \{", line):
            kind = found[1].lower()
        elif kind and (found := re.match(r"    [\w:<>]+ (\w+)(?: = ([^;]+)|\{([^;]+)\})?;", line)):
            members[kind, found[1]] = (found[2] or found[3] or "").replace("std::chrono::", "").replace("'", "").replace("ull", "").strip('"')
    for found in re.finditer(r"(Proxy|Target)Config>(.*?)^\}", tree.text("core/config.cc"), re.S | re.M):
        for key, member in re.findall(r'visit\("(\w+)", self\.(\w+)\)', found[2]):
            keys[found[1].lower(), key] = (found[1].lower(), member)
    for name, member in keys.items():
        text = members.get(member, "")
        hours = re.fullmatch(r"hours\(([\d\s*]+)\)", text)
        if hours:
            yield name, UNITS["hours"] * eval(hours[1])
        elif re.fullmatch(r"[\d\s*<+]+", text):
            yield name, eval(text)  # digits, '*', '<<' and '+' only
        else:
            yield name, text or None


def read_value(cell):
    """'`15m`', '`32MiB`', '10000', '`true`' as default_values() has them."""
    text = cell.strip().strip("`").replace(",", "")
    if found := re.fullmatch(r"(\d+)(ms|s|m|h|KiB|MiB|)", text):
        return int(found[1]) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "KiB": 1 << 10, "MiB": 1 << 20, "": 1}[found[2]]
    return text


def defaults_are_those_of_the_code(tree):
    """The column 'default' of docs/CONFIGURATION.md, where the code has a value; what is empty there is put in words."""
    document = "docs/CONFIGURATION.md"
    if document not in tree.files or "core/config.h" not in tree.files or "core/config.cc" not in tree.files:
        return
    values, kind = dict(default_values(tree)), None
    for number, line in tree.lines(document):
        if found := re.match(r"## Keys of a (\w+)", line):
            kind = found[1]
        elif row := re.match(r"\| `(\w+)` \|([^|]*)\|", line):
            value = values.get((kind, row[1]))
            if value is not None and read_value(row[2]) != value:
                yield document, number, f"says that '{row[1]}' of a {kind} is {row[2].strip()} by default; core/config.h says {value}"


RULES = [documents_name_real_files, comments_name_real_files, documents_name_real_code, headers_are_documented,
         documents_name_real_fault_points, commands_are_in_the_grammar, numbers_are_those_of_the_code,
         defaults_are_those_of_the_code]
