"""Every operation of SecretClient."""

import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from world import VAULT, Case, new_name, ours


class Secrets(Case):
    def test_set_and_get(self):
        name = new_name("set")
        now = datetime.now(timezone.utc).replace(microsecond=0)
        made = self.secrets.set_secret(
            name, "grüße, 世界", content_type="text/plain", tags={"team": "blue"},
            not_before=now - timedelta(hours=1), expires_on=now + timedelta(hours=1))
        version = made.properties.version
        for got in made, self.secrets.get_secret(name), self.secrets.get_secret(name, version):
            self.assertEqual(got.value, "grüße, 世界")
            self.assertEqual(got.id, f"{VAULT}/secrets/{name}/{version}")
            self.assertEqual(got.properties.content_type, "text/plain")
            self.assertEqual(got.properties.tags, {"team": "blue"})
            self.assertEqual(got.properties.not_before, now - timedelta(hours=1))
            self.assertEqual(got.properties.expires_on, now + timedelta(hours=1))
            self.assertTrue(got.properties.enabled)
        self.purge_secret(name)

    def test_versions_and_update(self):
        name = new_name("update")
        first = self.secrets.set_secret(name, "one").properties.version
        self.secrets.set_secret(name, "two")
        self.assertEqual(self.secrets.get_secret(name).value, "two")
        self.assertEqual(self.secrets.get_secret(name, first).value, "one")
        versions = list(self.secrets.list_properties_of_secret_versions(name))
        self.assertEqual(len(versions), 2)
        updated = self.secrets.update_secret_properties(
            name, first, content_type="text/x", tags={"new": "yes"}, enabled=False)
        self.assertEqual((updated.content_type, updated.tags, updated.enabled),
                         ("text/x", {"new": "yes"}, False))
        with self.refused(403, "Forbidden", "SecretDisabled"):
            self.secrets.get_secret(name, first)
        self.purge_secret(name)

    def test_list_by_pages(self):
        names = [new_name("list") for _ in range(5)]
        for name in names:
            self.secrets.set_secret(name, "value")
        pages = [list(page) for page
                 in self.secrets.list_properties_of_secrets(max_page_size=2).by_page()]
        self.assertTrue(all(len(page) <= 2 for page in pages))
        self.assertEqual(sorted(p.name for p in ours(sum(pages, []))), sorted(names))
        for name in names:
            self.purge_secret(name)

    def test_delete_recover_and_purge(self):
        name = new_name("delete")
        self.secrets.set_secret(name, "value")
        deleted = self.secrets.begin_delete_secret(name).result()
        self.assertEqual(deleted.recovery_id, f"{VAULT}/deletedsecrets/{name}")
        self.assertGreater(deleted.scheduled_purge_date, deleted.deleted_date)
        self.assertEqual(self.secrets.get_deleted_secret(name).name, name)
        self.assertEqual([s.name for s in ours(self.secrets.list_deleted_secrets())], [name])
        with self.assertRaises(ResourceNotFoundError):
            self.secrets.get_secret(name)
        with self.refused(409, "Conflict", "ObjectIsDeletedButRecoverable"):
            self.secrets.set_secret(name, "other")
        self.secrets.begin_recover_deleted_secret(name, _polling_interval=0.02).wait()
        self.assertEqual(self.secrets.get_secret(name).value, "value")
        self.purge_secret(name)
        with self.refused(404, "SecretNotFound"):
            self.secrets.get_deleted_secret(name)

    def test_backup_and_restore(self):
        name = new_name("backup")
        self.secrets.set_secret(name, "value")
        backup = self.secrets.backup_secret(name)
        with self.refused(409, "Conflict"):
            self.secrets.restore_secret_backup(backup)
        self.purge_secret(name)
        self.assertEqual(self.secrets.restore_secret_backup(backup).name, name)
        self.assertEqual(self.secrets.get_secret(name).value, "value")
        self.purge_secret(name)

    def test_refusals(self):
        with self.refused(404, "SecretNotFound"):
            self.secrets.get_secret(new_name("nowhere"))
        with self.refused(400, "BadParameter"):
            self.secrets.set_secret("under_score", "value")
        wrong = ClientSecretCredential(
            os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], "wrong")
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS7000215"):
            SecretClient(VAULT, wrong).get_secret("any")
