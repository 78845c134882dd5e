"""Jobs through the SDK: waited for, looked at, listed, aborted; and what the cluster says of itself."""
import datetime
import unittest

from sdk_case import NAMES, SUPPORT, SdkCase, content_of, wait_for
from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.errors import AISError, ErrBckNotFound, ErrETLNotFound, JobInfoNotFound, Timeout

COUNT = 60


class Jobs(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_filter("upper-job", "tr a-z A-Z")
        cls.cluster.add_filter("slow-job", "sleep 0.5; cat", concurrency={"max": 1})
        cls.cluster.add_filter("picky-job", "read line; case $line in *7*) echo no sevens >&2; exit 3;; esac; echo fine")
        cls.source = cls.client.bucket("src").create()
        for number in range(COUNT):
            cls.cluster.put("src", f"o{number:02}.txt", b"text %d\n" % number)

    def test_transform_a_bucket(self):
        to = self.client.bucket("all-of-it")
        job = self.source.transform("upper-job", to, ext={"txt": "TXT"}, prepend="p/", num_workers=3)
        result = self.assert_done(job)
        self.assertEqual((result.job_id, result.error), (job, ""))
        self.assertLess(abs(result.end_time - datetime.datetime.now(datetime.timezone.utc)), datetime.timedelta(minutes=2))
        self.assertEqual(self.names(to), [f"p/o{i:02}.TXT" for i in range(COUNT)])
        self.assertEqual(self.read(to, "p/o07.TXT"), b"TEXT 7\n")
        chained = self.client.bucket("chained")
        self.assert_done(self.source.transform("upper-job", chained, prefix_filter="o1", etl_pipeline=["upper-job"]), "etl-bck")
        self.assertEqual(self.names(chained), [f"o{i}.txt" for i in range(10, 20)])

    def test_names_that_need_care(self):
        source = self.new_bucket("careful", NAMES)
        to = self.client.bucket("careful-to")
        self.assert_done(source.transform("upper-job", to, prepend="to ?#%/"))
        self.assertEqual(self.names(to), sorted((f"to ?#%/{n}" for n in NAMES), key=str.encode))

    def test_status_snapshots_and_times_of_a_finished_job(self):
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
        id_of_it = self.source.transform("upper-job", self.client.bucket("looked-at"))
        self.assert_done(id_of_it)
        job = self.client.job(id_of_it)
        status = job.status()
        self.assertEqual((status.uuid, status.err, status.aborted), (id_of_it, "", False))
        self.assertGreater(status.end_time, 10**18)
        snaps = job.get_details().list_snapshots()
        self.assertEqual(len(snaps), 3)
        self.assertEqual({(s.id, s.kind, s.source_bck.name, s.destination_bck.name, s.aborted) for s in snaps},
                         {(id_of_it, "etl-bck", "src", "looked-at", False)})
        self.assertEqual(sum(s.stats.objects for s in snaps), COUNT)
        self.assertGreater(sum(s.stats.bytes for s in snaps), 0)
        self.assertGreater(job.get_total_time(), datetime.timedelta(0))
        self.assertEqual(len(job.get_within_timeframe(start)), 3)
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
        self.assertEqual(len(job.get_within_timeframe(start, later)), 3)
        self.assertRaises(JobInfoNotFound, job.get_within_timeframe, later)
        self.assertTrue(job.wait_for_idle(timeout=20, verbose=False).success)
        self.assertTrue(job.wait_single_node(timeout=20, verbose=False).success)
        self.assertEqual((job.job_id, job.job_kind), (id_of_it, ""))

    def test_a_job_that_runs_is_listed_waited_for_in_vain_and_aborted(self):
        to = self.client.bucket("aborted")
        job = self.client.job(self.source.transform("slow-job", to, num_workers=1))
        self.assertEqual(job.status().end_time, 0)
        self.assertIn(f"etl-bck[{job.job_id}]", self.client.cluster().list_running_jobs())
        self.assertEqual(self.client.cluster().list_running_jobs(job_kind="copy-bck"), [])
        self.assertIsNone(job.get_total_time())
        self.assertEqual(job.get_details().get_num_workers(), 1)
        self.assertRaises(Timeout, job.wait, timeout=0, verbose=False)
        wait_for("the first results", lambda: self.names(to))
        job.abort()
        result = job.wait(timeout=30, verbose=False)
        self.assertEqual((result.success, bool(result.error)), (False, True))
        self.assertTrue(job.status().aborted)
        self.assertTrue(job.get_details().any_aborted())
        kept = self.names(to)
        self.assertTrue(0 < len(kept) < COUNT, "what was done is kept")
        self.assertNotIn(f"etl-bck[{job.job_id}]", self.client.cluster().list_running_jobs())
        job.abort()  # of what has ended: nothing happens

    def test_objects_that_fail_end_the_job_unless_told_otherwise(self):
        stopped = self.wait(self.source.transform("picky-job", self.client.bucket("stopped")))
        self.assertEqual((stopped.success, bool(stopped.error)), (False, True))
        to = self.client.bucket("went-on")
        id_of_it = self.source.transform("picky-job", to, cont_on_err=True)
        went_on = self.wait(id_of_it)
        self.assertFalse(went_on.success)
        self.assertFalse(self.client.job(id_of_it).status().aborted)
        sevens = [f"o{i:02}.txt" for i in range(COUNT) if "7" in str(i)]
        self.assertEqual(len(self.names(to)), COUNT - len(sevens))
        errors = self.client.etl("picky-job").view(job_id=id_of_it).obj_errors
        self.assertEqual(sorted(e.obj_name for e in errors), [f"ais://src/{n}" for n in sevens])
        self.assertTrue(all("no sevens" in e.msg for e in errors), errors)

    def test_inspect_a_bucket(self):
        job = self.client.job(self.source.inspect("picky-job"))
        self.assertTrue(job.wait_for_idle(timeout=30, verbose=False).success)
        self.assertEqual(len(self.client.etl("picky-job").view(job_id=job.job_id).obj_errors), sum("7" in str(i) for i in range(COUNT)))
        self.assertEqual(self.read(self.source, "o07.txt"), b"text 7\n")

    def test_dry_run(self):
        self.assert_done(self.source.transform("upper-job", self.client.bucket("dry"), dry_run=True))
        self.assertNotIn("dry", [b.name for b in self.client.cluster().list_buckets()])

    def test_lists_of_jobs_by_kind(self):
        mine = self.source.transform("upper-job", self.client.bucket("kinds"))
        copied = self.source.copy(self.client.bucket("kinds-copied"))
        self.assert_done(mine)
        self.assert_done(copied)
        everything = {s.uuid: s for s in self.client.cluster().list_jobs_status()}
        self.assertLessEqual({mine, copied}, everything.keys())
        self.assertGreater(everything[mine].end_time, 0)
        by_kind = {s.uuid for s in self.client.cluster().list_jobs_status(job_kind="copy-bck")}
        self.assertEqual((copied in by_kind, mine in by_kind), (True, False))

    def test_jobs_and_transforms_that_are_not_there(self):
        unknown = self.client.job("job-unknown")
        for call in (unknown.status, unknown.get_details, unknown.wait):
            self.assert_error(AISError, 404, call)
        self.assertRaises(ValueError, self.client.job().status)
        self.assertRaises(ValueError, self.client.job().abort)
        self.assert_error(ErrETLNotFound, 404, self.source.transform, "not-there-etl", self.client.bucket("x"))
        self.assert_error(ErrETLNotFound, 404, self.source.transform, "upper-job", self.client.bucket("x"), etl_pipeline=["not-there-etl"])
        self.assert_error(ErrBckNotFound, 404, self.client.bucket("nowhere").transform, "upper-job", self.client.bucket("x"))
        with self.assertRaises(AISError) as caught:
            self.source.transform("upper-job", self.source)
        self.assertEqual(caught.exception.status_code, 400)

    def test_what_would_delete_or_remove_more_than_it_says_is_refused(self):
        to = self.client.bucket("in-sync").create()
        for call in (lambda: self.source.copy(to, sync=True), lambda: self.source.transform("upper-job", to, sync=True),
                     lambda: self.source.objects(obj_names=["o01.txt"]).copy(to, sync=True)):
            self.assertIn("synchronize", self.assert_error(AISError, 400, call))
        self.assertEqual(self.names(to), [])

    def test_a_transform_that_is_stopped_lets_its_job_wait_and_one_that_is_deleted_ends_it(self):
        etl = self.client.etl("server-job")
        self.cluster.add_transform({"name": etl.name, "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})
        etl.stop()
        to = self.client.bucket("waited")
        job = self.client.job(self.source.transform(etl.name, to))
        self.assertEqual((job.status().end_time, self.names(to)), (0, []))
        for bucket in (self.source, to):
            with self.assertRaises(AISError) as caught:
                bucket.delete()
            self.assertEqual(caught.exception.status_code, 409, "a job uses it")
        etl.start()
        self.assert_done(job.job_id)
        self.assertEqual(len(self.names(to)), COUNT)
        etl.stop()
        job = self.client.job(self.source.transform(etl.name, self.client.bucket("ended")))
        etl.delete()
        self.assertFalse(job.wait(timeout=20, verbose=False).success)
        self.assertTrue(job.status().aborted)

    def test_what_has_nothing_to_do_here_is_over_at_once(self):
        for kind in ("lru", "rebalance", "resilver", "cleanup-store"):
            began = datetime.datetime.now(datetime.timezone.utc)
            started = self.client.job(job_kind=kind).start()
            self.assertTrue(self.client.job(started, kind).wait(timeout=20, verbose=False).success, kind)
            self.assertEqual({snap.id for snap in self.client.job(started, kind).get_details().list_snapshots()}, {started})
            self.assertNotEqual(self.client.job(started).get_within_timeframe(began - datetime.timedelta(seconds=5), began + datetime.timedelta(minutes=1)), [])
        self.assertEqual(self.client.job(job_kind="get-batch").get_details().list_snapshots(), [])
        with self.assertRaises(AISError) as caught:
            self.client.job(job_kind="ec-encode").start()
        self.assertEqual(caught.exception.status_code, 400)


class OfTheCluster(SdkCase):
    def test_the_map_names_every_node_and_where_it_is(self):
        cluster = self.client.cluster()
        info = cluster.get_info()
        self.assertEqual((set(info.tmap), len(info.pmap)), ({"t1", "t2", "t3"}, 1))
        for target in self.cluster.targets:
            node = info.tmap[target.name]
            self.assertEqual((node.daemon_type, node.public_net.direct_url), ("target", f"http://{target.endpoint()}"))
            self.assertFalse(node.in_maint_or_decomm())
        self.assertEqual(cluster.get_primary_url(), f"http://{self.cluster.proxy.endpoint()}")
        self.assertEqual(cluster.get_uuid(), info.uuid)
        self.assertTrue(info.uuid and info.version > 0)
        self.assertIn(info.get_target_for_object("ais/@#/b/o").daemon_id, info.tmap)
        self.assertTrue(cluster.is_ready())

    def test_performance_and_logs_tell_of_each_node(self):
        cluster = self.client.cluster()
        self.assertEqual({name: told["snode"]["daemon_id"] for name, told in cluster.get_performance().items()}, {t: t for t in ("t1", "t2", "t3")})
        self.assertEqual(sorted(cluster.get_cluster_logs()), ["t1", "t2", "t3"])
        self.assertEqual(len(cluster.get_cluster_logs(role=NodeFilter.ALL)), 4)
        self.assertIn("target started", cluster.get_node_log("t2"))
        self.assertNotIn("target started", cluster.get_node_log("t2", severity=LogSeverity.WARNING))
        self.assertTrue(cluster.get_node_log_archive("t2").startswith(b"\x1f\x8b"))
        self.assert_error(AISError, 404, cluster.get_node_log, "t9")

    def test_there_are_no_users_to_log_in(self):
        from aistore.sdk import AuthNClient
        from aistore.sdk.authn.errors import AuthNError

        with self.assertRaises(AuthNError) as caught:
            AuthNClient(f"http://{self.cluster.proxy.endpoint()}").login("somebody", "secret")
        self.assertIn(caught.exception.status_code, (400, 404, 405))
        self.assertTrue(self.new_client(token="not looked at").cluster().is_ready())

    def test_what_is_absent_says_so_at_once(self):
        bucket = self.new_bucket("absent", ["a"])
        for call in (lambda: list(self.client.batch(["a"], bucket=bucket).get()), self.client.dsort("x").get_job_info, self.client.dsort("x").abort):
            with self.assertRaises(AISError) as caught:
                call()
            self.assertIn(caught.exception.status_code, (400, 404, 405, 501), caught.exception)
        self.assertEqual(self.read(bucket, "a"), content_of("a"))


if __name__ == "__main__":
    unittest.main()
