import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { remote } from '../../standin/erddap/test-kit.ts'
import { crashPoints, runUntil, someOf } from '../helpers/crash.ts'
import { ErddapNode } from '../helpers/erddap-node.ts'
import { releaseOf } from '../helpers/erddap-release.ts'
import type { Turns } from '../helpers/erddap-turns.ts'
import { needs } from '../helpers/needs.ts'

const TURNS = join(import.meta.dirname, '../helpers/erddap-turns.ts')
const ONE = { 'a.xml': remote('calm', 'Calm'), 'b.xml': remote('soft', 'Soft') }
const TWO = {
  'a.xml': ONE['a.xml'],
  'b.xml': remote('soft', 'Softer'),
  'c.xml': remote('new', 'New'),
  'files/x': 'side',
}

async function nodeInStep(): Promise<ErddapNode> {
  const node = new ErddapNode()
  await node.turn(releaseOf(1, ONE))
  await node.startLater()
  node.forget()
  await node.inStep(releaseOf(1, ONE))
  node.forget()
  return node
}

function turns(node: ErddapNode): readonly string[] {
  return [JSON.stringify({ config: node.config, number: 2, files: TWO, parts: {} } satisfies Turns)]
}

const test = await needs({ tools: ['strace'] })

test(
  'killed at any system call that lasts, an agent that is started again gets the release served',
  { timeout: 600_000 },
  async () => {
    const points = await crashPoints(TURNS, turns(await nodeInStep()))
    expect(points.length).toBeGreaterThan(20)
    const tried = someOf(points, 3)
    let killed = 0
    for (const point of tried) {
      const node = await nodeInStep()
      const before = node.eventCount
      const whole = new Set([node.xml()])
      const { signal } = await runUntil(point, TURNS, turns(node))
      if (signal === 'SIGKILL') killed++
      whole.add(node.xml())
      const report = await node.inStep(releaseOf(2, TWO))
      whole.add(node.xml())
      const loads = node.events(before)
      expect({ point, served: report.served, loads: loads.filter((event) => event.includes('calm')) }).toEqual({
        point,
        served: 2,
        loads: [],
      })
      expect({ point, versions: whole.size, badReads: node.erddap?.stats.badReads }).toEqual({
        point,
        versions: 2,
        badReads: [],
      })
      expect(loads.filter((event) => event.startsWith('loaded')).length, JSON.stringify(point)).toBeLessThanOrEqual(4)
      expect(readFileSync(join(node.contentDir, 'flotilla-files/files/x'), 'utf8')).toBe('side')
      await node.stop()
    }
    expect(killed).toBeGreaterThan(tried.length / 2)
  },
)
