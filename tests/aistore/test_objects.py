"""Objects through the SDK: every way to write, read, describe, append, copy and delete one, under names that need care."""
import hashlib
import os
import pathlib
import tempfile
import unittest

from sdk_case import NAMES, SdkCase, content_of
from aistore.sdk import ArchiveConfig, BlobDownloadConfig
from aistore.sdk.archive_config import ArchiveMode
from aistore.sdk.errors import AISError, ErrBckNotFound, ErrObjNotFound
from aistore.sdk.etl import ETLConfig

LARGE = hashlib.shake_256(b"large").digest(3_000_017)


class Objects(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bucket = cls.client.bucket("objects").create()

    def object(self, name, content=None):
        made = self.bucket.object(name)
        if content is not None:
            made.get_writer().put_content(content)
        return made

    def test_every_name_comes_back_as_it_was(self):
        for name in NAMES:
            made = self.object(f"names/{name}", content_of(name))
            self.assertEqual(made.get_reader().read_all(), content_of(name), name)
            self.assertEqual(made.head().size, len(content_of(name)), name)
        self.assertEqual(self.names(self.bucket, prefix="names/"), sorted((f"names/{n}" for n in NAMES), key=str.encode))
        for name in NAMES:
            self.object(f"names/{name}").delete()
        self.assertEqual(self.names(self.bucket, prefix="names/"), [])

    def test_put_content_and_files_of_every_size(self):
        for size in (0, 1, 65_536, len(LARGE)):
            made = self.object(f"sizes/{size}", LARGE[:size])
            self.assertEqual(made.get_reader().read_all(), LARGE[:size])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "file")
            path.write_bytes(LARGE)
            made = self.object("from-file")
            made.get_writer().put_file(path)
            self.assertEqual(made.get_reader().read_all(), LARGE)

    def test_ranges(self):
        made = self.object("ranges", LARGE)
        for text, expected in (("bytes=0-0", LARGE[:1]), ("bytes=100-299", LARGE[100:300]), ("bytes=2999000-", LARGE[2999000:]), ("bytes=-17", LARGE[-17:])):
            self.assertEqual(made.get_reader(byte_range=text).read_all(), expected, text)
        self.assert_error(AISError, 416, made.get_reader(byte_range="bytes=9000000-").read_all)

    def test_a_reader_as_iterator_raw_file_and_in_parallel(self):
        made = self.object("reader", LARGE)
        reader = made.get_reader(chunk_size=100_000)
        self.assertEqual(b"".join(reader), LARGE)
        self.assertEqual(reader.raw().read(), LARGE)
        self.assertEqual((reader.attributes.size, reader.head().size), (len(LARGE), len(LARGE)))
        with reader.as_file() as file:
            self.assertTrue(file.readable())
            self.assertEqual(file.read(10) + file.read(0) + file.read(1_000_000) + file.read(), LARGE)
        self.assertRaises(ValueError, file.read)
        with made.get_reader(num_workers=2, chunk_size=1_000_000).read_all() as buffer:
            self.assertEqual((len(buffer), buffer.tobytes() == LARGE), (len(LARGE), True))
        self.assertEqual(b"".join(made.get_reader(num_workers=2, chunk_size=1_000_000)), LARGE)
        with tempfile.TemporaryFile() as file:
            made.get_reader(writer=file)
            self.assertEqual(file.tell(), len(LARGE))

    def test_a_file_that_breaks_off_is_resumed_where_it_was(self):
        made = self.object("resumed", LARGE)
        file = made.get_reader(chunk_size=64 * 1024).as_file(max_resume=2)
        start = file.read(1_000_000)
        stream = file._stream  # pylint: disable=protected-access
        broken, asked = stream._content_iter, []  # pylint: disable=protected-access
        get = stream._content_provider.client.get  # pylint: disable=protected-access
        stream._content_provider.client.get = lambda **more: asked.append(more["offset"]) or get(**more)  # pylint: disable=protected-access
        broken.close()  # an iterator that ends too early, as that of a connection that was cut
        self.assertEqual(start + file.read(), LARGE)
        self.assertEqual((stream.resumes, len(asked)), (1, 1))
        self.assertGreater(asked[0], 900_000, "it went on where it was, not from the start")

    def test_head_and_properties(self):
        made = self.object("described", b"described")
        properties = made.props
        self.assertEqual((properties.size, properties.name, properties.bucket_name, properties.bucket_provider),
                         (9, "described", "objects", "ais"))
        self.assertEqual((properties.checksum_type, len(properties.checksum_value)), ("xxhash2", 16))
        self.assertTrue(properties.present and properties.obj_version and properties.location)
        self.assertGreater(int(properties.access_time), 10**18)
        self.assertEqual((properties.ec, properties.chunks, properties.custom_metadata), (None, None, {}))
        self.assertEqual(made.props_cached.size, 9)

    def test_only_the_properties_that_are_asked_for_are_answered(self):
        made = self.object("asked", b"asked")
        plain = made.head()
        self.assertEqual((plain.size, plain.last_modified, plain.etag, plain.checksum_value, plain.location), (5, "", "", "", ""))
        self.assertTrue(plain.present)
        self.assertTrue(made.head("last-modified").last_modified.endswith(" GMT"))
        both = made.head(props="last-modified,etag")
        self.assertTrue(both.last_modified and both.etag)
        self.assertNotIn('"', both.etag)
        self.assertEqual(made.head("version,location,copies").obj_version, "1")
        self.assert_error(AISError, 400, made.head, "size,colour")

    def test_versions_count_the_contents_of_an_object(self):
        made = self.object("versions", b"one")
        self.assertEqual((made.props.obj_version, made.get_reader().head().obj_version), ("1", "1"))
        for version in ("2", "3"):
            made.get_writer().put_content(b"next " + version.encode())
            self.assertEqual(made.props.obj_version, version)
        made.get_writer().set_custom_props({"a": "b"})
        self.assertEqual(made.props.obj_version, "3")
        listed = self.bucket.list_objects(prefix="versions", props="name,version").entries[0]
        self.assertEqual(listed.version, "3")
        made.delete()
        self.assertEqual(self.object("versions", b"new").props.obj_version, "1")
        other = self.object("versions-copy", b"there")
        made.copy(other)
        self.assertEqual(other.props.obj_version, "2")

    def test_an_object_that_is_not_there(self):
        missing = self.object("missing ?#%ü")
        self.assertIn("ais://objects/missing", self.assert_error(ErrObjNotFound, 404, missing.get_reader().read_all))
        self.assert_error(ErrObjNotFound, 404, missing.delete)
        self.assert_error(AISError, 404, missing.head)
        self.assert_error(ErrObjNotFound, 404, missing.copy, self.object("elsewhere"))
        self.assert_error(ErrObjNotFound, 404, missing.get_writer().set_custom_props, {"a": "b"})

    def test_custom_metadata_is_kept_added_to_and_replaced(self):
        made = self.object("custom", b"content")
        made.get_writer().set_custom_props({"colour": "blue", "count": "3"})
        self.assertEqual(made.props.custom_metadata, {"colour": "blue", "count": "3"})
        made.get_writer().set_custom_props({"count": "4"})
        self.assertEqual(made.props.custom_metadata, {"colour": "blue", "count": "4"})
        self.assertEqual(made.get_reader().head().custom_metadata, {"colour": "blue", "count": "4"})
        made.get_writer().set_custom_props({"only": "this"}, replace_existing=True)
        self.assertEqual(made.props.custom_metadata, {"only": "this"})
        self.assertEqual(made.get_reader().read_all(), b"content")

    def test_append_in_parts_and_to_what_is_there(self):
        writer = self.object("appended").get_writer()
        handle = ""
        for part in (b"one ", b"two ", LARGE):
            handle = writer.append_content(part, handle=handle)
            self.assertTrue(handle)
        self.assert_error(ErrObjNotFound, 404, self.object("appended").get_reader().read_all)
        writer.append_content(b"", handle=handle, flush=True)
        self.assertEqual(self.object("appended").get_reader().read_all(), b"one two " + LARGE)
        writer.append_content(b"", handle=writer.append_content(b" more"), flush=True)
        self.assertEqual(self.object("appended").get_reader().read_all(), b"one two " + LARGE + b" more")

    def test_a_file_to_write_to(self):
        made = self.object("written ü")
        with made.get_writer().as_file("w") as file:
            file.write(b"first ")
            file.write(b"second")
        self.assertEqual(made.get_reader().read_all(), b"first second")
        with made.get_writer().as_file("a") as file:
            file.write(b" third")
            file.flush()
            file.write(b" fourth")
        self.assertEqual(made.get_reader().read_all(), b"first second third fourth")
        with made.get_writer().as_file("w") as file:
            file.write(b"new")
        self.assertEqual(made.get_reader().read_all(), b"new")

    def test_multipart_upload(self):
        made = self.object("parts ?/ü")
        upload = made.multipart_upload().create()
        self.assertTrue(upload.upload_id)
        for number, part in ((2, LARGE[1_000_000:2_000_000]), (1, LARGE[:1_000_000]), (3, LARGE[2_000_000:])):
            upload.add_part(number).put_content(part)
        self.assert_error(ErrObjNotFound, 404, made.get_reader().read_all)
        upload.parts.sort()
        upload.complete()
        self.assertEqual(made.get_reader().read_all(), LARGE)
        chunks = made.head(props="chunked").chunks
        self.assertEqual((chunks.chunk_count, chunks.max_chunk_size), (3, 1_000_017))
        self.assertIsNone(made.head(props="size").chunks)
        dropped = self.object("dropped").multipart_upload().create()
        dropped.add_part(1).put_content(b"x")
        dropped.abort()
        with self.assertRaises(AISError) as caught:
            dropped.complete()
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn("does not exist", caught.exception.message)
        dropped.abort()
        self.assert_error(ErrObjNotFound, 404, self.object("dropped").get_reader().read_all)

    def test_a_part_that_is_written_as_a_file_stays_a_part(self):
        made = self.object("file part", b"live")
        upload = made.multipart_upload().create()
        with upload.add_part(1).as_file() as file:
            file.write(b"one ")
            file.write(b"and more ")
        upload.add_part(2).put_content(b"two")
        self.assertEqual(made.get_reader().read_all(), b"live")
        upload.complete()
        self.assertEqual(made.get_reader().read_all(), b"one and more two")

    def test_an_upload_that_is_not_complete_is_not_completed(self):
        made = self.object("incomplete")

        def refused(status, words, call, *arguments):
            with self.assertRaises(AISError) as caught:
                call(*arguments)
            self.assertEqual(caught.exception.status_code, status)
            self.assertIn(words, caught.exception.message)

        upload = made.multipart_upload().create()
        refused(400, "no chunks", upload.complete)
        refused(400, "invalid size (0)", upload.add_part(1).put_content, b"")
        upload.parts.clear()
        for content in (b"first", b"second"):
            upload.add_part(1).put_content(content)
        refused(400, "partial completion", upload.complete)
        upload.add_part(3).put_content(b"third")
        upload.parts[:] = [1, 3]
        refused(400, "part 2", upload.complete)
        upload.add_part(2).put_content(b", ")
        upload.parts[:] = [1, 2]
        refused(400, "partial completion", upload.complete)
        upload.parts[:] = [3, 1, 2]
        upload.complete()
        self.assertEqual(made.get_reader().read_all(), b"second, third")
        refused(404, "does not exist", upload.complete)
        self.assertEqual(made.props.obj_version, "1")

    def test_copy_and_transform_one_object(self):
        self.cluster.add_filter("upper-one", "tr a-z A-Z")
        other = self.client.bucket("objects-copies").create()
        for name in NAMES:
            source = self.object(f"copy/{name}", content_of(name))
            source.copy(other.object(f"to {name}"))
            self.assertEqual(self.read(other, f"to {name}"), content_of(name), name)
            source.copy(self.object(f"same bucket {name}"))
            source.copy(source)
            self.assertEqual(source.get_reader().read_all(), content_of(name), name)
            source.copy(other.object(f"upper {name}"), etl=ETLConfig("upper-one"))
            self.assertEqual(self.read(other, f"upper {name}"), content_of(name).upper(), name)
        self.assertEqual(self.object(f"same bucket {NAMES[1]}").get_reader().read_all(), content_of(NAMES[1]))
        source = self.object("copy/described", b"x")
        source.get_writer().set_custom_props({"kept": "yes"})
        source.copy(other.object("described"))
        self.assertEqual(other.object("described").props.custom_metadata, {"kept": "yes"})
        self.assert_error(ErrBckNotFound, 404, source.copy, self.client.bucket("not-there").object("x"))

    def test_urls(self):
        made = self.object(NAMES[2], b"x")
        self.assertEqual(made.get_semantic_url(), f"ais://objects/{NAMES[2]}")
        self.assertEqual(self.client.get_object_from_url("ais://objects/a/b").name, "a/b")
        self.assertTrue(made.get_url().endswith("/v1/objects/objects/with%20space?provider=ais"))
        self.assertEqual((made.uname, made.bucket_name, made.query_params), ("ais/@#/objects/with space", "objects", {"provider": "ais"}))

    def test_archives_are_absent_and_say_so(self):
        made = self.object("archive.tar", b"not even one")
        for config in (ArchiveConfig(archpath="inside"), ArchiveConfig(regex="x", mode=ArchiveMode.PREFIX)):
            with self.assertRaises(AISError) as caught:
                made.get_reader(archive_config=config).read_all()
            self.assertIn(caught.exception.status_code, (400, 501), caught.exception)

    def test_what_needs_a_cloud_or_the_nodes_files_is_absent(self):
        made = self.object("local", b"local")
        for call in (lambda: made.promote(os.path.abspath(__file__)), made.blob_download):
            with self.assertRaises(AISError) as caught:
                call()
            self.assertIn(caught.exception.status_code, (400, 404, 405, 501), caught.exception)
        # Blob download is a hint of how to fetch from a cloud, and "latest" asks one: of a local object both are the object.
        self.assertEqual(made.get_reader(blob_download_config=BlobDownloadConfig("1MiB", "2")).read_all(), b"local")
        self.assertEqual(made.get_reader(latest=True).read_all(), b"local")


if __name__ == "__main__":
    unittest.main()
