"""docs/aistore-sdk.md names every public method of the published package, once, with a verdict, and its sums are right."""
import importlib
import inspect
import pathlib
import pkgutil
import re
import sys
import unittest

from sdk_case import DEBIAN_PYTHON, training_packages

TABLE = pathlib.Path(__file__).resolve().parents[2] / "docs/aistore-sdk.md"
VERDICTS = ("works", "differs", "absent")
# Those that a program calls with words and signs of the language.
OPERATORS = {"__iter__", "__next__", "__len__", "__getitem__", "__getitems__", "__enter__", "__exit__", "__rshift__"}


def methods_of(kind):
    return {name for name, value in vars(kind).items()
            if (not name.startswith("_") or name in OPERATORS) and isinstance(value, (type(methods_of), classmethod, staticmethod, property))}


def in_package(names):
    """{(module, class): methods} of the packages' public classes."""
    found = {}
    for package in map(importlib.import_module, names):
        for about in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(about.name)
            for name, kind in vars(module).items():
                if inspect.isclass(kind) and kind.__module__ == module.__name__ and not name.startswith("_") and methods_of(kind):
                    found[module.__name__, name] = methods_of(kind)
    return found


def in_table():
    """{class: {method: verdict}}, the modules and classes that are not counted, the sums that the text tells."""
    rows, kind = {}, None
    text = TABLE.read_text(encoding="utf-8")
    counted, _, rest = text.partition("\n## Not counted\n")
    rest = rest.partition("\n## ")[0]
    for line in counted.splitlines():
        if line.startswith("### "):
            kind = rows.setdefault(line[4:], {})
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            for method in re.findall(r"`(\w+)`", cells[0]):
                assert method not in kind, f"{method} is there twice: {line}"
                kind[method] = cells[1]
    sums = re.search(r"\*\*(\d+) methods: (\d+) work, (\d+) differ, (\d+) are absent\.\*\*", text)
    return rows, re.findall(r"`([\w.]+)`", rest), tuple(map(int, sums.groups()))


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        packages = ["aistore.sdk"]
        try:
            sys.path.append(DEBIAN_PYTHON)
            training_packages()
            importlib.import_module("aistore.pytorch")
            packages.append("aistore.pytorch")
        except (ImportError, unittest.SkipTest) as reason:
            print(f"aistore.pytorch is not checked: {reason}")
        cls.rows, not_counted, cls.sums = in_table()
        cls.found = {kind: methods for (module, kind), methods in in_package(packages).items()
                     if kind not in not_counted and not any(module == n or module.startswith(n + ".") for n in not_counted)}
        cls.without_torch = len(packages) == 1

    def test_every_public_method_is_in_the_table_and_no_other(self):
        for kind, methods in self.found.items():
            self.assertEqual(methods, set(self.rows.get(kind, ())), kind)
        if not self.without_torch:
            self.assertEqual(set(self.rows), set(self.found))

    def test_every_row_has_a_verdict_and_the_sums_are_right(self):
        verdicts = [verdict for methods in self.rows.values() for verdict in methods.values()]
        self.assertEqual(set(verdicts) - set(VERDICTS), set())
        self.assertEqual(self.sums, (len(verdicts), *(verdicts.count(v) for v in VERDICTS)))
        print(f"{len(verdicts)} methods: " + ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICTS))


if __name__ == "__main__":
    unittest.main()
