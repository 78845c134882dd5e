"""What docs/aistore-sdk.md calls absent is absent: each such method is called here, and raises at once an error that is not tried again."""
import json
import pathlib
import tempfile
import unittest

from sdk_case import SdkCase
from test_table import in_table
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.authn_client import AuthNClient
from aistore.sdk.authn.errors import AuthNError
from aistore.sdk.errors import AISError
from aistore.sdk.namespace import Namespace
from aistore.sdk.types import BucketModel

# They only make or read something in the client: what that is for is absent, and is called here by another of their class.
ASK_NOBODY = {
    "Client": {"dsort", "batch"},
    "Batch": {"requests_list", "add", "clear", "__len__"},
    "Dsort": {"dsort_id"},
    "DsortFramework": {"from_file", "to_spec"},
    "DsortShardsGroup": {"as_dict"},
    "DsortAlgorithm": {"validate_content_fields", "as_dict"},
    "ExternalKeyMap": {"as_dict"},
    "AuthNClient": {"client", "cluster_manager", "role_manager", "user_manager", "token_manager"},
    "ClusterManager": {"client"},
    "RoleManager": {"client"},
    "TokenManager": {"client"},
    "UserManager": {"client"},
}
# The SDK's own code fails, or the classes of aistore.pytorch do: test_pytorch.py.
ELSEWHERE = {"AISShardReader", "AISMultiShardStream", "AISBatchIterDataset"}
REFUSED = (400, 404, 405, 501)


class Absent(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bucket = cls.client.bucket("absent").create()
        made = bucket.object("x.tar")
        made.get_writer().put_content(b"x")
        cloud = cls.client.bucket("absent", provider="aws")
        proxy = f"http://{cls.cluster.proxy.endpoint()}"
        authn = AuthNClient(proxy, token="a.b.c")
        group = bucket.objects(obj_names=["x.tar"])
        inside = BucketModel(name="absent", provider="ais", namespace=Namespace(uuid="", name="space"))
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as specification:
            json.dump({"input_bck": {"name": "absent"}, "input_format": {"template": "x"}, "output_format": "y"}, specification)
        cls.addClassCleanup(pathlib.Path(specification.name).unlink)
        cls.calls = {
            "Bucket": {"evict": cloud.evict, "create_inventory": bucket.create_inventory, "destroy_inventory": bucket.destroy_inventory,
                       "show_inventory": bucket.show_inventory, "list_archive": lambda: bucket.list_archive("x.tar")},
            "Object": {"promote": lambda: made.promote("/etc/hostname"), "blob_download": made.blob_download},
            "ObjectGroup": {"evict": cloud.objects(obj_names=["x"]).evict, "prefetch": cloud.objects(obj_names=["x"]).prefetch,
                            "archive": lambda: group.archive("y.tar")},
            "Namespace": {"get_path": lambda: cls.client.bucket("absent", namespace=inside.namespace).head()},
            "Batch": {"get": lambda: list(cls.client.batch(["x.tar"], bucket=bucket).get())},
            "Dsort": {"start": lambda: cls.client.dsort().start(specification.name), "abort": cls.client.dsort("some").abort,
                      "get_job_info": cls.client.dsort("some").get_job_info, "wait": lambda: cls.client.dsort("some").wait(timeout=5, verbose=False)},
            "AuthNClient": {"login": lambda: authn.login("user", "secret"), "logout": authn.logout},
            "ClusterManager": {"list": authn.cluster_manager().list, "get": lambda: authn.cluster_manager().get("some"),
                               "register": lambda: authn.cluster_manager().register("some", [proxy]),
                               "update": lambda: authn.cluster_manager().update("some", "other"),
                               "delete": lambda: authn.cluster_manager().delete("some")},
            "RoleManager": {"list": authn.role_manager().list, "get": lambda: authn.role_manager().get("some"),
                            "create": lambda: authn.role_manager().create("some", "", "alias", [AccessAttr.GET]),
                            "update": lambda: authn.role_manager().update("some", "text"), "delete": lambda: authn.role_manager().delete("some")},
            "TokenManager": {"revoke": lambda: authn.token_manager().revoke("a.b.c")},
            "UserManager": {"get": lambda: authn.user_manager().get("some"), "delete": lambda: authn.user_manager().delete("some"),
                            "create": lambda: authn.user_manager().create("some", [], "secret"), "list": authn.user_manager().list,
                            "update": lambda: authn.user_manager().update("some", "secret")},
        }

    def test_what_is_called_absent_raises_an_error_that_is_not_tried_again(self):
        rows, _, _ = in_table()
        for kind, methods in rows.items():
            absent = {name for name, verdict in methods.items() if verdict == "absent"} - ASK_NOBODY.get(kind, set())
            if kind in ELSEWHERE:
                continue
            for name in sorted(absent):
                with self.subTest(method=f"{kind}.{name}"):
                    with self.assertRaises((AISError, AuthNError)) as caught:
                        self.calls[kind][name]()
                    self.assertIn(caught.exception.status_code, REFUSED, caught.exception)
        self.assertEqual(self.client.bucket("absent").object("x.tar").get_reader().read_all(), b"x", "nothing else was done instead")


if __name__ == "__main__":
    unittest.main()
