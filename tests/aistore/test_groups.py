"""Groups of objects through the SDK: by list, range and template; transformed, inspected, copied, deleted."""
import unittest

from sdk_case import NAMES, SdkCase, content_of
from aistore.sdk.errors import AISError, ErrBckNotFound, ErrETLNotFound
from aistore.sdk.multiobj import ObjectNames, ObjectRange, ObjectTemplate

RANGE = [f"part{i:02}.txt" for i in range(20)]


class Groups(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_filter("upper-group", "tr a-z A-Z")
        cls.cluster.add_filter("reverse-group", "rev")
        cls.cluster.add_filter("picky-group", "if grep -q part07; then echo no sevens >&2; exit 3; fi")

    def source(self, name):
        return self.new_bucket(name, RANGE + NAMES)

    def test_the_names_of_a_group(self):
        bucket = self.source("named")
        self.assertEqual(bucket.objects(obj_names=NAMES).list_names(), NAMES)
        for group in (bucket.objects(obj_range=ObjectRange("part", 2, 8, pad_width=2, step=3, suffix=".txt")),
                      bucket.objects(obj_range=ObjectRange.from_string("part{02..08..3}.txt")),
                      bucket.objects(obj_template="part{02..08..3}.txt")):
            self.assertEqual(group.list_names(), ["part02.txt", "part05.txt", "part08.txt"])
            self.assertEqual([o.get_reader().read_all() for o in group.list_all_objects_iter()], [content_of(n) for n in group.list_names()])
            self.assertEqual([url.split("/")[-1].split("?")[0] for url in group.list_urls()], group.list_names())
        self.assertEqual([o.name for o in bucket.objects(obj_names=NAMES).list_all_objects_iter(prefix="a/")], ["a/b/c.txt"])
        self.assertEqual(ObjectNames(["a"]).get_value(), {"objnames": ["a"]})
        self.assertEqual(ObjectTemplate("a{1..2}").get_value(), {"template": "a{1..2}"})
        self.assertEqual(ObjectRange("a", 1, 2).get_value(), {"template": "a{1..2..1}"})

    def test_delete_by_list_range_template_and_prefix(self):
        bucket = self.source("deleted")
        left = set(RANGE + NAMES)
        for group, gone in ((bucket.objects(obj_names=NAMES[2:]), NAMES[2:]),
                            (bucket.objects(obj_range=ObjectRange("part", 0, 9, pad_width=2, suffix=".txt")), RANGE[:10]),
                            (bucket.objects(obj_template="part{15..19}.txt"), RANGE[15:]),
                            (bucket.objects(obj_range=ObjectRange("part1")), RANGE[10:15])):
            self.assert_done(group.delete())
            left -= set(gone)
            self.assertEqual(set(self.names(bucket)), left)

    def test_deleting_what_is_not_there_is_told_or_nothing(self):
        bucket = self.source("deleted-missing")
        result = self.wait(bucket.objects(obj_names=["part01.txt", "never-was"]).delete())
        self.assertNotIn("part01.txt", self.names(bucket))
        self.assertEqual(len(self.names(bucket)), len(RANGE + NAMES) - 1)
        self.assertIsNotNone(result)

    def test_copy_by_list_and_template(self):
        bucket, to = self.source("copied"), self.client.bucket("copied-to").create()
        for job in bucket.objects(obj_names=NAMES).copy(to):
            self.assert_done(job)
        self.assertEqual(set(self.names(to)), set(NAMES))
        for job in bucket.objects(obj_template="part{00..04}.txt").copy(to, prepend="pre ?/", num_workers=2):
            self.assert_done(job, "copy-listrange")
        self.assertEqual(self.names(to, prefix="pre ?/"), [f"pre ?/{n}" for n in RANGE[:5]])
        for name in NAMES:
            self.assertEqual(self.read(to, name), content_of(name), name)
        for job in bucket.objects(obj_template="part{05..09}.txt").copy(to, dry_run=True):
            self.assert_done(job)
        self.assertNotIn("part05.txt", self.names(to))

    def test_transform_by_list_and_template(self):
        bucket, to = self.source("changed"), self.client.bucket("changed-to").create()
        listed = [n for n in NAMES if n.isascii()]
        self.assert_done(bucket.objects(obj_names=listed).transform(to, "upper-group"))
        for name in listed:
            self.assertEqual(self.read(to, name), content_of(name).upper(), name)
        job = bucket.objects(obj_template="part{00..19}.txt").transform(to, "upper-group", prepend="new/", ext={"txt": "TXT"},
                                                                        etl_pipeline=["reverse-group"], num_workers=2)
        self.assert_done(job, "etl-listrange")
        self.assertEqual(self.names(to, prefix="new/"), [f"new/{n[:-3]}TXT" for n in RANGE])
        self.assertEqual(self.read(to, "new/part03.TXT"), b"TXT.30TRAP FO TNETNOC\n")

    def test_inspect_writes_nothing_and_keeps_the_errors(self):
        bucket = self.source("inspected")
        before = {e.name: e.version for e in bucket.list_all_objects(props="name,version")}
        job = bucket.objects(obj_template="part{00..19}.txt").inspect("picky-group")
        self.assertTrue(self.client.job(job).wait_for_idle(timeout=30, verbose=False).success)
        self.assertEqual({e.name: e.version for e in bucket.list_all_objects(props="name,version")}, before)
        errors = self.client.etl("picky-group").view(job_id=job).obj_errors
        self.assertEqual([e.obj_name for e in errors], ["ais://inspected/part07.txt"])
        self.assertIn("no sevens", errors[0].msg)
        self.assertGreaterEqual(errors[0].ecode, 400)

    def test_errors_of_a_group(self):
        bucket = self.source("wrong")
        to = self.client.bucket("wrong-to").create()
        self.assertIn("not-there-etl", self.assert_error(ErrETLNotFound, 404, bucket.objects(obj_names=["a"]).transform, to, "not-there-etl"))
        self.assert_error(ErrETLNotFound, 404, bucket.objects(obj_names=["a"]).transform, to, "upper-group", etl_pipeline=["not-there-etl"])
        self.assert_error(ErrBckNotFound, 404, self.client.bucket("nowhere").objects(obj_names=["a"]).copy, to)
        self.assertRaises(ValueError, bucket.objects, obj_names=["a"], obj_template="b")

    def test_archiving_is_absent(self):
        bucket = self.source("archived")
        with self.assertRaises(AISError) as caught:
            bucket.objects(obj_names=RANGE).archive("all.tar")
        self.assertIn(caught.exception.status_code, (400, 405, 501), caught.exception)
        self.assertNotIn("all.tar", self.names(bucket))


if __name__ == "__main__":
    unittest.main()
