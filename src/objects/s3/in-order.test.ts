import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inOrder, type Unit } from './in-order.ts'

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const unitOf = (items: readonly number[], waits: readonly number[] = []): Unit<number> =>
  async function* (signal) {
    for (const [index, item] of items.entries()) {
      for (let wait = waits[index % waits.length] ?? 0; wait > 0; wait--) await turn()
      signal.throwIfAborted()
      yield item
    }
  }

async function collect(units: readonly Unit<number>[], options = { parallel: 3, ahead: 2 }): Promise<number[]> {
  const items: number[] = []
  for await (const item of inOrder(units, options)) items.push(item)
  return items
}

describe('units that run at once', () => {
  it('give what they would give one after the other', async () => {
    const lists = fc.array(fc.tuple(fc.array(fc.integer()), fc.array(fc.nat(3), { maxLength: 3 })), { maxLength: 8 })
    const options = fc.record({ parallel: fc.integer({ min: 1, max: 4 }), ahead: fc.integer({ min: 1, max: 3 }) })
    await fc.assert(
      fc.asyncProperty(lists, options, async (lists, options) => {
        const units = lists.map(([items, waits]) => unitOf(items, waits))
        expect(await collect(units, options)).toEqual(lists.flatMap(([items]) => items))
      }),
    )
  })

  it('are not more at once, nor further ahead, than they may be', async () => {
    let running = 0
    let most = 0
    let given = 0
    let taken = 0
    let furthest = 0
    const unit: Unit<number> = async function* () {
      most = Math.max(most, ++running)
      for (let item = 0; item < 20; item++) {
        await turn()
        furthest = Math.max(furthest, ++given - taken)
        yield item
      }
      running--
    }
    for await (const _ of inOrder(
      Array.from({ length: 10 }, () => unit),
      { parallel: 3, ahead: 2 },
    )) {
      taken++
      await turn()
    }
    expect(taken).toBe(200)
    expect(most).toBe(3)
    expect(furthest).toBeLessThanOrEqual(3 * 3)
  })

  it('fail at the turn of the one that fails, and then all end', async () => {
    let ended = 0
    const endless: Unit<number> = async function* (signal) {
      try {
        while (!signal.aborted) {
          await turn()
          yield 7
        }
      } finally {
        ended++
      }
    }
    const failing: Unit<number> = async function* () {
      yield 2
      throw new Error('broken')
    }
    const seen: number[] = []
    const all = async (): Promise<void> => {
      for await (const item of inOrder([unitOf([1]), failing, endless, endless], { parallel: 4, ahead: 2 }))
        seen.push(item)
    }
    await expect(all()).rejects.toThrow('broken')
    expect(seen).toEqual([1, 2])
    expect(ended).toBe(2)
  })

  it('end when nobody wants more, and when the signal says so', async () => {
    let ended = 0
    const endless: Unit<number> = async function* (signal) {
      try {
        while (true) {
          await turn()
          signal.throwIfAborted()
          yield 7
        }
      } finally {
        ended++
      }
    }
    for await (const item of inOrder([endless, endless], { parallel: 2, ahead: 2 })) if (item === 7) break
    expect(ended).toBe(2)
    const controller = new AbortController()
    const reading = (async () => {
      for await (const item of inOrder([endless, endless], { parallel: 2, ahead: 2, signal: controller.signal })) {
        if (item === 7) controller.abort(new Error('enough'))
      }
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(ended).toBe(4)
  })
})
