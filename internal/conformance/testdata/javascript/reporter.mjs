// A reporter for node's test runner that prints what Go's test binaries print, so that one reader
// does for all suites. A file's tests are the subtests of one that has the file's name.

import { basename } from 'node:path'
import { inspect } from 'node:util'

const file = basename(process.argv[1]).replace(/\..*/, '')

export default async function* report(events) {
  let failed = false
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const skipped = data.skip !== undefined && data.skip !== false
    failed ||= type === 'test:fail'
    const name = `${file}/${data.name.replaceAll(' ', '_')}`
    yield `=== RUN   ${name}\n`
    if (skipped) yield `    ${data.skip}\n`
    if (type === 'test:fail') yield indented(data.details.error)
    const result = skipped ? 'SKIP' : type === 'test:fail' ? 'FAIL' : 'PASS'
    yield `--- ${result}: ${name} (${seconds(data)})\n`
  }
  yield `--- ${failed ? 'FAIL' : 'PASS'}: ${file} (0.00s)\n`
}

const indented = (error) => inspect(error.cause ?? error).replace(/^/gm, '    ') + '\n'
const seconds = (data) => (data.details.duration_ms / 1000).toFixed(2) + 's'
