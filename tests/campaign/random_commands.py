"""Random commands on jobs, buckets, transforms and objects while nodes are killed, with a model of what must come out.

    python3 tests/campaign/random_commands.py build/release/millrace --rounds 1000
    python3 tests/campaign/random_commands.py build/release/millrace --rounds 1 --seed 17/203    # one round again

A round submits a job, disturbs it at random (pause, resume, cancel, stop of its transform, overwritten, removed and new
sources, killed nodes, answers that never arrive), and brings it to an end in one of several ways. The model knows which objects the job
selected, which contents each had since, and so what may stand in the destination and in the ledger. Prints its figures as
JSON; exit status 1 when a state was not what the model says, or when something did not end.
"""
import argparse
import collections
import http.client
import json
import pathlib
import random
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402

OBJECTS = 24            # in the source when a round begins
END_SECONDS = 90.0      # by when a job must have come to its end once nothing disturbs it any more
LOST = (OSError, http.client.HTTPException)
FOLDERS = ("a/", "b/", "")


class Wrong(Exception):
    """The cluster is not as the model says."""


def require(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(w) for w in what))


class Selected:
    """One object of a job: every content that the job may have read, and whether it may have found none."""

    def __init__(self, content):
        self.contents = [content] if content is not None else []
        self.may_be_missing = content is None
        self.same = content is not None  # still the object that was there at the submit

    def may_fail(self, listed):
        return any(is_bad(c) for c in self.contents) or (self.may_be_missing and listed)


def is_bad(content):
    return content.startswith(b"bad")


def transformed(tag, content):
    return tag.encode() + b" " + content


class Model:
    """The source bucket, and the objects of the jobs that are watched."""

    def __init__(self):
        self.objects = {}    # name → content
        self.serial = 0
        self.watched = []    # {name: Selected} of every job of this round

    def fresh(self, name, bad):
        self.serial += 1
        return f"{'bad' if bad else 'good'} {name} {self.serial}\n".encode()

    def stored(self, name, content):
        overwrites = name in self.objects
        self.objects[name] = content
        for selection in self.watched:
            if name in selection and selection[name].same and overwrites:
                selection[name].contents.append(content)

    def removed(self, name):
        self.objects.pop(name, None)
        for selection in self.watched:
            if name in selection:
                selection[name].same = False
                selection[name].may_be_missing = True

    def watch(self, names):
        selection = {name: Selected(self.objects.get(name)) for name in names}
        self.watched.append(selection)
        return selection


class Round:
    def __init__(self, cluster, model, number, seed, figures):
        self.cluster, self.model, self.number, self.figures = cluster, model, number, figures
        self.chance = random.Random(f"{seed}/{number}")
        self.source, self.destination = "src", f"out{number}"
        self.transform, self.tags = f"marker-{number}", ["A"]
        self.story = []

    def tell(self, *what):
        self.story.append(" ".join(str(w) for w in what))

    # ---- what users do; an answer that is lost is asked for again

    def again(self, call, *arguments):
        """A request that may be repeated without harm, until it is answered."""
        def answered():
            try:
                return (call(*arguments),)
            except LOST:
                return None
            except rig.Problem as problem:
                if problem.status == 503:
                    return None
                raise
        return rig.wait_for(f"an answer to {call.__name__} {arguments}", answered, 60)[0]

    def put(self, name, bad=False):
        content = self.model.fresh(name, bad)
        self.tell("put", name, content)
        # Until it is answered, either content may be there.
        self.model.stored(name, content)
        self.again(self.cluster.put, self.source, name, content)

    def remove(self, name):
        self.tell("remove", name)
        self.model.removed(name)
        def gone():
            status, _, answer = self.cluster.request("DELETE", self.cluster.object_path(self.source, name))
            if status not in (200, 404):
                raise rig.Problem(status, answer)
        self.again(gone)

    def register(self, tag):
        pause = self.chance.choice(("", "", "sleep 0.05; "))
        command = f'IFS= read -r line; case "$line" in bad*) echo refused >&2; exit 3;; esac; {pause}echo "{tag} $line"'
        self.tell("register", tag)
        def add():
            try:
                self.cluster.add_filter(self.transform, command, obj_timeout="30s")
            except rig.Problem as problem:
                if problem.status != 409:
                    raise
        self.again(add)

    def unregister(self):
        def drop():
            try:
                self.cluster.call("DELETE", f"/v1/transforms/{self.transform}")
            except rig.Problem as problem:
                if problem.status != 404:
                    raise
        self.again(drop)

    def submit(self):
        names = set(self.model.objects)
        kind = self.chance.choice(("all", "prefix", "list"))
        more = {}
        if kind == "prefix":
            more["prefix"] = self.chance.choice(FOLDERS[:2])
            names = {n for n in names if n.startswith(more["prefix"])}
        elif kind == "list":
            names = set(self.chance.sample(sorted(names), len(names) // 2)) | {"never/was", f"later/{self.number}"}
            more["objects"] = sorted(names)
        document = {"transform": self.transform, "source": f"ais://{self.source}", "destination": f"ais://{self.destination}",
                    "num_workers": self.chance.choice((0, 1)), "attempts": 2, **more}
        key = {"Idempotency-Key": f"{self.number}-{len(self.story)}"}
        job = self.again(self.cluster.call, "POST", "/v1/jobs", document, key)["id"]
        selection = self.model.watch(names)
        repeated = self.again(self.cluster.call, "POST", "/v1/jobs", document, key)["id"]
        require(job == repeated, "one idempotency key, two jobs:", job, repeated)
        self.tell("submit", kind, job, len(names))
        return job, selection, kind == "list"

    def command(self, job, verb, query=""):
        """(answered, the problem or None). An answer that was lost is no answer: it may have been done or not."""
        try:
            self.cluster.call("POST", f"/v1/jobs/{job}/{verb}{query}")
            self.tell(verb, job)
            return True, None
        except rig.Problem as problem:
            self.tell(verb, job, problem.status, problem.document.get("detail", ""))
            return True, problem
        except LOST:
            self.tell(verb, job, "lost")
            return False, None

    def kill(self, node):
        self.tell("kill", node.name)
        self.figures["kills"] += 1
        node.kill()
        node.start()

    # ---- the disturbances

    def disturb(self, job):
        name = self.chance.choice(sorted(self.model.objects))
        action = self.chance.choice(("overwrite", "overwrite", "remove", "replace", "new", "pause", "resume", "cancel_resume", "kill", "kill",
                                     "stop_transform", "look"))
        if action == "overwrite":
            self.put(name, bad=self.chance.random() < 0.2)
        elif action == "remove":
            self.remove(name)
        elif action == "replace":
            self.remove(name)
            self.put(name)
        elif action == "new":
            self.put(self.chance.choice(FOLDERS) + f"new-{self.model.serial}")
            self.put(f"later/{self.number}")
        elif action in ("pause", "resume"):
            self.command(job, action)
        elif action == "cancel_resume":
            self.command(job, "cancel")
            self.command(job, "resume")
        elif action == "kill":
            self.kill(self.chance.choice(self.cluster.nodes))
        elif action == "stop_transform":
            for verb in ("stop", "start"):
                self.again(self.cluster.call, "POST", f"/v1/transforms/{self.transform}/{verb}")
        elif action == "look":
            document = self.again(self.cluster.job, job)
            require(document["elapsed_seconds"] >= 0, "negative time", document)

    def bring_to_rest(self, job):
        """Nothing disturbs it any more; a job that was paused or cancelled is resumed until it ends by itself."""
        self.cluster.wait_ready()
        self.again(self.cluster.call, "POST", f"/v1/transforms/{self.transform}/start")
        def at_rest():
            document = self.again(self.cluster.job, job)
            if document["state"] in ("paused", "cancelled", "failed"):
                answered, problem = self.command(job, "resume")
                require(not problem or self.again(self.cluster.job, job)["state"] != document["state"], "cannot be resumed:", problem)
                return None
            return document if document["state"] in ("completed", "completed_with_errors") else None
        return rig.wait_for(f"{job} to come to rest", at_rest, END_SECONDS)

    def cancel_for_good(self, job):
        """Whether it was cancelled before it ended."""
        self.cluster.wait_ready()
        self.command(job, "cancel")
        def at_rest():
            document = self.again(self.cluster.job, job)
            rests = all(part["current"] and part["state"] in ("stopped", "finished", "failed") for part in document["slices"])
            return document if document["state"] != "cancelled" or rests else None
        return rig.wait_for(f"{job} to stop on every target", at_rest, END_SECONDS)["state"] == "cancelled"

    # ---- what must be

    def content(self, bucket, name):
        status, headers, body = self.cluster.request("GET", self.cluster.object_path(bucket, name))
        return (headers.get("Millrace-Job"), body) if status == 200 else (None, None)

    def outputs(self):
        found = {}
        for name in self.cluster.list(self.destination):
            found[name] = self.content(self.destination, name)
        return found

    def check(self, job, selection, listed, document=None):
        document = document or self.again(self.cluster.job, job)
        counts = document["objects"]
        outputs = {n: body for n, (maker, body) in self.outputs().items() if maker == job}
        failed = {row["object"].removeprefix(f"ais://{self.source}/"): row for row in self.again(self.cluster.errors, job)}
        require(counts["total"] == len(selection), "total", counts, "selected", len(selection))
        require(sum(counts[k] for k in ("done", "skipped", "failed", "quarantined")) == counts["total"], "does not add up", counts)
        require(counts["failed"] == len(failed) and counts["quarantined"] == 0, "ledger", counts, sorted(failed))
        for name, body in outputs.items():
            require(name in selection, name, "was not selected, and has a result")
            allowed = [transformed(tag, c) for c in selection[name].contents for tag in self.tags if not is_bad(c)]
            require(body in allowed, name, "has", body, "instead of one of", allowed)
        for name, row in failed.items():
            require(name in selection and selection[name].may_fail(listed), name, "failed without a reason:", row["message"])
        for name, object_ in selection.items():
            require(name in outputs or name in failed or object_.may_be_missing, name, "has neither result nor error")
        unsure = sum(1 for n in outputs if n in failed or selection[n].may_be_missing)
        require(len(outputs) - unsure <= counts["done"] <= len(outputs), "done", counts["done"], "results", len(outputs), "unsure", unsure)
        return document

    # ---- the ends of a round

    def end_well(self, job, selection, listed):
        document = self.check(job, selection, listed, self.bring_to_rest(job))
        if document["state"] == "completed_with_errors":
            for name in selection:
                if name in self.model.objects and is_bad(self.model.objects[name]):
                    self.put(name)
            before = document["objects"]
            answered, problem = self.command(job, "retry")
            require(answered and not problem, "retry was refused:", problem)
            self.check(job, selection, listed, self.bring_to_rest(job))
            require(self.again(self.cluster.job, job)["objects"]["done"] >= before["done"], "a retry took results away")
        self.again(self.cluster.call, "DELETE", f"/v1/jobs/{job}")

    def end_by_another(self, job, selection, listed):
        """A later job's results are not touched by one that was cancelled."""
        if not self.cancel_for_good(job):
            return self.end_well(job, selection, listed)
        second, chosen, is_list = self.submit()
        document = self.bring_to_rest(second)
        self.check(second, chosen, is_list, document)
        self.later = (job, second, {n: self.content(self.destination, n) for n in chosen})

    def end_elsewhere(self, job, selection, listed):
        """The destination is another bucket now: going on must be asked for, and then only the rest is done."""
        if not self.cancel_for_good(job):
            return self.end_well(job, selection, listed)
        before = self.again(self.cluster.job, job)["objects"]
        path = f"/v1/buckets/{self.destination}"
        if self.chance.random() < 0.5:
            self.cluster.call("DELETE", path, {"action": "destroy-bck"})
        else:
            status, _, answer = self.cluster.request("POST", f"{path}?bck_to=ais/@%23/old{self.number}/", json.dumps({"action": "move-bck"}).encode())
            require(status == 200, "the destination cannot be renamed:", answer)
        self.cluster.create_bucket(self.destination)
        self.tell("destination replaced")
        self.refused(job, "resume", self.destination)
        document = self.go_on_with_current(job)
        done = document["objects"]["done"] - before["done"]
        there = len(self.cluster.list(self.destination))
        require(done <= there <= document["objects"]["total"], "another bucket has", there, "results of", before, document["objects"])

    def end_with_another_program(self, job, selection, listed):
        """The transform is another one now: the same."""
        if not self.cancel_for_good(job):
            return self.end_well(job, selection, listed)
        self.unregister()
        self.register("B")
        self.refused(job, "resume", self.transform)
        self.tags.append("B")
        self.check(job, selection, listed, self.go_on_with_current(job))

    def refused(self, job, verb, word):
        before = self.again(self.cluster.job, job)
        answered, problem = self.command(job, verb)
        require(problem is not None and problem.status == 409 and word in problem.document["detail"], verb, "was not refused:", problem)
        after = self.again(self.cluster.job, job)
        require((after["state"], after["epoch"]) == (before["state"], before["epoch"]), "a refused command changed the job")

    def go_on_with_current(self, job):
        answered, problem = self.command(job, "resume", "?with_current=true")
        require(answered and not problem, "cannot go on with what is there:", problem)
        return self.bring_to_rest(job)

    # ---- the round

    def run(self):
        self.later = None
        for name in list(self.model.objects):
            if self.chance.random() < 0.2:
                self.remove(name)
        while len(self.model.objects) < OBJECTS:
            name = self.chance.choice(FOLDERS) + f"object-{self.chance.randrange(100):02d}"
            if name not in self.model.objects:
                self.put(name, bad=self.chance.random() < 0.05)
        self.register("A")
        job, selection, listed = self.submit()
        for _ in range(self.chance.randrange(1, 7)):
            self.disturb(job)
        end = self.chance.choice((self.end_well, self.end_well, self.end_by_another, self.end_elsewhere, self.end_with_another_program))
        self.tell(end.__name__)
        self.figures[end.__name__] += 1
        end(job, selection, listed)
        return self

    def check_later(self):
        """Once the next round is over: nothing of the cancelled job has appeared over the later one's results."""
        if self.later:
            cancelled, _, results = self.later
            for name, result in results.items():
                now = self.content(self.destination, name)
                require(now == result, name, "changed after", cancelled, "was cancelled:", result, "→", now)

    def clear(self):
        self.model.watched.clear()
        self.again(self.unregister)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--rounds", type=int, default=100)
    arguments.add_argument("--seed", default=str(int(time.time())), help="SEED, or SEED/ROUND to begin with that round")
    options = arguments.parse_args()
    seed, _, first = options.seed.partition("/")
    figures = collections.Counter()
    print(f"seed {seed}", file=sys.stderr)
    begun, wrong, previous = time.monotonic(), None, None
    with rig.Cluster(options.binary) as cluster:
        cluster.create_bucket("src")
        model = Model()
        for number in range(int(first or 0), int(first or 0) + options.rounds):
            this = Round(cluster, model, number, seed, figures)
            try:
                this.run()
                if previous:
                    previous.check_later()
                this.clear()
            except (Wrong, rig.Failed, rig.Problem, *LOST) as problem:
                wrong = {"seed": f"{seed}/{number}", "problem": f"{type(problem).__name__}: {problem}", "story": this.story}
                cluster.print_logs()
                break
            previous = this
            figures["rounds"] += 1
            if figures["rounds"] % 50 == 0:
                print(f"{figures['rounds']} rounds, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - begun), "wrong": wrong}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
