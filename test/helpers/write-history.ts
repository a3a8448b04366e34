import { createHash } from 'node:crypto'
import { seeded } from './random.ts'

/** One write of one client; `id` stands in what is written. */
export interface Write {
  readonly id: number
  readonly key: string
  readonly isGone: boolean
  readonly began: number
  /** When it was acknowledged; `Infinity`: it may have happened, may happen yet, or may never. */
  ended: number
}

/** A file that tells which write it is from, and whether it is whole. */
export function contentOf(id: number, bytes: number): Buffer {
  const random = seeded(id)
  const rest = Buffer.alloc(bytes)
  for (let at = 0; at + 4 <= bytes; at += 512) rest.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  return Buffer.concat([Buffer.from(`${id} ${bytes} ${hashOf(rest)}\n`), rest])
}

/** The write that a file is from; undefined where it is only a part of one, or of more than one. */
export function writeOf(content: Buffer): number | undefined {
  const end = content.indexOf(10)
  const [, id, bytes, hash] = /^(\d+) (\d+) ([0-9a-f]{64})$/.exec(content.toString('latin1', 0, Math.max(end, 0))) ?? []
  const rest = content.subarray(end + 1)
  return rest.byteLength === Number(bytes) && hashOf(rest) === hash ? Number(id) : undefined
}

/** What every client has written, in the order of one clock, and so what may be read where, and when. */
export class WriteHistory {
  readonly #byKey = new Map<string, Write[]>()
  readonly #byId = new Map<number, Write>()
  #tick = 0
  /** Writes that were acknowledged. */
  acknowledged = 0

  get keys(): readonly string[] {
    return [...this.#byKey.keys()]
  }

  now(): number {
    return ++this.#tick
  }

  begin(key: string, isGone: boolean): Write {
    const write: Write = { id: this.#byId.size + 1, key, isGone, began: this.now(), ended: Infinity }
    this.#byId.set(write.id, write)
    this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), write])
    return write
  }

  acknowledge(write: Write): void {
    write.ended = this.now()
    this.acknowledged++
  }

  /** What is wrong with a key at a node that has every write acknowledged before `at`: `seen` is the write it shows, undefined: no file. */
  staleness(key: string, seen: number | undefined, at: number): string | undefined {
    const writes = this.#byKey.get(key) ?? []
    const newest = (write: Write): Write | undefined =>
      writes.find((other) => other.ended < at && other.began > write.ended)
    if (seen !== undefined) {
      const write = this.#byId.get(seen)
      if (write === undefined || write.key !== key || write.isGone)
        return `${key} has what was never written to it: ${seen}`
      const later = newest(write)
      return later && `${key} has write ${seen}, although ${told(later)} came after it and was acknowledged`
    }
    const first = writes.find(({ isGone, ended }) => !isGone && ended < at)
    if (first === undefined || writes.some((write) => write.isGone && newest(write) === undefined)) return undefined
    return `${key} is not there, although ${told(first)} was acknowledged and no removal came after it`
  }

  /** What is wrong with a node that should have this write, or one that may be later: `seen` as in `staleness`. */
  behind(write: Write, seen: number | undefined): string | undefined {
    const { key, began } = write
    const last = seen === undefined ? undefined : this.#byId.get(seen)
    const mayBe =
      seen === undefined
        ? (this.#byKey.get(key) ?? []).some(({ isGone, ended }) => isGone && ended > began)
        : last !== undefined && last.key === key && last.ended > began
    return mayBe
      ? undefined
      : `${key} has ${seen === undefined ? 'nothing' : `write ${seen}`} in place of ${told(write)}`
  }

  /** What is wrong where one reader of one node saw the one write of a key, and then the other. */
  goneBack(before: number, after: number): string | undefined {
    const [one, other] = [this.#byId.get(before), this.#byId.get(after)]
    if (one === undefined || other === undefined || other.ended >= one.began) return undefined
    return `${one.key} went back from ${told(one)} to ${told(other)}`
  }
}

function told({ id, isGone }: Write): string {
  return `${isGone ? 'removal' : 'write'} ${id}`
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
