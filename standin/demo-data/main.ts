import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { demoData } from './data.ts'

/** Writes the data files of the demonstration collection into a folder: `node standin/demo-data/main.ts DIR`. */
const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node standin/demo-data/main.ts DIR')
  process.exitCode = 2
} else {
  for (const [path, bytes] of demoData()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
}
