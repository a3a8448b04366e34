import { mkdirSync, writeFileSync } from 'node:fs'
import { silent } from '../../src/core/log.ts'
import { openTreeParts } from '../../src/files/io/parts.ts'
import { openTreeFiles } from '../../src/files/io/tree-files.ts'
import { openTreeUploads } from '../../src/files/io/uploads.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { NotedIndex } from './noted-index.ts'

/*
 * Puts files into the folder that is given, uploads one in parts, one in several goes, takes one that lies there, and removes one:
 * small and large, new and over older ones.
 * Writes what it has done after each step.
 */

const [root = ''] = process.argv.slice(2)
const files = await openTreeFiles({ root, index: new NotedIndex(), clock: systemClock, log: silent })
await files.swept
const uploads = await openTreeUploads(files, { clock: systemClock, log: silent })

async function* body(text: string, times: number): AsyncGenerator<Uint8Array> {
  for (let turn = 0; turn < times; turn++) yield Buffer.from(text.repeat(10_000))
}

function done(step: string): void {
  process.stdout.write(`${step}\n`)
}

await files.put('new/folder/small', body('s', 3), {})
done('small')
await files.put('old', body('n', 120), {})
done('old')
const id = await uploads.create('new/whole', {})
for (const number of [1, 2, 3])
  await uploads.putPart('new/whole', id, number, body(String(number), 2), { size: 20_000 })
done('parts')
const parts = (await uploads.parts('new/whole', id, { after: 0, limit: 9 })) ?? []
await uploads.complete('new/whole', id, { parts, facts: {} })
done('whole')
await files.remove('new/folder/small')
done('removed')
const tree = await openTreeParts(files, { clock: systemClock, log: silent })
for (const step of ['appended', 'appended-twice']) {
  const part = await tree.open('id')
  await part.append(body('p', 120))
  await part.close()
  done(step)
}
const part = await tree.open('id')
const turn = { done: async () => done('turn') }
await part.place('new/part', { size: 2_400_000, sha256: sha256('p'.repeat(2_400_000)), turn })
await part.close()
done('part')
mkdirSync(`${tree.incoming}/0`, { recursive: true })
writeFileSync(`${tree.incoming}/0/1`, 't'.repeat(50_000))
const taken = await tree.take('0/1')
await taken.place('taken', { sha256: sha256('t'.repeat(50_000)) })
await taken.close()
done('taken')
