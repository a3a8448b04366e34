import { isError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import type { Change } from './model.ts'

/** Answers the first of these data (`file:data/a.shp`) that is not here as it is elsewhere; undefined where all are. */
export type MissingData = (data: readonly string[], op: Op) => Promise<string | undefined>

export const NO_WAITS: ReadonlyMap<string, string> = new Map()

/** Asked about in one look; the others wait for the next. */
const ASKED_MAX = 500
const AT_ONCE = 4

/** What is to be changed here and reads data that has not come yet. It waits, but not for ever. */
export class DataWaits {
  readonly #missing: MissingData | undefined
  readonly #waitMs: number
  /** Since when, by key and version; long ago for what need not wait any more. */
  readonly #since = new Map<string, number>()

  constructor(missing: MissingData | undefined, waitMs: number) {
    this.#missing = missing
    this.#waitMs = waitMs
  }

  /** By key, the data that is missing. */
  async of(changes: readonly Change[], nowMs: number, op: Op): Promise<ReadonlyMap<string, string>> {
    const missing = this.#missing
    if (missing === undefined) return NO_WAITS
    const reading = changes.flatMap(({ key, desired }) =>
      desired === undefined || desired.data.length === 0
        ? []
        : [{ key, id: `${key} ${desired.digest}`, data: desired.data }],
    )
    const ids = new Set(reading.map(({ id }) => id))
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id)
    const waits = new Map<string, string>()
    const open = reading.filter(({ id }) => !this.#isOver(id, nowMs))
    for (const { key, data } of open.slice(ASKED_MAX)) waits.set(key, data[0] ?? '')
    await forEachLimited(open.slice(0, ASKED_MAX), AT_ONCE, async ({ key, id, data }) => {
      const what = await missing(data, op).catch((error: unknown) => {
        op.signal?.throwIfAborted()
        if (!isError(error)) throw error
        return data[0]
      })
      if (what === undefined) this.#since.set(id, Number.NEGATIVE_INFINITY)
      else waits.set(key, what)
    })
    return waits
  }

  #isOver(id: string, nowMs: number): boolean {
    const since = this.#since.get(id) ?? nowMs
    this.#since.set(id, since)
    return nowMs - since >= this.#waitMs
  }
}
