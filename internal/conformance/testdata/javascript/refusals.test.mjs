// What a program meets that does something wrong, by statusCode and code.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientSecretCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import {
  credential, hour, keys, newName, purgeKey, refused, secrets, vaultUrl, wholeSeconds,
} from './world.mjs'

test('what is not there', async () => {
  const name = newName('nowhere')
  await refused(secrets.getSecret(name), 404, 'SecretNotFound')
  await refused(secrets.beginDeleteSecret(name), 404, 'SecretNotFound')
  await refused(secrets.getDeletedSecret(name), 404, 'SecretNotFound')
  await refused(secrets.purgeDeletedSecret(name), 404, 'SecretNotFound')
  await refused(secrets.backupSecret(name), 404, 'SecretNotFound')
  await refused(keys.getKey(name), 404, 'KeyNotFound')
  await refused(keys.rotateKey(name), 404, 'KeyNotFound')
  await refused(keys.getKeyRotationPolicy(name), 404, 'KeyNotFound')
  await refused(keys.getDeletedKey(name), 404, 'KeyNotFound')
})

test('bad parameters', async () => {
  await refused(secrets.setSecret('under_score', 'value'), 400, 'BadParameter')
  await refused(secrets.setSecret(newName('long'), 'x'.repeat(25_601)), 400, 'BadParameter')
  await refused(secrets.restoreSecretBackup(Buffer.from('no backup')), 400, 'BadParameter')
  await refused(keys.createRsaKey(newName('small'), { keySize: 1024 }), 400, 'BadParameter')
  await refused(keys.createEcKey(newName('curve'), { curve: 'P-1' }), 400, 'BadParameter')
})

test('keys that are not to be used', async () => {
  for (const [options, inner] of [
    [{ enabled: false }, 'KeyDisabled'],
    [{ expiresOn: wholeSeconds(-hour) }, 'KeyExpired'],
    [{ notBefore: wholeSeconds(hour) }, 'KeyNotYetValid'],
    [{ keyOps: ['verify'] }, 'KeyOperationForbidden'],
  ]) {
    const name = newName('unused')
    await keys.createEcKey(name)
    const client = keys.getCryptographyClient(name)
    await client.sign('ES256', Buffer.alloc(32))
    await keys.updateKeyProperties(name, options) // the client knows nothing of it
    await refused(client.sign('ES256', Buffer.alloc(32)), 403, 'Forbidden', inner)
    await purgeKey(name)
  }
})

test('a wrong client secret', async () => {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id } = process.env
  const wrong = new ClientSecretCredential(tenant, id, 'wrong')
  await assert.rejects(new SecretClient(vaultUrl, wrong).getSecret('any'), (error) => {
    assert.equal(error.name, 'AuthenticationRequiredError')
    assert.match(error.message, /invalid_client/)
    return true
  })
})

test('a token that is none', async () => {
  const token = { token: 'a.b.c', expiresOnTimestamp: Date.now() + 1000 * hour }
  const none = { getToken: async () => token }
  await refused(new SecretClient(vaultUrl, none).getSecret('any'), 401, 'Unauthorized')
})

test('an old version of the API, and one that never was', async () => {
  const name = newName('api')
  const old = new SecretClient(vaultUrl, credential, { serviceVersion: '7.0' })
  assert.equal((await old.setSecret(name, 'value')).value, 'value')
  await (await old.beginDeleteSecret(name)).pollUntilDone()
  await old.purgeDeletedSecret(name)
  const never = new SecretClient(vaultUrl, credential, { serviceVersion: '1.5' })
  await refused(never.getSecret(name), 400, 'BadParameter')
})
