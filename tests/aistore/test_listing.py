"""Ten thousand objects listed through the SDK: in pages, in prefix trees, with continuation; none missing, none double."""
import concurrent.futures
import http.client
import itertools
import unittest

from sdk_case import SdkCase
from aistore.sdk import ListObjectFlag
from aistore.sdk.errors import AISError

COUNT = 10_000


def name_of(number):
    """A tree of 8 × 25 folders with 50 objects each; some names need care."""
    odd = ("", " ü", "?", "#", "%2F")[number % 5]
    return f"tree{number % 8}/branch{number // 8 % 25:02}/leaf{odd} {number // 200:04}.txt"


class Listing(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bucket = cls.client.bucket("many").create()
        cls.expected = sorted((name_of(i) for i in range(COUNT)), key=str.encode)
        for number in range(0, COUNT, 20):
            cls.bucket.object(name_of(number)).get_writer().put_content(b"%d" % number)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:  # the rest without the SDK, which takes two milliseconds for each
            list(pool.map(cls.put_plainly, range(4)))

    @classmethod
    def put_plainly(cls, part):
        connection = http.client.HTTPConnection(cls.cluster.proxy.endpoint(), timeout=60)
        for number in range(part, COUNT, 4):
            if number % 20:
                connection.request("PUT", cls.cluster.object_path("many", name_of(number)), b"%d" % number)
                reply = connection.getresponse()
                assert (reply.read(), reply.status)[1] == 200, reply.status
        connection.close()

    def test_everything_at_once_is_complete_and_in_order(self):
        self.assertEqual(len(set(self.expected)), COUNT)
        self.assertEqual(self.names(self.bucket), self.expected)

    def test_pages_of_many_sizes_join_without_gaps_or_doubles(self):
        for size in (9_999, 1_000, 333):
            self.assertEqual(self.names(self.bucket, page_size=size), self.expected, size)
            self.assertEqual([e.name for e in self.bucket.list_objects_iter(page_size=size)], self.expected, size)

    def test_each_page_has_its_size_and_the_token_continues_it(self):
        page = self.bucket.list_objects(page_size=777)
        names = []
        while True:
            names += [entry.name for entry in page.entries]
            if not page.continuation_token:
                break
            self.assertEqual(len(page.entries), 777)
            self.assertTrue(page.uuid)
            page = self.bucket.list_objects(page_size=777, uuid=page.uuid, continuation_token=page.continuation_token)
        self.assertEqual(names, self.expected)

    def test_prefixes_cut_the_tree_exactly(self):
        for prefix in ("tree3/", "tree3/branch07/", "tree3/branch07/leaf ", "tree3/branch07/leaf ü", "tree", "tree9", "tree3/branch0"):
            expected = [n for n in self.expected if n.startswith(prefix)]
            self.assertEqual(self.names(self.bucket, prefix=prefix, page_size=100), expected, prefix)
        together = itertools.chain.from_iterable(self.names(self.bucket, prefix=f"tree{i}/") for i in range(8))
        self.assertEqual(list(together), self.expected)

    def test_start_after_any_name_there_or_not(self):
        for after in (self.expected[4321], "tree5", "tree3/branch07/leaf", self.expected[-1], "zzz"):
            expected = [n for n in self.expected if n.encode() > after.encode()]
            self.assertEqual(self.names(self.bucket, start_after=after, page_size=900), expected, after)
            self.assertEqual([e.name for e in self.bucket.list_objects_iter(start_after=after)], expected, after)

    def test_properties_that_are_asked_for_are_there(self):
        entry = self.bucket.list_objects(prefix=name_of(7), props="name,size,checksum,version,atime,cached,location,copies,status,custom").entries[0]
        self.assertEqual((entry.name, entry.size, entry.is_cached(), entry.is_ok()), (name_of(7), 1, True, True))
        self.assertTrue(entry.checksum and entry.version and entry.location, entry)
        self.assertEqual(entry.object.get_reader().read_all(), b"7")
        names_only = self.bucket.list_objects(prefix=name_of(7), flags=[ListObjectFlag.NAME_ONLY]).entries
        self.assertEqual([e.name for e in names_only], [name_of(7)])

    def test_objects_from_a_listing_know_what_it_said(self):
        found = list(self.bucket.list_all_objects_iter(prefix="tree0/branch00/"))
        self.assertEqual([o.name for o in found], [n for n in self.expected if n.startswith("tree0/branch00/")])
        self.assertTrue(all(o.props_cached.size == len(o.get_reader().read_all()) for o in found[:5]))

    def test_without_recursion_folders_stand_for_what_is_below(self):
        flags = [ListObjectFlag.NO_RECURSION]
        self.assertEqual([n.rstrip("/") for n in self.names(self.bucket, flags=flags)], [f"tree{i}" for i in range(8)])
        inside = self.names(self.bucket, prefix="tree3/", flags=flags)
        self.assertEqual([n.rstrip("/") for n in inside], [f"tree3/branch{i:02}" for i in range(25)])
        leaves = self.names(self.bucket, prefix="tree3/branch07/", flags=flags)
        self.assertEqual([n for n in leaves if not n.endswith("/")], [n for n in self.expected if n.startswith("tree3/branch07/")])

    def test_folders_are_listed_whatever_is_said_of_them_and_so_is_what_is_in_a_folder_without_its_slash(self):
        bucket = self.new_bucket("folders", ["top", "in/alpha", "in/sub/one", "in/sub/deep/two", "inside"])
        flat = [ListObjectFlag.NO_RECURSION]
        self.assertEqual(self.names(bucket, prefix="in/", flags=[*flat, ListObjectFlag.NO_DIRS]), ["in/alpha", "in/sub/"])
        self.assertEqual(self.names(bucket, prefix="in/sub/", flags=[*flat, ListObjectFlag.NO_DIRS]), ["in/sub/deep/", "in/sub/one"])
        self.assertEqual(self.names(bucket, prefix="in", flags=flat), ["in/alpha", "in/sub/", "inside"])
        for size in (1, 2):
            self.assertEqual(self.names(bucket, prefix="in", flags=flat, page_size=size), ["in/alpha", "in/sub/", "inside"], size)
        for flag in (ListObjectFlag.NOT_CACHED, ListObjectFlag.DIFF):
            self.assertIn(flag.name, self.assert_error(AISError, 400, bucket.list_objects, flags=[flag]))

    def test_archives_and_inventories_are_not_listed(self):
        self.assertIn("ARCH_DIR", self.assert_error(AISError, 400, self.bucket.list_archive, name_of(7)))
        self.assertIn("NBI", self.assert_error(AISError, 400, self.bucket.list_objects, inventory_name="any"))

    def test_pages_while_objects_come_and_go_miss_none_that_stay(self):
        bucket = self.new_bucket("moving", [f"stays{i:03}" for i in range(300)])
        page = bucket.list_objects(page_size=50)
        names = [e.name for e in page.entries]
        for number in range(5):
            bucket.object(f"stays{number * 60:03}.new").get_writer().put_content(b"new")
            bucket.object(f"stays{number * 60 + 30:03}").delete()
            page = bucket.list_objects(page_size=50, uuid=page.uuid, continuation_token=page.continuation_token)
            names += [e.name for e in page.entries]
        while page.continuation_token:
            page = bucket.list_objects(page_size=50, uuid=page.uuid, continuation_token=page.continuation_token)
            names += [e.name for e in page.entries]
        self.assertEqual(len(names), len(set(names)))
        removed = {f"stays{number * 60 + 30:03}" for number in range(5)}
        self.assertLessEqual({f"stays{i:03}" for i in range(300)} - removed, set(names))


if __name__ == "__main__":
    unittest.main()
