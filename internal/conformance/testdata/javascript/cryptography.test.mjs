// Every operation of CryptographyClient. It encrypts, wraps and verifies by itself where it has
// the public key and knows how (RSA1_5, RSA-OAEP, data under RS256 to RS512): the vault undoes
// that. All else it asks the vault for.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { CryptographyClient } from '@azure/keyvault-keys'
import { credential, keys, newName, purgeKey, refused } from './world.mjs'

const rsa = await keys.createRsaKey(newName('rsa'), { keySize: 2048 })
const made = [rsa.name]
after(async () => { for (const name of made) await purgeKey(name) })

const client = new CryptographyClient(rsa, credential)

const data = Buffer.from('what is signed or hidden')
const hash = (bits, bytes = data) => createHash(`sha${bits}`).update(bytes).digest()

for (const algorithm of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
  test(`sign and verify ${algorithm}`, async () => {
    const bits = algorithm.slice(2)
    const { result, keyID } = await client.sign(algorithm, hash(bits))
    assert.equal(keyID, rsa.id)
    assert.equal((await client.verify(algorithm, hash(bits), result)).result, true)
    assert.equal((await client.verify(algorithm, hash(bits, 'else'), result)).result, false)
    const ofData = await client.signData(algorithm, data)
    assert.equal((await client.verify(algorithm, hash(bits), ofData.result)).result, true)
    // Data under PS256 to PS512 the client would verify by itself, as PKCS #1 v1.5: nothing passes.
    if (algorithm.startsWith('RS')) {
      assert.equal((await client.verifyData(algorithm, data, ofData.result)).result, true)
    }
  })
}

for (const algorithm of ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256']) {
  test(`encrypt and wrap ${algorithm}`, async () => {
    const { result: ciphertext } = await client.encrypt({ algorithm, plaintext: data })
    assert.deepEqual(Buffer.from((await client.decrypt({ algorithm, ciphertext })).result), data)
    const { result: wrapped } = await client.wrapKey(algorithm, data)
    assert.deepEqual(Buffer.from((await client.unwrapKey(algorithm, wrapped)).result), data)
  })
}

for (const [algorithm, curve, bits] of [
  ['ES256', 'P-256', 256], ['ES256K', 'P-256K', 256],
  ['ES384', 'P-384', 384], ['ES512', 'P-521', 512],
]) {
  test(`sign and verify ${algorithm}`, async () => {
    const key = await keys.createEcKey(newName('ec'), { curve })
    made.push(key.name)
    const client = new CryptographyClient(key, credential)
    const digest = hash(bits)
    const { result } = await client.sign(algorithm, digest)
    assert.equal((await client.verify(algorithm, digest, result)).result, true)
    assert.equal((await client.verify(algorithm, hash(bits, 'else'), result)).result, false)
    const ofData = await client.signData(algorithm, data)
    assert.equal((await client.verifyData(algorithm, data, ofData.result)).result, true)
  })
}

for (const size of [128, 192, 256]) {
  test(`encrypt and wrap with oct ${size}`, async () => {
    const key = await keys.createOctKey(newName('oct'), {
      keySize: size, keyOps: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
    })
    made.push(key.name)
    const client = keys.getCryptographyClient(key.name)

    const gcm = { algorithm: `A${size}GCM`, additionalAuthenticatedData: Buffer.from('beside') }
    const sealed = await client.encrypt({ ...gcm, plaintext: data })
    const { iv, authenticationTag, result: ciphertext } = sealed
    const opened = await client.decrypt({ ...gcm, ciphertext, iv, authenticationTag })
    assert.deepEqual(Buffer.from(opened.result), data)
    const forged = { ...gcm, ciphertext, iv, authenticationTag: randomBytes(16) }
    await refused(client.decrypt(forged), 400, 'BadParameter')

    const cbc = { algorithm: `A${size}CBCPAD`, iv: randomBytes(16) }
    const { result: padded } = await client.encrypt({ ...cbc, plaintext: data })
    const unpadded = await client.decrypt({ ...cbc, ciphertext: padded })
    assert.deepEqual(Buffer.from(unpadded.result), data)

    const wrapped = await client.wrapKey(`A${size}KW`, data.subarray(0, 16))
    const { result } = await client.unwrapKey(`A${size}KW`, wrapped.result)
    assert.deepEqual(Buffer.from(result), data.subarray(0, 16))
  })
}

test('sign and verify HS256', async () => {
  const key = await keys.createOctKey(newName('mac'), { keySize: 256, keyOps: ['sign', 'verify'] })
  made.push(key.name)
  const client = keys.getCryptographyClient(key.name)
  const { result } = await client.sign('HS256', hash(256))
  assert.equal((await client.verify('HS256', hash(256), result)).result, true)
  assert.equal((await client.verify('HS256', hash(256, 'else'), result)).result, false)
})
