"""What the modules share: both clients, told where they are by the environment alone."""

import contextlib
import itertools
import os
import unittest
import uuid

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

VAULT = os.environ["AZURE_KEYVAULT_URL"].rstrip("/")
RUN = uuid.uuid4().hex[:8]
count = itertools.count(1)


def new_name(what):
    """A name that no other suite uses."""
    return f"py-{what}-{RUN}-{next(count)}"


def ours(listing):
    """The items of a listing that this process has made."""
    return [item for item in listing if RUN in item.name]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.credential = DefaultAzureCredential()
        cls.keys = KeyClient(VAULT, cls.credential)
        cls.secrets = SecretClient(VAULT, cls.credential)

    @contextlib.contextmanager
    def refused(self, status, code, inner=None):
        """The block is refused by the vault with this status and Azure's codes."""
        with self.assertRaises(HttpResponseError) as caught:
            yield
        error = caught.exception
        self.assertEqual((error.status_code, error.error.code), (status, code))
        if inner:
            self.assertEqual(error.error.innererror["code"], inner)

    def purge_secret(self, name):
        self.secrets.begin_delete_secret(name, _polling_interval=0.02).wait()
        self.secrets.purge_deleted_secret(name)

    def purge_key(self, name):
        self.keys.begin_delete_key(name, _polling_interval=0.02).wait()
        self.keys.purge_deleted_key(name)
