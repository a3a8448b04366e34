import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { areInstalled, benchFolder, makeFiles } from './files.ts'
import { type Bench } from './figure.ts'
import { type Upload, untilThere, upload, uploadOf } from './push-load.ts'
import { type Pushed, startPushed } from './push-tree.ts'

/** How long the child is down: another moment between two attempts of the root each time. */
const DOWN_S = [62, 67, 72, 77, 82]
const FILES = 200
const BYTES = 1_000_000
const CAP = 20 * 1024 * 1024

export const bench: Bench = {
  about:
    `A child that was down for more than a minute, while ${FILES} × 1 MB were written, comes up: how much longer than these bytes take at the rate that is capped by default (20 MiB/s) it is ` +
    'until it has them, from the moment that it listens. Nobody does anything.',
  run: async (say) => {
    if (!areInstalled('curl')) {
      say('curl is not installed and cannot be: nothing is measured')
      return []
    }
    const home = benchFolder()
    const source = join(home, 'source/files')
    makeFiles(source, FILES, BYTES)
    const files = uploadOf(source)
    const pushed = await startPushed({ folder: join(home, 'ours'), children: 1 })
    try {
      const beyond: number[] = []
      for (const [run, seconds] of DOWN_S.entries()) {
        say(`${run + 1}/${DOWN_S.length}: down for ${seconds} s …`)
        beyond.push((await returned(pushed, files, { name: `run${run}`, seconds })) - files.bytes / CAP)
      }
      return [{ name: 'in step, beyond bytes ÷ cap', unit: 's', ours: beyond, target: { max: 10 } }]
    } finally {
      await pushed.stop()
      rmSync(home, { recursive: true })
    }
  },
}

async function returned(
  { url, children: [child] }: Pushed,
  files: Upload,
  { name, seconds }: { readonly name: string; readonly seconds: number },
): Promise<number> {
  if (child === undefined) throw new Error('there is no child')
  await child.stop()
  await upload(files, `${url}${name}/`, { connections: 4, query: '?ack=local', mayTellErrors: true })
  await delay(seconds * 1000)
  await child.start()
  return await untilThere(join(child.folder, name), files.paths)
}
