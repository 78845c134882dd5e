#!/usr/bin/env python3
"""Shows that every rule of tidy.py can fail: a small tree that is in order, then one violation of each kind in it."""
import pathlib
import tempfile
import unittest

import documents
import mentions
import tidy

HEADER = "// What this header is for, in a sentence.\n#pragma once\n"
ARCHITECTURE = """# Architecture
## The tree
```
core/           the bottom
http/           the web
store/          objects
tests/          tests
  crash/        faults
```
"""


def with_folder(folder):
    return {"ARCHITECTURE.md": ARCHITECTURE.replace("http/ ", f"{folder}/ what it is\nhttp/ ")}


IN_ORDER = {
    "ARCHITECTURE.md": ARCHITECTURE,
    "core/CMakeLists.txt": "millrace_library(core SOURCES a.cc)\n",
    "core/a.h": HEADER,
    "core/a.cc": '#include "core/a.h"\nint a() { return MILLRACE_FAULT_POINT("core.a"); }\n',
    "http/CMakeLists.txt": "millrace_library(http SOURCES b.cc PUBLIC millrace_core)\n",
    "http/b.cc": '#include "core/a.h"\n#include <boost/beast.hpp>\n',
    "store/CMakeLists.txt": "millrace_library(store SOURCES c.cc)\n",
    "store/c.cc": '#include "core/a.h"\n',
    "tests/crash/fault_points.txt": "# name\ncore.a\n",
}


class EveryRuleCanFail(unittest.TestCase):
    def broken(self, changes):
        """The names of the rules that the tree breaks with these files put in (or taken out: None)."""
        files = IN_ORDER | changes
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                if text is None:
                    continue
                file = pathlib.Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            tree = tidy.Tree(folder)
            return {rule.__name__ for rule in tidy.RULES + tidy.WARNINGS if list(rule(tree))}

    def breaks(self, rule, changes):
        self.assertEqual(self.broken(changes), {rule.__name__})

    def test_a_tree_in_order_passes(self):
        self.assertEqual(self.broken({}), set())

    def test_wrong_way_include(self):
        self.breaks(tidy.direction_of_includes, {"store/c.cc": '#include "core/a.h"\n#include "http/d.h"\n', "http/d.h": HEADER})
        self.breaks(tidy.direction_of_includes, {"store/c.cc": '#include "core/gone.h"\n'})
        self.breaks(tidy.direction_of_includes, {"store/c.cc": '#include "c.h"\n'})

    def test_wrong_way_library(self):
        self.breaks(tidy.direction_of_libraries,
                    {"store/CMakeLists.txt": "millrace_library(store SOURCES c.cc PUBLIC millrace_http)\n"})

    def test_include_of_nothing_in_a_test(self):
        self.breaks(tidy.included_files_exist, {"tests/crash/x.h": HEADER + '#include "core/gone.h"\n'})

    def test_library_outside_of_its_wrapper(self):
        for library in ("boost/beast/core.hpp", "rocksdb/db.h", "zmq.hpp", "spdlog/spdlog.h", "prometheus/counter.h"):
            self.breaks(tidy.wrapped_libraries, {"store/c.cc": f"#include <{library}>\n"})
        self.breaks(tidy.wrapped_libraries, {"core/a.h": HEADER + "#include <boost/beast.hpp>\n"})

    def test_parse_without_bounds(self):
        for call in ("nlohmann::json::parse(text)", "json::from_msgpack(bytes)", "YAML::LoadFile(file)", "msgpack::unpack(data, size)",
                     "std::regex pattern(text)"):
            self.breaks(tidy.parses_are_bounded, {"store/c.cc": f"auto a = {call};\n"})
        self.assertEqual(self.broken({"store/c.cc": "// as json::parse(text) would\n"}), set())

    def test_header_without_a_purpose(self):
        self.breaks(tidy.headers_have_a_purpose, {"core/a.h": "#pragma once\n"})
        self.breaks(tidy.headers_have_a_purpose, {"core/a.h": "// Short.\n#pragma once\n"})

    def test_header_without_pragma_once(self):
        self.breaks(tidy.headers_have_a_purpose, {"core/a.h": "// What this header is for, in a sentence.\nint a();\n"})

    def test_source_that_nobody_builds(self):
        self.breaks(tidy.sources_are_listed, {"store/d.cc": '#include "core/a.h"\n'})

    def test_listed_source_that_is_missing(self):
        self.breaks(tidy.sources_are_listed, {"store/CMakeLists.txt": "millrace_library(store SOURCES c.cc d.cc)\n"})

    def test_unfinished_work(self):
        for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"):
            self.breaks(tidy.no_unfinished_work, {"store/c.cc": f'#include "core/a.h"\n// {word}: later\n'})

    def test_places_of_one_machine(self):
        for place in ("/wo" + "rk/main", "/fa" + "rm/x", "/home/" + "me/x", "/ro" + "ot/x", "mirror" + ".internal"):
            self.breaks(tidy.no_places_of_one_machine, {"store/c.cc": f'#include "core/a.h"\n// see {place}\n'})

    def test_long_line(self):
        self.breaks(tidy.lines_and_files_are_short, {"core/a.h": HEADER + "// " + "long " * 40 + "\n"})

    def test_long_file(self):
        self.breaks(tidy.lines_and_files_are_short, {"core/a.h": HEADER + "int a();\n" * 600})

    def test_long_architecture(self):
        self.breaks(tidy.architecture_is_short, {"ARCHITECTURE.md": ARCHITECTURE + "\n" * 250})

    def test_folder_that_is_not_shown(self):
        self.breaks(tidy.architecture_shows_the_tree, {"tests/sim/x.h": HEADER})
        self.breaks(tidy.architecture_shows_the_tree, {"ARCHITECTURE.md": ARCHITECTURE.replace("the bottom", "")})
        self.breaks(tidy.architecture_shows_the_tree, {"ARCHITECTURE.md": ARCHITECTURE.replace("  crash/", "  smash/")})

    def test_a_star_stands_for_folders_that_are_alike(self):
        with_star = ARCHITECTURE.replace("  crash/        faults", "  */            one per tier")
        self.assertEqual(self.broken({"ARCHITECTURE.md": with_star, "tests/sim/x.h": HEADER}), set())

    def test_table_of_what_may_include_what(self):
        rows = {folder: " ".join(sorted(allowed)) or "nothing" for folder, allowed in tidy.LAYERS.items()} | {"app": "everything"}
        table = lambda changed: ARCHITECTURE + "".join(f"| `{folder}/` | {allowed} | it |\n" for folder, allowed in (rows | changed).items() if allowed)
        folders = {f"{folder}/x.txt": "" for folder in tidy.LAYERS}
        tree = ARCHITECTURE.replace("core/  ", "\n".join(f"{folder}/  it" for folder in tidy.LAYERS if folder not in ("core", "http", "store")) + "\ncore/  ")
        good = {"ARCHITECTURE.md": table({}).replace(ARCHITECTURE, tree)} | folders
        self.assertEqual(self.broken(good), set())
        for changed in ({"store": "core"}, {"cli": "core http wire"}, {"app": "core"}, {"core": "everything"}, {"spec": None}):
            self.breaks(tidy.architecture_gives_the_layers, good | {"ARCHITECTURE.md": table(changed).replace(ARCHITECTURE, tree)})

    def test_no_architecture(self):
        self.breaks(tidy.architecture_is_short, {"ARCHITECTURE.md": None})

    def test_document_that_names_a_file_that_is_gone(self):
        for good in ("`core/`", "`core/a.h`", "`tests/crash/NAME`", "`core/<job>`", "`other/thing`", "[it](core/a.h)", "[it](https://core/gone)"):
            self.assertEqual(self.broken({"ARCHITECTURE.md": ARCHITECTURE + f"See {good}.\n"}), set())
        for gone in ("`core/gone.h`", "`other/gone.h`", "`core/gone/`", "`tests/crash/run --hours 1`", "[it](core/gone.md)", "[it](../core/a.h)"):
            self.breaks(mentions.documents_name_real_files, {"ARCHITECTURE.md": ARCHITECTURE + f"See {gone}.\n"})

    def test_comment_that_names_a_file_that_is_gone(self):
        self.assertEqual(self.broken({"store/c.cc": '#include "core/a.h"  // as http/b.cc does\n'}), set())
        self.breaks(mentions.comments_name_real_files, {"store/c.cc": '#include "core/a.h"\n// As core/gone.h says.\n'})
        self.breaks(mentions.comments_name_real_files, {"store/CMakeLists.txt": "millrace_library(store SOURCES c.cc)  # as http/" + "gone.txt\n"})

    def test_document_that_names_code_that_is_gone(self):
        code = {"core/a.h": HEADER + "namespace millrace::core {\nclass A {\n    int b();\n};\nconstexpr int kLimit = 1;\n}\n"}
        for good in ("`A::b`", "`core::A`", "`b()`", "`kLimit`", "`std::move(a)`"):
            self.assertEqual(self.broken(code | {"ARCHITECTURE.md": ARCHITECTURE + f"It is {good}.\n"}), set())
        for gone in ("`A::c`", "`Gone::b`", "`core::Gone`", "`gone()`", "`kGone`", "`MILLRACE_GONE`", "`millrace_gone_total`"):
            self.breaks(mentions.documents_name_real_code, code | {"ARCHITECTURE.md": ARCHITECTURE + f"It is {gone}.\n"})

    def test_headers_in_no_document_and_documented_headers_that_are_gone(self):
        code = {"store/c.cc": '#include "core/a.h"\nauto a = headers.find("Millrace-Job");\n'}
        self.assertEqual(self.broken(code), set())
        self.assertEqual(self.broken(code | {"ARCHITECTURE.md": ARCHITECTURE + "With `Millrace-Job: J`.\n"}), set())
        for text in ("With `Ais-Gone`.", "With `Millrace-Job` and **Millrace-Gone.**", "With `Millrace-Job` and Ais-Gone."):
            self.breaks(mentions.headers_are_documented, code | {"ARCHITECTURE.md": ARCHITECTURE + text + "\n"})
        other = {"core/a.h": HEADER + 'auto b = "Ais-New";\n', "ARCHITECTURE.md": ARCHITECTURE + "With `Millrace-Job`.\n"}
        self.breaks(mentions.headers_are_documented, code | other)

    def test_document_that_names_a_fault_point_that_is_gone(self):
        for point in ('`MILLRACE_FAULT_POINT("%s")`', "`MILLRACE_FAULT=%s:1:kill millrace`"):
            self.assertEqual(self.broken({"ARCHITECTURE.md": ARCHITECTURE + point % "core.a" + "\n"}), set())
            self.breaks(mentions.documents_name_real_fault_points, {"ARCHITECTURE.md": ARCHITECTURE + point % "core.gone" + "\n"})

    def test_command_line_that_the_grammar_does_not_have(self):
        grammar = '''
            auto put = verb<Put>(&app, "put", "Store"); put.app->add_option("-o,--out", to);
            CLI::App* job = noun("job", "Jobs"); add_job_submit(job, "run", "Run");
            for (const auto& [word, description] : {std::pair{"pause", "Rest"}, {"resume", "Go on"}}) {
                auto control = verb<Control>(job, word, description);
            }'''
        cli = {"cli/grammar.cc": grammar, "cli/CMakeLists.txt": "add_library(x grammar.cc)\n"} | with_folder("cli")
        document = cli["ARCHITECTURE.md"]
        for good in ("`millrace put - -o x`", "`millrace job pause|resume JOB`", "`millrace job`", "    a/millrace put x && b  # millrace gone",
                     "nothing is gone from millrace gone", "`millrace VERB --help`"):
            self.assertEqual(self.broken(cli | {"ARCHITECTURE.md": document + good + "\n"}), set())
        for bad in ("`millrace gone`", "`millrace job gone`", "`millrace job pause|gone`", "`millrace put --gone x`", "    x | millrace put -g x"):
            self.breaks(mentions.commands_are_in_the_grammar, cli | {"ARCHITECTURE.md": document + bad + "\n"})
        self.breaks(mentions.commands_are_in_the_grammar, cli | {"store/c.cc": '#include "core/a.h"\nauto a = "try millrace job gone";\n'})

    def test_numbers_of_constants(self):
        found = mentions.value_of
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "a.h"
            file.write_text("constexpr auto kA = std::chrono::seconds(2);\nconstexpr int kB = 1 << 20;\nconstexpr D kC{100};\nconstexpr int kD = f();\n"
                            "constexpr std::size_t kE = 100'000;\nconstexpr std::uint64_t kF = 4ull << 20;\n")
            tree = tidy.Tree(folder)
            self.assertEqual([found(tree, "a.h", name) for name in ("kA", "kB", "kC", "kD", "kE", "kF", "kG")],
                             [("time", 2000), ("count", 1 << 20), ("count", 100), None, ("count", 100_000), ("count", 4 << 20), None])
        self.assertIn("two seconds", mentions.ways_to_write("time", 2000))
        self.assertIn("100,000", mentions.ways_to_write("count", 100_000))
        self.assertIn("256 KiB", mentions.ways_to_write("count", 256 * 1024))

    def test_defaults_of_the_configuration(self):
        header = ('struct ProxyConfig {\n    std::string host = "127.0.0.1";  // where\n    milliseconds kept_ms{std::chrono::hours(30 * 24)};\n'
                  "    std::string dir;\n};\nstruct TargetConfig {\n    std::uint64_t cache_bytes = 32ull << 20;\n    bool fork = true;\n"
                  "    milliseconds idle_ms{15 * 60 * 1000};\n};\n")
        fields = "std::is_same_v<std::remove_const_t<Config>, %sConfig>\nvoid f() {\n%s}\n"
        visit = lambda pairs: "".join(f'    visit("{key}", self.{member});\n' for key, member in pairs)
        code = fields % ("Proxy", visit([("host", "host"), ("kept", "kept_ms"), ("dir", "dir")])) + \
            fields % ("Target", visit([("cache", "cache_bytes"), ("fork", "fork"), ("idle", "idle_ms")]))
        good = ("## Keys of a proxy\n| `host` | `127.0.0.1` |\n| `kept` | `720h` |\n| `dir` | must be given |\n"
                "## Keys of a target\n| `cache` | `32MiB` |\n| `fork` | true |\n| `idle` | `15m` |\n")
        files = {"core/config.h": HEADER + header, "core/config.cc": code, "core/CMakeLists.txt": "add_library(x a.cc config.cc)\n",
                 "store/c.cc": '#include "core/config.h"\n'} | with_folder("docs")
        self.assertEqual(self.broken(files | {"docs/CONFIGURATION.md": good}), set())
        for before, after in (("127.0.0.1", "0.0.0.0"), ("720h", "24h"), ("32MiB", "32KiB"), ("true", "false"), ("15m", "15s")):
            self.breaks(mentions.defaults_are_those_of_the_code, files | {"docs/CONFIGURATION.md": good.replace(before, after)})

    def test_document_that_quotes_another_number(self):
        document, around, source, constant = next(entry for entry in mentions.NUMBERS if entry[0] == "runtime/RUNS.md")
        files = {source: f"constexpr std::size_t {constant} = 32;\n",
                 "runtime/CMakeLists.txt": f"add_library(x {source.split('/')[1]})\n"} | with_folder("runtime")
        self.assertEqual(self.broken(files | {document: around.format(32) + "\n"}), set())
        self.breaks(mentions.numbers_are_those_of_the_code, files | {document: around.format(64) + "\n"})
        self.breaks(mentions.numbers_are_those_of_the_code, files | {document: around.format(32) + "\n", source: "int other = 32;\n"})

    def test_fault_points(self):
        self.breaks(tidy.fault_points_are_listed, {"tests/crash/fault_points.txt": "core.a\ncore.b\n"})
        self.breaks(tidy.fault_points_are_listed, {"tests/crash/fault_points.txt": "# none\n"})

    def test_route_in_no_document_and_documented_path_without_a_route(self):
        api = {"scheduler/API.md": "| `GET /v1/jobs/ID` | a job |\n| `POST /v1/jobs/ID/pause`, `/resume` | both |\n",
               "scheduler/CMakeLists.txt": "add_library(x c.cc)\n"} | with_folder("scheduler")
        add = 'router.add("%s", "/v1/jobs/{id}%s", Access::read, f);\n'
        routes = [add % ("GET", ""), add % ("POST", "/pause"), add % ("POST", "/resume")]
        self.assertEqual(self.broken(api | {"scheduler/c.cc": "".join(routes)}), set())
        self.breaks(documents.routes_are_documented, api | {"scheduler/c.cc": "".join(routes[:2])})
        self.breaks(documents.routes_are_documented, api | {"scheduler/c.cc": "".join(routes) + add % ("GET", "/new")})

    def test_codes(self):
        code = {"core/result.cc": 'case Code::gone: return "gone";\n', "http/message.cc": "case Code::gone: return 404;\n",
                "core/CMakeLists.txt": "add_library(x a.cc result.cc)\n", "http/CMakeLists.txt": "add_library(x b.cc message.cc)\n"} | with_folder("scheduler")
        self.assertEqual(self.broken(code | {"scheduler/API.md": "| `gone` | 404 | it is\n"}), set())
        for table in ("", "| `gone` | 400 | it is\n", "| `gone` | 404 | it is\n| `late` | 500 | no code\n"):
            self.breaks(documents.codes_are_documented, code | {"scheduler/API.md": table})

    def test_members_of_records(self):
        record = {"core/a.h": HEADER + 'struct A { MSGPACK_DEFINE_MAP(name, MSGPACK_NVP("size", b.size)) };\n'} | with_folder("state")
        self.assertEqual(self.broken(record | {"state/FORMAT.md": "`name` and `size`\n"}), set())
        self.breaks(documents.record_members_are_documented, record | {"state/FORMAT.md": "`name`\n"})

    def test_keys_of_the_configuration(self):
        code = 'std::is_same_v<std::remove_const_t<Config>, %s>\nvoid f() {\n    visit("%s", a);\n}\n'
        files = {"core/config.cc": code % ("ProxyConfig", "port") + code % ("TargetConfig", "lanes"),
                 "core/CMakeLists.txt": "add_library(x a.cc config.cc)\n"} | with_folder("docs")
        good = "## Keys of a proxy\n| `port` | 1 |\n## Keys of a target\n| `lanes` | 2 |\n"
        self.assertEqual(self.broken(files | {"docs/CONFIGURATION.md": good}), set())
        for text in (good.replace("| `port` | 1 |", ""), good + "| `gone` | 3 |\n"):
            self.breaks(documents.configuration_is_documented, files | {"docs/CONFIGURATION.md": text})

    def test_header_that_nobody_uses(self):
        self.breaks(tidy.headers_are_used, {"core/unused.h": HEADER})

    def test_every_rule_is_tried_here(self):
        tried = pathlib.Path(__file__).read_text(encoding="utf-8")
        for rule in tidy.RULES + tidy.WARNINGS:
            self.assertRegex(tried, rf"(tidy|documents|mentions)\.{rule.__name__}")


if __name__ == "__main__":
    unittest.main()
