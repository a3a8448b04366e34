import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { badSource } from '../../test/fault/bad-source.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { MemorySource } from '../../test/helpers/memory-source.ts'
import { contents, type Given, once, pull } from '../../test/helpers/pulling.ts'
import { FlotillaError } from '../core/errors.ts'
import { glob } from '../core/sync/glob.ts'

const RUN = 'data_run/icon/2026/08/29/1200Z'
const GROUPS: Given = { groups: [glob('data_run/*/*/*/*/*')], keepGenerations: { keep: 0, minAgeMs: 0 } }

function runOf(text: string, source = new MemorySource({ peer: true, hashes: true })): MemorySource {
  const at = 1_700_000_000_000 + text.length * 60_000
  for (const name of ['t.om', 'u.om', 'deep/v.om', 'meta.json']) source.put(`${RUN}/${name}`, `${text} ${name}`, at)
  return source
}

/** The run as readers see it. */
const seen = (to: string): string =>
  ['t.om', 'u.om', 'deep/v.om', 'meta.json'].map((name) => readFileSync(join(to, RUN, name), 'utf8')).join()

describe('a group', () => {
  it('becomes visible as a whole, and nothing is brought twice', async () => {
    const source = runOf('one')
    source.put('data_run/icon/latest.json', 'one')
    const to = temporaryFolder()
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, flipped: [RUN], fetched: 5 })
    expect(lstatSync(join(to, RUN)).isSymbolicLink()).toBe(true)
    const first = seen(to)
    const asked = source.asked.bytes
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, fetched: 0, flipped: [] })
    expect(source.asked.bytes).toBe(asked)
    source.put(`${RUN}/t.om`, 'one and a half', 1_800_000_000_000)
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, fetched: 1, flipped: [RUN] })
    expect(seen(to)).toBe(first.replace('one t.om', 'one and a half'))
    expect(readdirSync(join(to, '.flotilla-generations', encodeURIComponent(RUN)))).toHaveLength(1)
    expect(await once(source, to, { ...GROUPS, verify: true, deletes: true })).toMatchObject({ fetched: 0, deleted: 0 })
  })

  it('stays what it was while a file of the new one is missing', async () => {
    const source = runOf('one')
    source.put('data_run/icon/latest.json', 'one')
    const to = temporaryFolder()
    await once(source, to, GROUPS)
    const before = seen(to)
    runOf('second', source)
    source.put('data_run/icon/latest.json', 'second', 1_800_000_000_000)
    const bad = badSource(source, {
      before: (what, key) => {
        if (what === 'batch' || key === `${RUN}/u.om`) throw new FlotillaError('FORBIDDEN', 'no')
      },
    })
    expect(await once(bad, to, GROUPS)).toMatchObject({ complete: false, flipped: [], held: 1 })
    expect(seen(to)).toBe(before)
    expect(readFileSync(join(to, 'data_run/icon/latest.json'), 'utf8')).toBe('one')
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, flipped: [RUN] })
    expect(seen(to)).toBe(before.replaceAll('one', 'second'))
    expect(readFileSync(join(to, 'data_run/icon/latest.json'), 'utf8')).toBe('second')
  })

  it('is of one moment although the source goes on while it comes over', async () => {
    const source = runOf('one')
    const to = temporaryFolder()
    let times = 0
    const moving = badSource(source, {
      before: (what) => {
        if (what === 'batch' && times++ === 0) runOf('second', source)
      },
    })
    expect(await once(moving, to, GROUPS)).toMatchObject({ complete: true, flipped: [RUN] })
    expect(seen(to)).toMatch(/^second[^e]* t\.om,second/)
  })

  it('waits for other nodes, and shows what it has when they have it', async () => {
    const source = runOf('one')
    const to = temporaryFolder()
    let answer: 'flip' | 'wait' = 'wait'
    const told: string[] = []
    const gate: Given['gate'] = {
      offer: (group, generation) => {
        told.push(`${group} ${generation.length}`)
        return answer
      },
      flipped: (group) => void told.push(`flipped ${group}`),
    }
    const one = pull(source, to, { ...GROUPS, gate })
    const { signal } = new AbortController()
    expect(await one.round(signal)).toMatchObject({ complete: false, staged: [RUN], fetched: 4 })
    expect(existsSync(join(to, RUN))).toBe(false)
    expect(await one.round(signal)).toMatchObject({ complete: false, staged: [RUN], fetched: 0 })
    answer = 'flip'
    expect(await one.round(signal)).toMatchObject({ complete: true, flipped: [RUN], fetched: 0 })
    expect(seen(to)).toContain('one t.om')
    expect(told).toEqual([`${RUN} 64`, `${RUN} 64`, `${RUN} 64`, `flipped ${RUN}`])
  })

  it('is repaired where a file in it or its link was damaged', async () => {
    const source = runOf('one')
    const to = temporaryFolder()
    await once(source, to, GROUPS)
    const before = seen(to)
    const real = readlinkSync(join(to, RUN))
    rmSync(join(to, RUN, 't.om'))
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, fetched: 1, flipped: [RUN] })
    expect(seen(to)).toBe(before)
    expect(readlinkSync(join(to, RUN))).not.toBe(real)
    rmSync(join(to, RUN))
    symlinkSync('/etc', join(to, RUN))
    expect((await once(source, to, GROUPS)).failures).toMatchObject([{ key: RUN }])
    expect(readlinkSync(join(to, RUN))).toBe('/etc')
    rmSync(join(to, RUN))
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, flipped: [RUN] })
    expect(seen(to)).toBe(before)
  })

  it('takes the place of a plain folder, and uses what lies in it', async () => {
    const source = runOf('one')
    const to = temporaryFolder()
    await once(source, to)
    expect(statSync(join(to, RUN)).isDirectory()).toBe(true)
    source.put(`${RUN}/t.om`, 'another', 1_800_000_000_000)
    expect(await once(source, to, GROUPS)).toMatchObject({ complete: true, fetched: 1, flipped: [RUN] })
    expect(lstatSync(join(to, RUN)).isSymbolicLink()).toBe(true)
    expect(seen(to)).toContain('another,one u.om')
  })

  it('goes when the source has nothing of it any more, if that is asked for', async () => {
    const source = runOf('one')
    for (let index = 0; index < 50; index++) source.put(`other/${index}`, 'x')
    const to = temporaryFolder()
    await once(source, to, { ...GROUPS, deletes: true })
    for (const key of source.keys.filter((one) => one.startsWith(RUN))) source.remove(key)
    expect(await once(source, to, { ...GROUPS, deletes: true })).toMatchObject({ complete: true, deleted: 4 })
    expect(Object.keys(contents(to)).filter((path) => path.startsWith('data_run'))).toEqual([])
    writeFileSync(join(to, 'done'), '')
  })
})
