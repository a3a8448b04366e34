import { type Dirent, type Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import type { Service } from '../../core/service.ts'
import { sleepQuietly } from '../../lib/waiting.ts'

export interface TailOptions {
  /** Paths of logs; the last part may have one `*`. */
  readonly paths: readonly string[]
  readonly onLine: (line: string) => void
  readonly clock: Clock
}

const EVERY_MS = 5000
/** At a time, of one file: a log that grows faster is read later, not all at once. */
const READ_BYTES = 4 * 1024 * 1024
const LINE_BYTES = 65_536
/** Newest first; older ones do not grow any more. */
const FILES = 4

interface Place {
  readonly path: string
  readonly id: string
  offset: number
  rest: Buffer
}

/**
 * Follows logs that others write and rotate, by renaming or by truncating. What was there when it began is not read: it
 * was counted before, or never. Reads only.
 */
export class Tail implements Service {
  readonly name = 'access logs'
  readonly #options: TailOptions
  readonly #places = new Map<string, Place>()
  #isFirst = true

  constructor(options: TailOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    do await this.look()
    while (await sleepQuietly(this.#options.clock, EVERY_MS, signal))
  }

  /** One look at every file. */
  async look(): Promise<void> {
    const seen = new Set<string>()
    for (const pattern of this.#options.paths) {
      for (const { path, found } of await newest(pattern)) {
        const id = `${found.dev}:${found.ino}`
        seen.add(id)
        const place = this.#places.get(id) ?? {
          path,
          id,
          offset: this.#isFirst ? found.size : 0,
          rest: Buffer.alloc(0),
        }
        this.#places.set(id, place)
        if (found.size < place.offset) Object.assign(place, { offset: 0, rest: Buffer.alloc(0) })
        if (found.size > place.offset) await this.#read(path, place)
      }
    }
    for (const id of this.#places.keys()) if (!seen.has(id)) this.#places.delete(id)
    this.#isFirst = false
  }

  async #read(path: string, place: Place): Promise<void> {
    const file = await open(path).catch(() => undefined)
    if (file === undefined) return
    try {
      const { dev, ino } = await file.stat()
      // Another file has its name by now.
      if (`${dev}:${ino}` !== place.id) return
      const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, place.offset)
      place.offset += bytesRead
      this.#give(place, Buffer.concat([place.rest, buffer.subarray(0, bytesRead)]))
    } finally {
      await file.close()
    }
  }

  #give(place: Place, bytes: Buffer): void {
    let from = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      this.#options.onLine(bytes.toString('latin1', from, end).trimEnd())
      from = end + 1
    }
    // A line that never ends is dropped, up to its end.
    place.rest = bytes.length - from > LINE_BYTES ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from))
  }
}

async function newest(pattern: string): Promise<readonly { path: string; found: Stats }[]> {
  const folder = dirname(pattern)
  const [start = '', end] = basename(pattern).split('*')
  const fits = ({ name }: Dirent): boolean =>
    end === undefined
      ? name === start
      : name.startsWith(start) && name.endsWith(end) && !/\.(?:gz|bz2|xz|zst)$/.test(name)
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const all = entries.filter(fits).map(async ({ name }) => {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    return found?.isFile() === true ? [{ path, found }] : []
  })
  return (await Promise.all(all))
    .flat()
    .toSorted((a, b) => b.found.mtimeMs - a.found.mtimeMs)
    .slice(0, FILES)
}
