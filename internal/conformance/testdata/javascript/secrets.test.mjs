// Every operation of SecretClient.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  hour, newName, ours, polling, purgeSecret, refused, secrets, vaultUrl, wholeSeconds,
} from './world.mjs'

test('set and get', async () => {
  const name = newName('set')
  const notBefore = wholeSeconds(-hour)
  const expiresOn = wholeSeconds(hour)
  const set = await secrets.setSecret(name, 'grüße, 世界 🔑', {
    contentType: 'text/plain', tags: { team: 'blue', 'Größe': 'ß' }, notBefore, expiresOn,
  })
  for (const got of [
    set,
    await secrets.getSecret(name),
    await secrets.getSecret(name, { version: set.properties.version }),
    await secrets.getSecret(name.toUpperCase()),
  ]) {
    assert.equal(got.value, 'grüße, 世界 🔑')
    assert.match(got.properties.version, /^[0-9a-f]{32}$/)
    assert.equal(got.properties.version, set.properties.version)
    assert.equal(got.properties.vaultUrl, vaultUrl.replace(/\/$/, ''))
    assert.equal(got.properties.contentType, 'text/plain')
    assert.deepEqual(got.properties.tags, { team: 'blue', 'Größe': 'ß' })
    assert.deepEqual(got.properties.notBefore, notBefore)
    assert.deepEqual(got.properties.expiresOn, expiresOn)
    assert.equal(got.properties.enabled, true)
    assert.match(got.properties.recoveryLevel, /^Recoverable/)
    assert.ok(Math.abs(got.properties.createdOn - Date.now()) < 60_000, 'it was made just now')
    assert.deepEqual(got.properties.updatedOn, got.properties.createdOn)
  }
  assert.equal(set.name, name)
  const base = vaultUrl.replace(/\/$/, '')
  assert.equal(set.properties.id, `${base}/secrets/${name}/${set.properties.version}`)
  await purgeSecret(name)
})

test('a value of 25,000 characters', async () => {
  const name = newName('long')
  const value = 'x"\\\u0001'.repeat(6250)
  await secrets.setSecret(name, value)
  assert.equal((await secrets.getSecret(name)).value, value)
  await purgeSecret(name)
})

test('versions', async () => {
  const name = newName('versions')
  const made = []
  for (const value of ['one', 'two', 'three']) {
    made.push((await secrets.setSecret(name, value)).properties.version)
  }
  assert.equal((await secrets.getSecret(name)).value, 'three')
  assert.equal((await secrets.getSecret(name, { version: made[0] })).value, 'one')
  const listed = await ours(secrets.listPropertiesOfSecretVersions(name))
  assert.deepEqual(listed.map((p) => p.version).sort(), made.sort())
  assert.ok(listed.every((p) => p.value === undefined), 'a listing holds no values')
  await purgeSecret(name)
})

test('update', async () => {
  const name = newName('update')
  const { properties } = await secrets.setSecret(name, 'value', { tags: { old: 'yes' } })
  const expiresOn = wholeSeconds(2 * hour)
  const updated = await secrets.updateSecretProperties(name, properties.version, {
    contentType: 'application/json', tags: { new: 'yes' }, expiresOn, enabled: false,
  })
  assert.equal(updated.contentType, 'application/json')
  assert.deepEqual(updated.tags, { new: 'yes' })
  assert.deepEqual(updated.expiresOn, expiresOn)
  assert.equal(updated.enabled, false)
  await refused(secrets.getSecret(name), 403, 'Forbidden', 'SecretDisabled')
  await secrets.updateSecretProperties(name, properties.version, { enabled: true })
  const got = await secrets.getSecret(name)
  assert.equal(got.value, 'value')
  assert.deepEqual(got.properties.tags, { new: 'yes' }, 'what is not named stays')
  await purgeSecret(name)
})

test('list whole and by pages', async () => {
  const names = []
  for (let i = 0; i < 5; i++) {
    names.push(newName('list'))
    await secrets.setSecret(names[i], 'value', { tags: { i: String(i) }, enabled: i !== 3 })
  }
  const listed = await ours(secrets.listPropertiesOfSecrets())
  assert.deepEqual(listed.map((p) => p.name).sort(), [...names].sort())
  assert.equal(listed.find((p) => p.name === names[3]).enabled, false)

  const paged = []
  for await (const page of secrets.listPropertiesOfSecrets().byPage({ maxPageSize: 2 })) {
    assert.ok(page.length <= 2, `a page of ${page.length}`)
    paged.push(...page.map((p) => p.name))
  }
  assert.deepEqual(paged.filter((n) => names.includes(n)).sort(), [...names].sort())
  for (const name of names) await purgeSecret(name)
})

test('delete, recover and purge', async () => {
  const name = newName('delete')
  await secrets.setSecret(name, 'value', { tags: { kept: 'yes' } })
  const deleting = await secrets.beginDeleteSecret(name, polling)
  const resumeFrom = deleting.toString()
  const resumed = await secrets.beginDeleteSecret(name, { ...polling, resumeFrom })
  for (const deleted of [
    await deleting.pollUntilDone(),
    await resumed.pollUntilDone(),
    await secrets.getDeletedSecret(name),
  ]) {
    assert.equal(deleted.name, name)
    assert.deepEqual(deleted.properties.tags, { kept: 'yes' })
    assert.match(deleted.properties.recoveryId, new RegExp(`/deletedsecrets/${name}$`))
    assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn)
  }
  assert.equal((await ours(secrets.listDeletedSecrets())).filter((s) => s.name === name).length, 1)
  await refused(secrets.getSecret(name), 404, 'SecretNotFound')
  await refused(secrets.setSecret(name, 'other'), 409, 'Conflict', 'ObjectIsDeletedButRecoverable')

  const recovered = await (await secrets.beginRecoverDeletedSecret(name, polling)).pollUntilDone()
  assert.equal(recovered.name, name)
  assert.equal((await secrets.getSecret(name)).value, 'value')
  await purgeSecret(name)
  await refused(secrets.getDeletedSecret(name), 404, 'SecretNotFound')
})

test('backup and restore', async () => {
  const name = newName('backup')
  const first = await secrets.setSecret(name, 'one')
  await secrets.setSecret(name, 'two', { contentType: 'text/plain' })
  const backup = await secrets.backupSecret(name)
  await refused(secrets.restoreSecretBackup(backup), 409, 'Conflict')
  await purgeSecret(name)
  const restored = await secrets.restoreSecretBackup(backup)
  assert.equal(restored.name, name)
  assert.equal(restored.contentType, 'text/plain')
  assert.equal((await secrets.getSecret(name)).value, 'two')
  assert.equal((await secrets.getSecret(name, { version: first.properties.version })).value, 'one')
  await purgeSecret(name)
})
