import { lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { silent } from '../../src/core/log.ts'
import { toStat } from '../../src/files/index/folder.ts'
import { openTreeIndex } from '../../src/files/index/tree-index.ts'

/**
 * `node note-files.ts ROOT STATE-FILE`: opens an index, writes and notes files until it is killed, and prints the key of each when the
 * index has answered.
 */
const [root = '', stateFile = ''] = process.argv.slice(2)
const index = await openTreeIndex({ root, stateFile, log: silent })
void index.service.run(new AbortController().signal)
for (let number = 0; ; number++) {
  const key = `file-${process.pid}-${number}`
  const path = join(root, key)
  writeFileSync(path, String(number))
  await index.note(key, toStat(lstatSync(path)), {
    etag: `etag of ${key}`,
    headers: { 'x-amz-meta-n': String(number) },
  })
  process.stdout.write(`${key}\n`)
}
