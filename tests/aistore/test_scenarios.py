"""What a training run needs to be able to rely on: jobs of the SDK that outlive every node, reads that go on beside a job."""
import concurrent.futures
import time
import unittest

from sdk_case import SUPPORT, SdkCase, content_of, wait_for
from aistore.sdk.etl import ETLConfig

READS = 2_000
READERS = 16


class Killed(SdkCase):
    def test_a_job_survives_the_death_of_every_node_half_way(self):
        count = 120
        self.cluster.add_filter("slowly-upper", "sleep 0.1; tr a-z A-Z", concurrency={"max": 1})
        source = self.new_bucket("src", [f"o{i:03}" for i in range(count)])
        to = self.client.bucket("dst")
        job = source.transform("slowly-upper", to)
        done = wait_for("a third of the job to be recorded", lambda: (d := self.cluster.job(job)["objects"]["done"]) >= count // 3 and d)
        for node in self.cluster.nodes:
            node.kill()
        self.assertLess(done, count)
        self.cluster.proxy.start()
        wait_for("the proxy", lambda: self.cluster.proxy.endpoint() and self.cluster.request("GET", "/v1/jobs")[0] == 200)
        status, said, wrong = self.cluster.run("job", "resume", job)
        # A job goes on by itself when its nodes are back: there is nothing to resume, and the command says so.
        self.assertIn(f"{job} is running", wrong, (status, said))
        self.cluster.start()
        client = self.new_client()  # the proxy came back on another port
        result = client.job(job).wait(timeout=60, verbose=False)
        self.assertTrue(result.success, result)
        self.assertEqual(self.names(client.bucket("dst")), [f"o{i:03}" for i in range(count)])
        self.assertEqual(self.read(client.bucket("dst"), "o042"), b"CONTENT OF O042\n")
        document = self.cluster.job(job)
        self.assertEqual(document["objects"]["done"], count)
        self.assertLess(document["attempts"], 2 * count)
        print(f"killed with {done} of {count} done; {document['attempts']} attempts in all")

    def test_a_job_that_was_aborted_is_resumed_and_seen_complete(self):
        count = 60
        self.client = self.new_client()
        self.cluster.add_filter("slowly-cat", "sleep 0.1; cat", concurrency={"max": 1})
        source = self.new_bucket("src-2", [f"o{i:03}" for i in range(count)])
        job = self.client.job(source.transform("slowly-cat", self.client.bucket("dst-2")))
        wait_for("some results", lambda: self.cluster.job(job.job_id)["objects"]["done"] > 5)
        job.abort()
        self.assertFalse(job.wait(timeout=30, verbose=False).success)
        for node in self.cluster.nodes:
            node.kill()
        self.cluster.start()
        job = self.new_client().job(job.job_id)
        self.assertTrue(job.status().aborted, "its status is still there")
        status, said, wrong = self.cluster.run("job", "resume", job.job_id)
        self.assertEqual(status, 0, (said, wrong))
        self.assertTrue(job.wait(timeout=60, verbose=False).success)
        self.assertEqual(self.cluster.list("dst-2"), [f"o{i:03}" for i in range(count)])


class Restarted(SdkCase):
    def test_a_read_waits_out_a_target_that_restarts(self):
        contents = {f"o{i}": b"content %d" % i * 10_000 for i in range(12)}
        bucket = self.new_bucket("read", contents)
        target = self.cluster.targets[0]
        target.kill()
        with concurrent.futures.ThreadPoolExecutor(len(contents)) as pool:
            reads = {name: pool.submit(self.read, self.new_client().bucket("read"), name) for name in contents}
            owned_by_others = wait_for("what the others own to be read", lambda: sum(r.done() for r in reads.values()) >= 4)
            self.assertTrue(owned_by_others)
            target.start()
            self.assertEqual({name: read.result(60) for name, read in reads.items()}, contents)
        self.assertEqual(self.names(bucket), sorted(contents))


class BesideAJob(SdkCase):
    def test_two_thousand_inline_reads_from_sixteen_threads_while_a_job_runs(self):
        self.cluster.add_transform({"name": "upper-server", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})
        # The job is busy with small objects for some seconds, and is not over before the gate is there.
        gate = self.cluster.folder / "gate"
        self.cluster.add_filter("job-filter", f"case $MILLRACE_OBJECT in hold*) until [ -e {gate} ]; do sleep 0.1; done;; *) sleep 0.01;; esac; tr a-z A-Z",
                                obj_timeout="5m")
        contents = {f"sample {i:03} ü?": b"the bytes of sample %d " % i * (1 + i * 7) for i in range(200)}
        bucket = self.new_bucket("samples", contents)
        others = [f"hold{i}" for i in range(6)] + [f"more/{i:04}" for i in range(1_500)]
        for name in others:
            self.cluster.put("samples", name, content_of(name))
        job = self.client.job(bucket.transform("job-filter", self.client.bucket("out"), num_workers=4))
        wait_for("the job to have begun", lambda: self.cluster.job(job.job_id)["objects"]["done"] > 0)
        names = list(contents)
        clients = [self.new_client() for _ in range(READERS)]

        def read(thread):
            wrong = []
            for number in range(thread, READS, READERS):
                name = names[number % len(names)]
                made = clients[thread].bucket("samples").object(name).get_reader(etl=ETLConfig("upper-server"), direct=number % 2 == 0)
                if made.read_all() != contents[name].upper():
                    wrong.append(name)
            return wrong

        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            self.assertEqual(list(pool.map(read, range(READERS))), [[]] * READERS)
        seconds = time.monotonic() - start
        self.assertEqual(job.status().end_time, 0, "the job ran all the time")
        done = self.cluster.job(job.job_id)["objects"]["done"]
        gate.touch()
        self.assertTrue(job.wait(timeout=100, verbose=False).success)
        self.assertEqual(set(self.names(self.client.bucket("out"))), {*contents, *others})
        self.assertEqual(self.read(self.client.bucket("out"), "more/0042"), content_of("more/0042").upper())
        print(f"{READS} inline reads by {READERS} threads in {seconds:.1f} s, all right, while a job went to {done} objects")


if __name__ == "__main__":
    unittest.main()
