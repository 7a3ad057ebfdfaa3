// What all files share: both clients, as an application makes them that is told where it is by its
// environment alone, and names that no other suite uses.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { DefaultAzureCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'

export const vaultUrl = process.env.AZURE_KEYVAULT_URL
export const credential = new DefaultAzureCredential()
export const keys = new KeyClient(vaultUrl, credential)
export const secrets = new SecretClient(vaultUrl, credential)

// Nobody waits for a cluster that is done when it answers.
export const polling = { intervalInMs: 20 }

const run = randomUUID().slice(0, 8)
let count = 0

export const newName = (what) => `js-${what}-${run}-${++count}`

// ours are the items of a listing that this process has made.
export async function ours(listing) {
  const found = []
  for await (const item of listing) if (item.name.includes(run)) found.push(item)
  return found
}

// refused says that the vault refuses, with this status and Azure's code; the inner code is what a
// program looks at that wants to know more.
export async function refused(promise, statusCode, code, inner) {
  await assert.rejects(promise, (error) => {
    assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code })
    if (inner) assert.match(JSON.stringify(error.details), new RegExp(inner))
    return true
  })
}

export async function purgeSecret(name) {
  await (await secrets.beginDeleteSecret(name, polling)).pollUntilDone()
  await secrets.purgeDeletedSecret(name)
}

export async function purgeKey(name) {
  await (await keys.beginDeleteKey(name, polling)).pollUntilDone()
  await keys.purgeDeletedKey(name)
}

// wholeSeconds is a date as a vault keeps it.
export const wholeSeconds = (fromNow) => new Date(Math.floor(Date.now() / 1000 + fromNow) * 1000)

export const hour = 3600
