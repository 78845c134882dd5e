"""Buckets through the SDK: made, listed, described, copied, renamed, filled from folders, destroyed."""
import json
import pathlib
import tempfile
import unittest

from sdk_case import NAMES, SdkCase, content_of
from aistore.sdk import Namespace
from aistore.sdk.errors import AISError, ErrBckAlreadyExists, ErrBckNotFound, InvalidBckProvider
from aistore.sdk.provider import Provider


class Buckets(SdkCase):
    def test_create_twice_and_destroy_twice(self):
        bucket = self.client.bucket("twice")
        self.assertIs(bucket.create(), bucket)
        self.assertIn("ais://twice", self.assert_error(ErrBckAlreadyExists, 409, bucket.create))
        bucket.create(exist_ok=True)
        bucket.delete()
        self.assertIn("ais://twice", self.assert_error(ErrBckNotFound, 404, bucket.delete))
        bucket.delete(missing_ok=True)

    def test_a_bucket_that_is_not_there(self):
        missing = self.client.bucket("missing")
        self.assert_error(ErrBckNotFound, 404, missing.list_objects)
        self.assert_error(ErrBckNotFound, 404, missing.object("a").get_writer().put_content, b"x")
        self.assert_error(ErrBckNotFound, 404, missing.object("a").get_reader().read_all)
        self.assert_error(ErrBckNotFound, 404, missing.copy, self.client.bucket("anywhere"))
        self.assert_error(ErrBckNotFound, 404, missing.objects(obj_names=["a"]).delete)
        self.assert_error(ErrBckNotFound, 404, missing.summary)
        self.assert_error(AISError, 404, missing.head)  # an answer to HEAD has no body to tell the class from
        self.assert_error(AISError, 404, missing.info)

    def test_list_buckets(self):
        for name in ("listed-1", "listed-2"):
            self.client.bucket(name).create()
        for provider in ("ais", Provider.AIS, ""):
            found = {(b.name, b.provider) for b in self.client.cluster().list_buckets(provider=provider)}
            self.assertLessEqual({("listed-1", "ais"), ("listed-2", "ais")}, found)
        self.assertEqual(self.client.cluster().list_buckets(provider="aws"), [])

    def test_head_tells_the_properties(self):
        headers = self.new_bucket("headed").head()
        self.assertEqual(json.loads(headers["Ais-Bucket-Props"])["provider"], "ais")

    def test_names_and_paths_of_a_bucket(self):
        bucket = self.client.bucket("named")
        self.assertEqual((bucket.name, bucket.provider, bucket.namespace, bucket.get_path()), ("named", Provider.AIS, None, "ais/@#/named/"))
        self.assertEqual((bucket.as_model().name, bucket.qparam), ("named", {"provider": "ais"}))
        self.assertIsNotNone(bucket.client)

    def test_summary_and_info_count_objects_and_bytes(self):
        bucket = self.new_bucket("summed", {f"in/{i}": b"x" * 1000 for i in range(7)} | {"out/1": b"y" * 50})
        summary = bucket.summary()
        self.assertEqual((summary["name"], summary["ObjCount"]["obj_count_present"], summary["TotalSize"]["size_all_present_objs"]),
                         ("summed", "8", "7050"))
        self.assertEqual(bucket.summary(prefix="in/")["ObjCount"]["obj_count_present"], "7")
        properties, summary = bucket.info(prefix="in/")
        self.assertEqual(json.loads(properties)["provider"], "ais")
        self.assertEqual((summary["ObjCount"]["obj_count_present"], summary["TotalSize"]["size_all_present_objs"]), ("7", "7000"))

    def test_copy_takes_all_names_and_can_filter_and_rename(self):
        source = self.new_bucket("copied", NAMES)
        self.assert_done(source.copy(self.client.bucket("copied-all")))
        self.assertEqual(self.names(self.client.bucket("copied-all")), sorted(NAMES, key=str.encode))
        for name in NAMES:
            self.assertEqual(self.read(self.client.bucket("copied-all"), name), content_of(name))
        to = self.client.bucket("copied-some")
        self.assert_done(source.copy(to, prefix_filter="a/", prepend="new ?/", ext={"txt": "md"}), "copy-bck")
        self.assertEqual(self.names(to), ["new ?/a/b/c.md"])
        self.assert_done(source.copy(self.client.bucket("copied-dry"), dry_run=True))
        self.assertNotIn("copied-dry", [b.name for b in self.client.cluster().list_buckets()])

    def test_rename_keeps_the_objects(self):
        bucket = self.new_bucket("before", NAMES)
        job = bucket.rename("after")
        self.assert_done(job)
        self.assertEqual(bucket.name, "after")
        self.assertEqual(self.names(bucket), sorted(NAMES, key=str.encode))
        self.assertEqual(self.read(bucket, NAMES[0]), content_of(NAMES[0]))
        self.assert_error(ErrBckNotFound, 404, self.client.bucket("before").list_objects)
        self.new_bucket("taken")
        self.assert_error(ErrBckAlreadyExists, 409, bucket.rename, "taken")

    def test_put_files(self):
        bucket = self.new_bucket("files")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one.txt", "two.bin", "sub/three ü.txt"):
                path = pathlib.Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content_of(name))
            planned = bucket.put_files(folder, dry_run=True, recursive=True, verbose=False)
            self.assertEqual((sorted(planned), self.names(bucket)), (["one.txt", "sub/three ü.txt", "two.bin"], []))
            bucket.put_files(folder, recursive=True, pattern="*.txt", prepend="up/", verbose=False)
            self.assertEqual(self.names(bucket), ["up/one.txt", "up/sub/three ü.txt"])
            bucket.put_files(folder, prefix_filter="two", basename=True, verbose=False)
        self.assertEqual(self.read(bucket, "up/sub/three ü.txt"), content_of("sub/three ü.txt"))
        self.assertEqual(self.names(bucket, prefix="two"), ["two.bin"])

    def test_urls_of_a_bucket_can_be_fetched(self):
        import requests

        bucket = self.new_bucket("urls", NAMES)
        urls = list(bucket.list_urls())
        self.assertEqual(len(urls), len(NAMES))
        self.assertEqual(sorted(requests.get(url, timeout=10).content for url in urls), sorted(map(content_of, NAMES)))

    def test_remote_buckets_do_not_exist(self):
        bucket = self.new_bucket("local", ["a"])
        for call in (bucket.evict, bucket.objects(obj_names=["a"]).evict, bucket.objects(obj_names=["a"]).prefetch, bucket.verify_cloud_bucket):
            self.assertRaises(InvalidBckProvider, call)
        remote = self.client.bucket("local", provider="aws")  # not the local bucket of that name
        self.assertRaises(InvalidBckProvider, remote.create)
        made = remote.object("a")
        for call in (remote.list_objects, remote.objects(obj_names=["a"]).prefetch, remote.evict, made.get_reader().read_all, made.head, made.delete,
                     lambda: made.get_writer().put_content(b"x")):
            with self.assertRaises(AISError) as caught:
                call()
            self.assertIn(caught.exception.status_code, (400, 404))
        self.assertEqual(self.read(bucket, "a"), content_of("a"))

    def test_there_are_no_namespaces(self):
        elsewhere = self.client.bucket("headed-elsewhere", namespace=Namespace(name="spare"))
        self.assert_error(ErrBckNotFound, 404, elsewhere.create)
        self.assertNotIn("headed-elsewhere", [b.name for b in self.client.cluster().list_buckets()])

    def test_inventories_are_absent(self):
        bucket = self.new_bucket("no-inventory")
        for call in (bucket.create_inventory, bucket.show_inventory, bucket.destroy_inventory):
            with self.assertRaises(AISError) as caught:
                call()
            self.assertIn(caught.exception.status_code, (400, 404, 405, 501), caught.exception)
        self.assertEqual(self.names(bucket), [])


if __name__ == "__main__":
    unittest.main()
