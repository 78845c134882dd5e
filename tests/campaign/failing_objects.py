"""A large job in which a small share of the objects fails, first with a filter, then with a server.

    python3 tests/campaign/failing_objects.py build/release/millrace --objects 100000
    python3 tests/campaign/failing_objects.py build/release/millrace --objects 20000 --part server

The filter exits with status 3 on 1 % of the objects, on half of them before it has read or written anything and on the others
after the whole output; the server aborts on 0.1 %. Who is guilty is chosen by the seed and seen by the transform in the content
alone. The ledger must name exactly the guilty and the others must have their outputs; then the transform is mended, and a retry
must touch exactly the guilty and complete the job. Prints its figures as JSON; exit status 1 when anything is off.
"""
import argparse
import collections
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402
import loader  # noqa: E402

SERVER = pathlib.Path(__file__).resolve().parent.parent / "support/echo_server.py"


class FilterPart:
    """Changes three letters. The first line of a guilty object begins with "early" or "late"."""
    name, share, failure = "filter", 0.01, ("failed", "rejected")
    LETTERS = "y/abc/xyz/"
    FAULTY = f"sed -e 1h -e '1{{/^early/Q3}}' -e '{LETTERS}' -e '${{x;/^late/{{x;q3}};x}}'"

    def mark(self, index):
        return b"early " if index % 2 else b"late "

    def output(self, content):
        return content.translate(bytes.maketrans(b"abc", b"xyz"))

    def specification(self, name, runs, mended):
        command = f"sed '{self.LETTERS}'" if mended else self.FAULTY
        return {"name": name, "cmd": f"echo $MILLRACE_OBJECT >> {runs}; export LC_ALL=C; exec {command}"}

    def objects_run(self, lines):
        return lines


class ServerPart:
    """The echo server of the tests, which aborts when a body says "die"."""
    name, share, failure = "server", 0.001, ("quarantined", "crashed")

    def mark(self, index):
        return b"die "

    def output(self, content):
        return content.upper()

    def specification(self, name, runs, mended):
        environment = {"ECHO_RUNS": str(runs), **({"ECHO_DEAF": "1"} if mended else {})}
        return {"name": name, "command": ["python3", str(SERVER)], "env": environment, "init_timeout": "30s"}

    def objects_run(self, lines):
        return [line.removeprefix("/src/") for line in lines]


class Campaign:
    def __init__(self, cluster, part, objects, seed):
        self.cluster, self.part, self.seed = cluster, part, seed
        self.names = loader.names(objects)
        self.guilty = set(random.Random(seed).sample(range(objects), max(1, round(objects * part.share))))
        self.guilty_names = sorted(self.names[index] for index in self.guilty)
        self.runs = cluster.folder / f"{part.name}-runs"
        self.off = []  # what is not as it must be

    def check(self, what, good):
        if not good:
            self.off.append(what)

    def content(self, index):
        # Whatever chance makes of the rest, only the guilty begin with a word that means something to the transform.
        return (self.part.mark(index) if index in self.guilty else b"n ") + loader.contents(index, self.seed)

    def expected(self, index, mended):
        return None if index in self.guilty and not mended else self.part.output(self.content(index))

    def register(self, mended):
        self.cluster.add_transform(self.part.specification("faulty", self.runs, mended))

    def counted_runs(self):
        known = set(self.names)
        return collections.Counter(name for name in self.part.objects_run(self.runs.read_text().split()) if name in known)  # not those of trials

    def check_outputs(self, mended):
        wrong = loader.wrong_outputs(self.cluster, "dst", self.names, lambda index: self.expected(index, mended))
        self.check(f"{len(wrong)} wrong outputs with the {'mended' if mended else 'faulty'} transform, such as {wrong[:3]}", not wrong)
        listed = self.cluster.list("dst")
        self.check(f"{len(listed)} outputs are listed", listed == sorted(set(self.names) - (set() if mended else set(self.guilty_names))))
        return len(wrong)

    def finished(self, job, state, done):
        """The job's document at the end of a pass, and its figures."""
        begun = time.monotonic()
        document = self.cluster.wait_job(job, seconds=3600)
        counts = document["objects"]
        self.check(f"the job is {document['state']}, not {state}: {document['reason']}", document["state"] == state)
        self.check(f"the counts are {counts}", counts["total"] == len(self.names) and counts["done"] == done and counts["skipped"] == 0
                   and counts["failed"] + counts["quarantined"] == len(self.names) - done)
        return {"state": document["state"], "objects": counts, "attempts": document["attempts"], "seconds": round(time.monotonic() - begun, 1)}

    def faulty_pass(self):
        job = self.cluster.submit("faulty", "src", "dst")
        figures = self.finished(job, "completed_with_errors", len(self.names) - len(self.guilty))
        rows = self.cluster.errors(job)
        self.check("the ledger does not name exactly the guilty", sorted(row["object"] for row in rows) == [f"ais://src/{n}" for n in self.guilty_names])
        kinds = collections.Counter((row["class"], row["code"]) for row in rows)
        self.check(f"the ledger's classes are {dict(kinds)}", set(kinds) == {self.part.failure})
        counted = self.counted_runs()
        self.check("not every object was run", set(counted) == set(self.names))
        status = self.cluster.get("/v1/transforms/faulty")["targets"]
        return job, {**figures, "ledger_rows": len(rows), "wrong_outputs": self.check_outputs(mended=False),
                     "extra_runs": sum(counted.values()) - len(counted), "most_runs_of_one": max(counted.values()), "restarts": [t["restarts"] for t in status]}

    def mended_pass(self, job):
        self.cluster.call("DELETE", "/v1/transforms/faulty")
        self.runs.unlink()
        self.register(mended=True)
        self.cluster.command(job, "retry?with_current=true")
        figures = self.finished(job, "completed", len(self.names))
        counted = self.counted_runs()
        self.check("the retry did not run exactly the guilty", sorted(counted) == self.guilty_names)
        self.check("the retry ran an object more than once", max(counted.values(), default=0) == 1)
        rows = self.cluster.errors(job)
        self.check(f"{len(rows)} ledger rows are left", not rows)
        return {**figures, "objects_run": len(counted), "wrong_outputs": self.check_outputs(mended=True)}

    def run(self):
        self.cluster.create_bucket("src")
        loader.load(self.cluster, "src", self.names, self.content)
        self.register(mended=False)
        job, first = self.faulty_pass()
        second = self.mended_pass(job)
        peak = {node.name: round(node.resident_bytes(peak=True) / 2**20) for node in self.cluster.nodes}
        return {"part": self.part.name, "guilty": len(self.guilty), "faulty": first, "mended": second, "peak_mib": peak, "off": self.off}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=100_000)
    arguments.add_argument("--part", choices=("filter", "server"), help="only this one")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    good = True
    for part in (FilterPart(), ServerPart()):
        if options.part in (None, part.name):
            with rig.Cluster(options.binary) as cluster:
                figures = Campaign(cluster, part, options.objects, options.seed).run()
            print(json.dumps(figures, indent=1), flush=True)
            good = good and not figures["off"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
