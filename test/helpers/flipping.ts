import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openGroup } from '../../src/files/generations/group.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

/*
 * Publishes one generation after the other in the group `place` of the folder that is given, each with files that hold one
 * number, some of them taken over; writes a line for each. Until it is killed, or `times` are done.
 */

const [root = '', times = 'Infinity'] = process.argv.slice(2)
const FILES = 5
const group = await openGroup({ root, group: 'place', clock: systemClock })
const newest = (await group.list()).at(-1)?.number ?? 0
for (let turn = 1; turn <= Number(times); turn++) {
  const number = newest + turn
  const staging = await group.stage()
  for (let file = 0; file < FILES; file++) {
    const folder = join(root, staging.folder, `sub${file}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'file'), String(number))
  }
  await staging.take('same')
  const generation = await group.seal(`g${number}`)
  await group.flip(generation)
  process.stdout.write(`${generation.number}\n`)
  await group.sweep({ keep: 3, minAgeMs: 0 })
}
