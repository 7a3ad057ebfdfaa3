// Every operation of KeyClient.

import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import {
  hour, keys, newName, ours, polling, purgeKey, refused, vaultUrl, wholeSeconds,
} from './world.mjs'

test('create RSA', async () => {
  const name = newName('rsa')
  const expiresOn = wholeSeconds(hour)
  const made = await keys.createRsaKey(name, {
    keySize: 3072, keyOps: ['sign', 'verify'], expiresOn, tags: { team: 'blue' },
  })
  const { version } = made.properties
  for (const key of [made, await keys.getKey(name), await keys.getKey(name, { version })]) {
    assert.equal(key.name, name)
    assert.equal(key.keyType, 'RSA')
    assert.equal(key.id, `${vaultUrl.replace(/\/$/, '')}/keys/${name}/${version}`)
    assert.equal(key.key.n.length, 3072 / 8)
    assert.deepEqual([...key.key.e], [1, 0, 1])
    assert.equal(key.key.d, undefined)
    assert.deepEqual(key.keyOperations, ['sign', 'verify'])
    assert.deepEqual(key.properties.expiresOn, expiresOn)
    assert.deepEqual(key.properties.tags, { team: 'blue' })
    assert.equal(key.properties.enabled, true)
    assert.match(key.properties.recoveryLevel, /^Recoverable/)
  }
  await purgeKey(name)
})

for (const [crv, size] of [['P-256', 32], ['P-256K', 32], ['P-384', 48], ['P-521', 66]]) {
  test(`create EC ${crv}`, async () => {
    const name = newName('ec')
    const { key } = await keys.createEcKey(name, { curve: crv })
    assert.deepEqual([key.kty, key.crv, key.x.length, key.y.length], ['EC', crv, size, size])
    await purgeKey(name)
  })
}

test('create oct and HSM', async () => {
  const name = newName('oct')
  const oct = await keys.createOctKey(name, { keySize: 256 })
  assert.equal(oct.keyType, 'oct')
  assert.equal(oct.key.k, undefined, 'a symmetric key is never shown')
  await purgeKey(name)

  const hsm = newName('hsm')
  assert.equal((await keys.createEcKey(hsm, { hsm: true })).keyType, 'EC-HSM')
  await purgeKey(hsm)
})

test('import RSA, EC and oct', async () => {
  const digest = Buffer.from('what is signed')
  for (const [algorithm, type, options] of [
    ['RS256', 'rsa', { modulusLength: 2048 }], ['ES256', 'ec', { namedCurve: 'P-256' }],
  ]) {
    const name = newName('import')
    const pair = generateKeyPairSync(type, options)
    const made = await keys.importKey(name, bytes(pair.privateKey.export({ format: 'jwk' })))
    assert.equal(made.key.d, undefined)
    const { result } = await keys.getCryptographyClient(name).signData(algorithm, digest)
    const outside = { key: pair.publicKey, dsaEncoding: 'ieee-p1363' }
    assert.ok(verify('sha256', digest, outside, result), algorithm)
    const mine = sign('sha256', digest, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
    assert.ok((await keys.getCryptographyClient(name).verifyData(algorithm, digest, mine)).result)
    await purgeKey(name)
  }
  const name = newName('import')
  const oct = await keys.importKey(name, { kty: 'oct', k: randomBytes(32) })
  assert.equal(oct.keyType, 'oct')
  await purgeKey(name)
})

// bytes turns the members of a JSON web key that are numbers into bytes, as the client wants them.
function bytes(jwk) {
  const numbers = new Set(['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y'])
  return Object.fromEntries(Object.entries(jwk).map(([member, value]) => [
    member, numbers.has(member) ? Buffer.from(value, 'base64url') : value,
  ]))
}

test('the public key is what OpenSSL takes', async () => {
  const name = newName('public')
  const { key } = await keys.createEcKey(name, { curve: 'P-384' })
  const jwk = { kty: 'EC', crv: key.crv, x: base64url(key.x), y: base64url(key.y) }
  const data = Buffer.from('data')
  const { result } = await keys.getCryptographyClient(name).signData('ES384', data)
  const outside = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }
  assert.ok(verify('sha384', data, outside, result))
  await purgeKey(name)
})

const base64url = (b) => Buffer.from(b).toString('base64url')

test('update', async () => {
  const name = newName('update')
  const { properties } = await keys.createEcKey(name, { tags: { old: 'yes' } })
  const notBefore = wholeSeconds(-hour)
  const updated = await keys.updateKeyProperties(name, properties.version, {
    keyOps: ['verify'], tags: { new: 'yes' }, notBefore, enabled: false,
  })
  assert.deepEqual(updated.keyOperations, ['verify'])
  assert.deepEqual(updated.properties.tags, { new: 'yes' })
  assert.deepEqual(updated.properties.notBefore, notBefore)
  assert.equal(updated.properties.enabled, false)
  assert.equal((await keys.updateKeyProperties(name, { enabled: true })).properties.enabled, true)
  await purgeKey(name)
})

test('versions and lists', async () => {
  const names = []
  for (let i = 0; i < 3; i++) names.push(newName('list'))
  for (const name of names) await keys.createEcKey(name)
  const { properties } = await keys.createEcKey(names[0])
  assert.equal((await keys.getKey(names[0])).properties.version, properties.version)
  const versions = await ours(keys.listPropertiesOfKeyVersions(names[0]))
  assert.equal(versions.length, 2)
  assert.ok(versions.some((p) => p.version === properties.version))
  const listed = await ours(keys.listPropertiesOfKeys())
  assert.deepEqual(listed.map((p) => p.name).sort(), [...names].sort())
  const paged = []
  for await (const page of keys.listPropertiesOfKeys().byPage({ maxPageSize: 2 })) {
    assert.ok(page.length <= 2, `a page of ${page.length}`)
    paged.push(...page.map((p) => p.name))
  }
  assert.deepEqual(paged.filter((n) => names.includes(n)).sort(), [...names].sort())
  for (const name of names) await purgeKey(name)
})

test('delete, recover and purge', async () => {
  const name = newName('delete')
  const { properties } = await keys.createEcKey(name)
  const deleted = await (await keys.beginDeleteKey(name, polling)).pollUntilDone()
  assert.match(deleted.properties.recoveryId, new RegExp(`/deletedkeys/${name}$`))
  assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn)
  assert.equal((await keys.getDeletedKey(name)).key.crv, 'P-256')
  assert.equal((await ours(keys.listDeletedKeys())).length, 1)
  await refused(keys.getKey(name), 404, 'KeyNotFound')
  await refused(keys.createEcKey(name), 409, 'Conflict', 'ObjectIsDeletedButRecoverable')
  const recovered = await (await keys.beginRecoverDeletedKey(name, polling)).pollUntilDone()
  assert.equal(recovered.name, name)
  assert.equal((await keys.getKey(name)).properties.version, properties.version)
  await purgeKey(name)
  await refused(keys.getDeletedKey(name), 404, 'KeyNotFound')
})

test('backup and restore', async () => {
  const name = newName('backup')
  const { properties } = await keys.createEcKey(name)
  const { result } = await keys.getCryptographyClient(name).signData('ES256', Buffer.from('before'))
  const backup = await keys.backupKey(name)
  await refused(keys.restoreKeyBackup(backup), 409, 'Conflict')
  await purgeKey(name)
  assert.equal((await keys.restoreKeyBackup(backup)).properties.version, properties.version)
  const restored = keys.getCryptographyClient(name)
  assert.ok((await restored.verifyData('ES256', Buffer.from('before'), result)).result)
  await purgeKey(name)
})

test('rotate, and its policy', async () => {
  const name = newName('rotate')
  const first = await keys.createEcKey(name)
  const none = await keys.getKeyRotationPolicy(name)
  assert.deepEqual(none.lifetimeActions?.map((a) => a.action), ['Notify'], 'what every key has')
  const set = await keys.updateKeyRotationPolicy(name, {
    expiresIn: 'P90D',
    lifetimeActions: [
      { action: 'Rotate', timeAfterCreate: 'P30D' }, { action: 'Notify', timeBeforeExpiry: 'P7D' },
    ],
  })
  for (const policy of [set, await keys.getKeyRotationPolicy(name)]) {
    assert.equal(policy.expiresIn, 'P90D')
    const actions = Object.fromEntries(policy.lifetimeActions.map((a) => [a.action, a]))
    assert.equal(actions.Rotate.timeAfterCreate, 'P30D')
    assert.equal(actions.Notify.timeBeforeExpiry, 'P7D')
    assert.ok(policy.createdOn instanceof Date)
  }
  const rotated = await keys.rotateKey(name)
  assert.notEqual(rotated.properties.version, first.properties.version)
  const days = (rotated.properties.expiresOn - rotated.properties.createdOn) / 1000 / hour / 24
  assert.equal(Math.round(days), 90)
  assert.equal((await keys.getKey(name)).properties.version, rotated.properties.version)
  await purgeKey(name)
})

test('random bytes', async () => {
  const [one, two] = [await keys.getRandomBytes(128), await keys.getRandomBytes(128)]
  assert.equal(one.length, 128)
  assert.notDeepEqual(one, two)
})

const authority = process.env.AZURE_KEYVAULT_ATTESTATION_URL

test('release', { skip: !authority && 'there is no attestation authority here' }, async () => {
  const name = newName('release')
  const policy = {
    version: '1.0.0',
    anyOf: [{ authority, allOf: [{ claim: 'sdk-test', equals: 'true' }] }],
  }
  const made = await keys.createRsaKey(name, {
    exportable: true, hsm: true,
    releasePolicy: { encodedPolicy: Buffer.from(JSON.stringify(policy)) },
  })
  assert.equal(made.properties.exportable, true)
  const { token } = await (await fetch(`${authority}/generate-test-token`)).json()
  const { value } = await keys.releaseKey(name, token)
  const released = JSON.parse(Buffer.from(value.split('.')[1], 'base64url'))
  assert.match(JSON.stringify(released), new RegExp(made.properties.version))
  await refused(keys.releaseKey(name, 'no.token.atall'), 400, 'BadParameter')
  await purgeKey(name)
})
