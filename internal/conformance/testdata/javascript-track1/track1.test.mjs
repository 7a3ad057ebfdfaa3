// The one client that Microsoft had for keys and secrets until 2020, with the sign-in that its
// documentation shows: a callback that is handed the challenge of the vault.

import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import adal from 'adal-node'
import keyVault from 'azure-keyvault'

const vault = process.env.AZURE_KEYVAULT_URL
const { AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = process.env

const client = new keyVault.KeyVaultClient(new keyVault.KeyVaultCredentials((challenge, done) => {
  const context = new adal.AuthenticationContext(challenge.authorization, false)
  context.acquireTokenWithClientCredentials(challenge.resource, id, secret, (error, token) => {
    if (error) throw error
    done(null, `${token.tokenType} ${token.accessToken}`)
  })
}))

const run = randomUUID().slice(0, 8)
const newName = (what) => `js1-${what}-${run}`

async function refused(promise, statusCode, code) {
  await assert.rejects(promise, (error) => {
    assert.deepEqual([error.statusCode, error.code], [statusCode, code])
    return true
  })
}

// ours are the names of a listing that this process has made, over all its pages.
async function ours(page, next) {
  const all = [...page]
  while (page.nextLink) all.push(...(page = await next(page.nextLink)))
  return all.map((item) => (item.id ?? item.kid).split('/')[4]).filter((name) => name.includes(run))
}

test('secrets', async () => {
  const name = newName('secret')
  const expires = new Date(Math.floor(Date.now() / 1000 + 3600) * 1000)
  const made = await client.setSecret(vault, name, 'grüße', {
    contentType: 'text/plain', tags: { team: 'blue' }, secretAttributes: { expires },
  })
  const { version } = keyVault.parseSecretIdentifier(made.id)
  const got = await client.getSecret(vault, name, '')
  assert.deepEqual([got.value, got.contentType, got.tags.team, got.id],
    ['grüße', 'text/plain', 'blue', made.id])
  assert.deepEqual(got.attributes.expires, expires)

  const updated = await client.updateSecret(vault, name, version, { tags: { team: 'red' } })
  assert.equal(updated.tags.team, 'red')
  await client.setSecret(vault, name, 'two', {})
  assert.equal((await client.getSecretVersions(vault, name, {})).length, 2)
  const listed = await client.getSecrets(vault, { maxresults: 2 })
  assert.deepEqual(await ours(listed, (link) => client.getSecretsNext(link)), [name])

  const { value: backup } = await client.backupSecret(vault, name)
  const deleted = await client.deleteSecret(vault, name)
  assert.match(deleted.recoveryId, /\/deletedsecrets\//)
  assert.equal((await client.getDeletedSecret(vault, name)).recoveryId, deleted.recoveryId)
  const gone = await client.getDeletedSecrets(vault, {})
  assert.deepEqual(await ours(gone, (link) => client.getDeletedSecretsNext(link)), [name])
  await refused(client.getSecret(vault, name, ''), 404, 'SecretNotFound')
  await client.recoverDeletedSecret(vault, name)
  assert.equal((await client.getSecret(vault, name, '')).value, 'two')

  await client.deleteSecret(vault, name)
  await client.purgeDeletedSecret(vault, name)
  await client.restoreSecret(vault, backup)
  assert.equal((await client.getSecret(vault, name, version)).value, 'grüße')
  await client.deleteSecret(vault, name)
  await client.purgeDeletedSecret(vault, name)
})

test('keys', async () => {
  const name = newName('key')
  const made = await client.createKey(vault, name, 'RSA', { keySize: 2048, tags: { team: 'blue' } })
  assert.equal(made.key.kty, 'RSA')
  const { version } = keyVault.parseKeyIdentifier(made.key.kid)
  assert.equal((await client.getKey(vault, name, '')).key.kid, made.key.kid)
  const updated = await client.updateKey(vault, name, version, { keyOps: ['sign', 'verify'] })
  assert.deepEqual(updated.key.keyOps, ['sign', 'verify'])
  await client.createKey(vault, name, 'RSA', {})
  assert.equal((await client.getKeyVersions(vault, name, {})).length, 2)
  const listed = await client.getKeys(vault, { maxresults: 2 })
  assert.deepEqual(await ours(listed, (link) => client.getKeysNext(link)), [name])

  const { value: backup } = await client.backupKey(vault, name)
  await client.deleteKey(vault, name)
  assert.equal((await client.getDeletedKey(vault, name)).tags ?? null, null)
  const gone = await client.getDeletedKeys(vault, {})
  assert.deepEqual(await ours(gone, (link) => client.getDeletedKeysNext(link)), [name])
  await refused(client.getKey(vault, name, ''), 404, 'KeyNotFound')
  await client.recoverDeletedKey(vault, name)
  await client.deleteKey(vault, name)
  await client.purgeDeletedKey(vault, name)
  assert.equal((await client.restoreKey(vault, backup)).tags ?? null, null)
  await client.deleteKey(vault, name)
  await client.purgeDeletedKey(vault, name)
})

test('use of a key', async () => {
  const name = newName('use')
  await client.createKey(vault, name, 'RSA', { keySize: 2048 })
  const digest = createHash('sha256').update('what is signed').digest()
  const { result: signature } = await client.sign(vault, name, '', 'RS256', digest)
  assert.equal((await client.verify(vault, name, '', 'RS256', digest, signature)).value, true)
  const { result: hidden } = await client.encrypt(vault, name, '', 'RSA-OAEP', digest)
  assert.deepEqual((await client.decrypt(vault, name, '', 'RSA-OAEP', hidden)).result, digest)
  const { result: wrapped } = await client.wrapKey(vault, name, '', 'RSA-OAEP-256', digest)
  const unwrapped = await client.unwrapKey(vault, name, '', 'RSA-OAEP-256', wrapped)
  assert.deepEqual(unwrapped.result, digest)
  await client.deleteKey(vault, name)
  await client.purgeDeletedKey(vault, name)
})
