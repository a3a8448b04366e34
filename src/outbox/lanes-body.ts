import { createHash } from 'node:crypto'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { Child } from '../core/push/child.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { PutOperation } from '../core/push/operation.ts'
import type { Outcome } from '../core/push/wire.ts'
import { operationOf, partIdOf, type PutRow } from './sender-content.ts'
import type { Suspects } from './sender-suspects.ts'

/** Keeps what is sent below a rate. */
export interface Pace {
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined
}

export interface BodyPace {
  readonly throttle: Pace | undefined
  /** Bytes of contents that went out. */
  readonly onSent: (bytes: number) => void
}

/** Parts that are remembered; of others the child is asked under the id that follows from the row. */
const PARTS_MAX = 64

/** Under which ids children keep what has come of bodies that broke off while they were followed, and which of those are spoilt. */
export class Parts {
  readonly #ids = new Map<string, string>()
  readonly #spoilt = new Set<string>()

  idOf(row: PutRow): string {
    return this.#ids.get(row.key) ?? partIdOf(row)
  }

  brokeOff(key: string, id: string): void {
    this.#ids.delete(key)
    this.#ids.set(key, id)
    const [oldest] = this.#ids.keys()
    if (this.#ids.size > PARTS_MAX && oldest !== undefined) this.#ids.delete(oldest)
  }

  isSpoilt(id: string): boolean {
    return this.#spoilt.has(id)
  }

  /** It was whole, and not what it should be: from the start then. */
  spoil(id: string): void {
    if (this.#spoilt.size >= PARTS_MAX) this.#spoilt.clear()
    this.#spoilt.add(id)
  }

  over(key: string): void {
    this.#ids.delete(key)
  }
}

interface BodyOptions extends BodyPace {
  readonly child: Child
  readonly ledger: Pick<OpenLedger, 'learn'>
  readonly parts: Parts
  readonly suspects: Suspects
  readonly relaying: readonly string[]
}

/** Sends a large file from where the child has it. Nothing reads from `file` any more when it has ended. */
export async function sendBody(
  { child, ledger, parts, suspects, throttle, onSent, relaying: relay }: BodyOptions,
  row: PutRow,
  file: OpenedFile,
  signal: AbortSignal,
): Promise<Outcome> {
  const id = parts.idOf(row)
  const held = parts.isSpoilt(id) ? 0 : await child.partBytes(id, { signal })
  const from = held > row.size ? 0 : held
  suspects.begins(row.key, from)
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal])
  const hash = row.sha256 === undefined ? createHash('sha256') : undefined
  const read = async function* (): AsyncGenerator<Uint8Array, void> {
    let at = hash === undefined ? from : 0
    for await (const chunk of file.read(at, row.size, { signal: stop, reuse: true })) {
      hash?.update(chunk)
      const wanted = chunk.subarray(Math.max(0, from - at))
      at += chunk.byteLength
      if (wanted.byteLength === 0) continue
      yield wanted
      onSent(wanted.byteLength)
      await throttle?.take(wanted.byteLength, stop)
    }
  }
  const chunks = read()
  const operation = async (): Promise<PutOperation> => {
    const known = operationOf(row) as PutOperation
    if (hash === undefined) return known
    const sha256 = hash.digest('hex')
    ledger.learn(row.key, row.version, sha256)
    return { ...known, sha256 }
  }
  try {
    const outcome = await child.body({ key: row.key, id, from, chunks, operation, relay }, { signal })
    if (outcome.result === 'failed' && outcome.code === 'CORRUPT') parts.spoil(id)
    else parts.over(row.key)
    return outcome
  } finally {
    over.abort(new Error('the body is over'))
    await chunks.return().catch(() => undefined)
  }
}
