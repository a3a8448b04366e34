import { cpSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { localCalls } from '../../src/lib/file-calls.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemorySource } from '../helpers/memory-source.ts'
import { contents, type Given, once } from '../helpers/pulling.ts'
import { longest } from '../helpers/soak.ts'
import { dyingCalls } from './dying-calls.ts'

const isSoak = process.env['FLOTILLA_SOAK'] === '1'
/** Of the steps that a process can be killed at, every so many are tried; others the next time. */
const STRIDE = isSoak ? 1 : 17
const LARGE = 9 * 1024 * 1024
const META = 'data/m/static/meta.json'

function source(version: string, peer: boolean): MemorySource {
  const made = new MemorySource({ peer, hashes: true })
  made.epoch = version
  const at = version === 'old' ? 1_700_000_000_000 : 1_700_000_900_000
  for (let index = 0; index < 9; index++) made.put(`data/m/v${index % 3}/f${index}`, `${version} ${index}`, at)
  if (version === 'new') for (const name of ['x/y/deep', 'data/m/added']) made.put(name, `new ${name}`, at)
  if (version === 'old') made.put('data/m/v0/gone', 'old gone', at)
  made.put('data/m/large', Buffer.alloc(LARGE, version), at)
  made.put(META, version, at)
  return made
}

it.for([
  ['another node', true],
  ['another server', false],
] as const)(
  'killed at any step, from %s: what is visible is whole, and the next run comes to its end',
  { timeout: longest(120_000) },
  async ([, peer]) => {
    const [old, young] = [source('old', peer), source('new', peer)]
    const base = temporaryFolder()
    const given: Given = { deletes: true }
    await once(old, base, given)
    const known = new Map([...old.keys, ...young.keys].map((key) => [key, [old.bytesOf(key), young.bytesOf(key)]]))
    for (let nth = 1 + Math.floor(Math.random() * STRIDE), dead = true; dead; nth += STRIDE) {
      const to = temporaryFolder()
      cpSync(base, to, { recursive: true, preserveTimestamps: true })
      for (const key of old.keys) utimesSync(join(to, key), 1_700_000_000, 1_700_000_000)
      const calls = dyingCalls(localCalls, nth)
      await once(young, to, { ...given, calls }).catch(() => undefined)
      dead = calls.isDead()
      const found = contents(to)
      for (const [key, text] of Object.entries(found)) {
        const versions = known
          .get(key)
          ?.map((bytes) => (bytes === undefined ? undefined : Buffer.from(bytes).toString()))
        expect(versions?.includes(text), `${key} after step ${nth}`).toBe(true)
      }
      for (const key of old.keys.filter((one) => young.bytesOf(one) !== undefined))
        expect(found[key], key).toBeDefined()
      if (found[META] === 'new') {
        const others = young.keys.filter((key) => key.startsWith('data/m/') && key !== META)
        for (const key of others)
          expect(found[key], `${key} after step ${nth}`).toBe(Buffer.from(young.bytesOf(key)!).toString())
      }
      expect(await once(young, to, given), `after step ${nth}`).toMatchObject({ complete: true })
      expect(Object.keys(contents(to))).toEqual(young.keys)
      const litter = readdirSync(to, { recursive: true, encoding: 'utf8' }).filter((path) =>
        /\.flotilla-tmp|part-/.test(path),
      )
      expect(litter, `after step ${nth}`).toEqual([])
    }
  },
)
