"""The SDK's PyTorch data sets read through Millrace, alone and from the workers of a DataLoader.

PyTorch is Debian's (python3-torch): the Python registry has no build of it for processors alone that is of reasonable size.
"""
import contextlib
import io
import pathlib
import sys
import tarfile
import tempfile
import unittest

from sdk_case import DEBIAN_PYTHON, NAMES, SdkCase, also_install, content_of, training_packages


class PyTorch(SdkCase):
    @classmethod
    def setUpClass(cls):
        sys.path.append(DEBIAN_PYTHON)
        try:
            import torch.utils.data
        except ImportError as error:
            raise unittest.SkipTest(f"no PyTorch ({error}): apt-get install python3-torch") from error
        cls.data = torch.utils.data
        training_packages()
        super().setUpClass()
        cls.cluster.add_filter("upper-samples", "tr a-z A-Z")
        cls.bucket = cls.client.bucket("samples").create()
        cls.expected = {f"part{i % 3}/{i:03}": b"sample %d" % i for i in range(60)}
        for name, content in cls.expected.items():
            cls.cluster.put("samples", name, content)

    def test_map_dataset(self):
        from aistore.pytorch import AISMapDataset

        found = AISMapDataset(self.bucket)
        self.assertEqual((len(found), dict(found[i] for i in range(len(found)))), (60, self.expected))
        self.assertRaises(IndexError, lambda: found[60])
        changed = AISMapDataset(self.bucket, prefix_map={self.bucket: ["part1/", "part2/00"]}, etl_name="upper-samples")
        loader = self.data.DataLoader(changed, batch_size=7, collate_fn=list, num_workers=2)
        self.assertEqual(dict(sample for batch in loader for sample in batch),
                         {n: c.upper() for n, c in self.expected.items() if n.startswith(("part1/", "part2/00"))})

    def test_iterable_dataset(self):
        from aistore.pytorch import AISIterDataset

        found = AISIterDataset(self.bucket, etl_name="upper-samples")
        self.assertEqual(dict(found), {n: c.upper() for n, c in self.expected.items()})
        group = self.bucket.objects(obj_template="part0/{000..009..3}")
        self.assertEqual([name for name, _ in AISIterDataset(group)], ["part0/000", "part0/003", "part0/006", "part0/009"])
        for partition in (False, True):
            loader = self.data.DataLoader(AISIterDataset([self.bucket, group], partition_sources_by_worker=partition), batch_size=None, num_workers=2)
            self.assertEqual(sorted(name for name, _ in loader), sorted([*self.expected, "part0/000", "part0/003", "part0/006", "part0/009"]))

    def test_parallel_dataset(self):
        from aistore.pytorch import AISParallelMapDataset

        bucket = self.new_bucket("parallel", {"large": bytes(range(256)) * 10_000})
        name, content = AISParallelMapDataset(bucket, num_workers=2)[0]
        with content:
            self.assertEqual((name, content.tobytes()), ("large", bytes(range(256)) * 10_000))

    def test_shards_are_read_sample_by_sample(self):
        from aistore.pytorch import AISShardReader

        bucket = self.client.bucket("shards").create()
        for shard in range(3):
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for sample in range(4):
                    for kind in ("txt", "cls"):
                        member = tarfile.TarInfo(f"s{shard}-{sample}.{kind}")
                        member.size = 3
                        tar.addfile(member, io.BytesIO(b"%d%d%s" % (shard, sample, kind[:1].encode())))
            self.cluster.put("shards", f"shard-{shard}.tar", archive.getvalue())
        reader = AISShardReader(bucket)
        expected = {f"s{h}-{s}": {"txt": b"%d%dt" % (h, s), "cls": b"%d%dc" % (h, s)} for h in range(3) for s in range(4)}
        found = {}
        for name, sample in reader:  # not dict(reader), which would ask for its length
            found[name] = sample
        self.assertEqual(found, expected)
        self.assertRaises(AttributeError, len, reader)  # of the SDK itself, before it asks anybody

    def test_a_dataset_is_written_as_shards(self):
        from aistore.sdk.dataset.data_attribute import DataAttribute
        from aistore.sdk.dataset.dataset_config import DatasetConfig
        from aistore.sdk.dataset.label_attribute import LabelAttribute

        also_install("webdataset==1.0.2")
        bucket = self.client.bucket("written").create()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for number in range(5):
                pathlib.Path(folder, f"{number}.txt").write_bytes(b"text %d" % number)
            config = DatasetConfig(DataAttribute(pathlib.Path(folder), "text", "txt"), [LabelAttribute("cls", lambda name: name)])
            bucket.write_dataset(config, pattern="set", maxcount=2, verbose=False)
        shards = bucket.list_all_objects()
        self.assertEqual(len(shards), 3)
        members = [m for s in shards for m in tarfile.open(fileobj=io.BytesIO(s.object.get_reader().read_all())).getnames()]
        self.assertEqual(len(members), 10)

    def test_batches_are_absent(self):
        from aistore.pytorch.batch_iter_dataset import AISBatchIterDataset
        from aistore.sdk.errors import AISError

        self.assertRaises(AISError, list, AISBatchIterDataset(self.bucket, self.client))
        self.assertEqual(self.read(self.new_bucket("still-there", NAMES[:1]), NAMES[0]), content_of(NAMES[0]))


if __name__ == "__main__":
    unittest.main()
