"""What a training run needs to be able to rely on: jobs of the SDK that outlive every node, reads that go on beside a job."""
import concurrent.futures
import time
import unittest

from sdk_case import SUPPORT, SdkCase, wait_for
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
        self.cluster.start()
        status, said, wrong = self.cluster.run("job", "resume", job)
        # A job goes on by itself when its nodes are back: then there is nothing to resume, and the command says so.
        self.assertTrue(status == 0 or "running" in said + wrong, (status, said, wrong))
        client = self.new_client()  # the proxy came back on another port
        result = client.job(job).wait(timeout=60, verbose=False)
        self.assertEqual((result.success, result.error), (True, None))
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


class BesideAJob(SdkCase):
    def test_two_thousand_inline_reads_from_sixteen_threads_while_a_job_runs(self):
        self.cluster.add_transform({"name": "upper-server", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})
        self.cluster.add_filter("job-filter", "tr a-z A-Z")
        contents = {f"sample {i:03} ü?": b"the bytes of sample %d " % i * (1 + i * 7) for i in range(200)}
        bucket = self.new_bucket("samples", contents)
        for number in range(2_500):
            self.cluster.put("samples", f"more/{number:04}", b"more %d" % number)
        names = list(contents)
        job = self.client.job(bucket.transform("job-filter", self.client.bucket("out"), num_workers=2))
        wait_for("the job to have begun", lambda: self.cluster.job(job.job_id)["objects"]["done"] > 0)
        clients = [self.new_client() for _ in range(READERS)]
        running = []

        def read(thread):
            wrong = 0
            for number in range(thread, READS, READERS):
                name = names[number % len(names)]
                made = clients[thread].bucket("samples").object(name).get_reader(etl=ETLConfig("upper-server"), direct=number % 2 == 0)
                wrong += made.read_all() != contents[name].upper()
                running.append(number % 50 or job.status().end_time == 0)
            return wrong

        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            self.assertEqual(list(pool.map(read, range(READERS))), [0] * READERS)
        seconds = time.monotonic() - start
        during = self.cluster.job(job.job_id)
        self.assertEqual(len(running), READS)
        self.assertTrue(job.wait(timeout=100, verbose=False).success)
        self.assertEqual(len(self.cluster.list("out")), len(contents) + 2_500)
        print(f"{READS} inline reads by {READERS} threads in {seconds:.1f} s, all right; the job was {during['state']} "
              f"with {during['objects']['done']} objects done at their end")


if __name__ == "__main__":
    unittest.main()
