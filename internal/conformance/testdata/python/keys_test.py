"""Every operation of KeyClient and CryptographyClient."""

import hashlib
import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import ResourceNotFoundError
from azure.keyvault.keys import (
    JsonWebKey, KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction)
from azure.keyvault.keys.crypto import (
    CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm)

from world import VAULT, Case, new_name, ours


class Keys(Case):
    def test_create_and_get(self):
        for make, kty in (
                (lambda n: self.keys.create_rsa_key(n, size=3072, tags={"team": "blue"}), "RSA"),
                (lambda n: self.keys.create_ec_key(n, curve="P-384", tags={"team": "blue"}), "EC"),
                (lambda n: self.keys.create_oct_key(n, size=256, tags={"team": "blue"}), "oct")):
            name = new_name("create")
            made = make(name)
            version = made.properties.version
            for key in made, self.keys.get_key(name), self.keys.get_key(name, version):
                self.assertEqual(key.id, f"{VAULT}/keys/{name}/{version}")
                self.assertEqual(key.key.kty, kty)
                self.assertEqual(key.properties.tags, {"team": "blue"})
                self.assertIsNone(key.key.k)
                self.assertIsNone(key.key.d)
            self.purge_key(name)

    def test_import(self):
        name = new_name("import")
        key = JsonWebKey(kty="oct-HSM", k=os.urandom(32), key_ops=["encrypt", "decrypt"])
        self.assertEqual(self.keys.import_key(name, key).key_type, "oct-HSM")
        self.purge_key(name)

    def test_update_versions_and_list(self):
        names = [new_name("list") for _ in range(3)]
        for name in names:
            self.keys.create_ec_key(name)
        updated = self.keys.update_key_properties(
            names[0], key_operations=["verify"], enabled=False, tags={"new": "yes"})
        self.assertEqual(updated.key_operations, ["verify"])
        self.assertFalse(updated.properties.enabled)
        self.assertEqual(updated.properties.tags, {"new": "yes"})
        self.keys.create_ec_key(names[0])
        self.assertEqual(len(list(self.keys.list_properties_of_key_versions(names[0]))), 2)
        pages = [list(page) for page
                 in self.keys.list_properties_of_keys(max_page_size=2).by_page()]
        self.assertTrue(all(len(page) <= 2 for page in pages))
        self.assertEqual(sorted(p.name for p in ours(sum(pages, []))), sorted(names))
        for name in names:
            self.purge_key(name)

    def test_delete_recover_backup_restore_and_purge(self):
        name = new_name("delete")
        version = self.keys.create_ec_key(name).properties.version
        backup = self.keys.backup_key(name)
        deleted = self.keys.begin_delete_key(name).result()
        self.assertEqual(deleted.recovery_id, f"{VAULT}/deletedkeys/{name}")
        self.assertEqual([k.name for k in ours(self.keys.list_deleted_keys())], [name])
        self.assertEqual(self.keys.get_deleted_key(name).name, name)
        with self.assertRaises(ResourceNotFoundError):
            self.keys.get_key(name)
        with self.refused(409, "Conflict", "ObjectIsDeletedButRecoverable"):
            self.keys.create_ec_key(name)
        self.keys.begin_recover_deleted_key(name, _polling_interval=0.02).wait()
        self.purge_key(name)
        self.assertEqual(self.keys.restore_key_backup(backup).properties.version, version)
        self.purge_key(name)

    def test_rotate(self):
        name = new_name("rotate")
        first = self.keys.create_rsa_key(name).properties.version
        policy = KeyRotationPolicy(lifetime_actions=[
            KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P30D")],
            expires_in="P90D")
        self.keys.update_key_rotation_policy(name, policy)
        got = self.keys.get_key_rotation_policy(name)
        self.assertEqual(got.expires_in, "P90D")
        self.assertIn("P30D", [a.time_after_create for a in got.lifetime_actions])
        rotated = self.keys.rotate_key(name).properties
        self.assertNotEqual(rotated.version, first)
        self.assertEqual((rotated.expires_on - rotated.created_on).days, 90)
        self.purge_key(name)

    def test_random_bytes(self):
        self.assertEqual(len(self.keys.get_random_bytes(64)), 64)

    def test_refusals(self):
        with self.refused(404, "KeyNotFound"):
            self.keys.get_key(new_name("nowhere"))
        with self.refused(400, "BadParameter"):
            self.keys.create_rsa_key(new_name("small"), size=1024)
        name = new_name("expired")
        client = CryptographyClient(self.keys.create_ec_key(name), self.credential)
        now = datetime.now(timezone.utc)
        self.keys.update_key_properties(name, expires_on=now - timedelta(hours=1))
        with self.refused(403, "Forbidden", "KeyExpired"):
            client.sign(SignatureAlgorithm.es256, bytes(32))
        self.purge_key(name)


class Cryptography(Case):
    """The client verifies, encrypts and wraps by itself with the public key of RSA and EC."""

    def test_sign_and_verify(self):
        name = new_name("rsa")
        rsa = CryptographyClient(self.keys.create_rsa_key(name), self.credential)
        for algorithm in "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
            self.signs(rsa, algorithm)
        self.purge_key(name)
        for algorithm, curve in (
                ("ES256", "P-256"), ("ES256K", "P-256K"), ("ES384", "P-384"), ("ES512", "P-521")):
            name = new_name("ec")
            key = self.keys.create_ec_key(name, curve=curve)
            self.signs(CryptographyClient(key, self.credential), algorithm)
            self.purge_key(name)

    def signs(self, client, algorithm):
        algorithm = SignatureAlgorithm(algorithm)
        sha = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}[algorithm[2:5]]
        signature = client.sign(algorithm, sha(b"data").digest()).signature
        self.assertTrue(client.verify(algorithm, sha(b"data").digest(), signature).is_valid)
        self.assertFalse(client.verify(algorithm, sha(b"else").digest(), signature).is_valid)

    def test_encrypt_and_wrap_with_rsa(self):
        name = new_name("rsa")
        client = CryptographyClient(self.keys.create_rsa_key(name), self.credential)
        for algorithm in "RSA1_5", "RSA-OAEP", "RSA-OAEP-256":
            hidden = client.encrypt(EncryptionAlgorithm(algorithm), b"data")
            shown = client.decrypt(hidden.algorithm, hidden.ciphertext)
            self.assertEqual(shown.plaintext, b"data")
            wrapped = client.wrap_key(KeyWrapAlgorithm(algorithm), b"data")
            unwrapped = client.unwrap_key(wrapped.algorithm, wrapped.encrypted_key)
            self.assertEqual(unwrapped.key, b"data")
        self.purge_key(name)

    def test_encrypt_and_wrap_with_oct(self):
        for size in 128, 192, 256:
            name = new_name("oct")
            key = self.keys.create_oct_key(name, size=size)
            client = CryptographyClient(key, self.credential)
            gcm = EncryptionAlgorithm(f"A{size}GCM")
            hidden = client.encrypt(gcm, b"data", additional_authenticated_data=b"beside")
            self.assertEqual(b"data", client.decrypt(
                gcm, hidden.ciphertext, iv=hidden.iv, authentication_tag=hidden.tag,
                additional_authenticated_data=b"beside").plaintext)
            cbc, iv = EncryptionAlgorithm(f"A{size}CBCPAD"), os.urandom(16)
            hidden = client.encrypt(cbc, b"data", iv=iv)
            self.assertEqual(client.decrypt(cbc, hidden.ciphertext, iv=iv).plaintext, b"data")
            wrapped = client.wrap_key(KeyWrapAlgorithm(f"A{size}KW"), bytes(16))
            unwrapped = client.unwrap_key(wrapped.algorithm, wrapped.encrypted_key)
            self.assertEqual(unwrapped.key, bytes(16))
            self.purge_key(name)
