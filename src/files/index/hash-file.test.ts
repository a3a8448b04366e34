import * as fc from 'fast-check'
import { appendFileSync, lstatSync, mkdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BLOCKS } from '../../core/files/peer.ts'
import { sha256 } from '../../lib/hash.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { toStat } from './folder.ts'
import { hashFile, type HashOptions, SMALL_PER_PART } from './hash-file.ts'

const cut = (bytes: Uint8Array): Buffer => Buffer.from(sha256(bytes), 'hex').subarray(0, BLOCKS.hashBytes)

function pieces(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  )
}

async function hashed(path: string, options: Partial<HashOptions> = {}) {
  const parts: Uint8Array[] = []
  const onPart = (part: number, hashes: Uint8Array): void => void (parts[part] = hashes)
  const stat = toStat(lstatSync(path))
  const result = await hashFile(path, { stat, md5: false, onPart, pace: async () => undefined, ...options })
  return { result, parts }
}

const folder = (): string => realpathSync(temporaryFolder())

it('hashes the whole, the large blocks and the small ones', async () => {
  const sizes = fc.oneof(
    fc.constantFrom(0, 1, BLOCKS.small, BLOCKS.small + 1, BLOCKS.large - 1, BLOCKS.large, BLOCKS.large + 1),
    fc.integer({ min: 0, max: BLOCKS.large * 4 }),
  )
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(255), async (size, seed) => {
      const content = Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 12) + seed) & 0xff))
      const path = join(folder(), 'file')
      writeFileSync(path, content)
      const { result, parts } = await hashed(path)
      const smalls = pieces(content, BLOCKS.large).map((large) => Buffer.concat(pieces(large, BLOCKS.small).map(cut)))
      expect(result?.sha256).toBe(sha256(content))
      expect(Buffer.concat(parts).equals(Buffer.concat(smalls))).toBe(true)
      expect(Buffer.from(result?.large ?? []).equals(Buffer.concat(smalls.map(cut)))).toBe(true)
    }),
    { numRuns: 15 },
  )
})

it('tells the hashes of small blocks in parts', async () => {
  const path = join(folder(), 'file')
  writeFileSync(path, Buffer.alloc(SMALL_PER_PART * BLOCKS.small + 1))
  const { parts } = await hashed(path)
  expect(parts.map(({ byteLength }) => byteLength)).toEqual([SMALL_PER_PART * BLOCKS.hashBytes, BLOCKS.hashBytes])
})

describe('is not taken for what it was told of', () => {
  it('a file that is written to meanwhile', async () => {
    const path = join(folder(), 'file')
    writeFileSync(path, Buffer.alloc(BLOCKS.large * 3))
    const { result } = await hashed(path, { pace: async () => appendFileSync(path, 'x') })
    expect(result).toBeUndefined()
  })

  it('a file that is another one by now', async () => {
    const path = join(folder(), 'file')
    writeFileSync(path, 'one')
    const stat = toStat(lstatSync(path))
    writeFileSync(`${path}2`, 'two')
    renameSync(`${path}2`, path)
    expect((await hashed(path, { stat })).result).toBeUndefined()
  })

  it('a file in a folder that was exchanged for a link', async () => {
    const [root, outside] = [folder(), folder()]
    mkdirSync(join(outside, 'sub'))
    writeFileSync(join(outside, 'sub/file'), 'x')
    symlinkSync(join(outside, 'sub'), join(root, 'sub'))
    const stat = toStat(lstatSync(join(outside, 'sub/file')))
    expect((await hashed(join(root, 'sub/file'), { stat })).result).toBeUndefined()
  })
})
