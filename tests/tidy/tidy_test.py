#!/usr/bin/env python3
"""Shows that every rule of tidy.py can fail: a small tree that is in order, then one violation of each kind in it."""
import pathlib
import tempfile
import unittest

import documents
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

    def test_no_architecture(self):
        self.breaks(tidy.architecture_is_short, {"ARCHITECTURE.md": None})

    def test_document_that_names_a_file_that_is_gone(self):
        self.breaks(tidy.documents_name_real_files, {"ARCHITECTURE.md": ARCHITECTURE + "See `core/gone.h`.\n"})

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
            self.assertRegex(tried, rf"(tidy|documents)\.{rule.__name__}")


if __name__ == "__main__":
    unittest.main()
