import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { needs } from '../../test/helpers/needs.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import { blobKey } from '../core/objects.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import type { BlobStore } from './blobs.ts'
import { openFolderBlobs } from './folder-blobs.ts'

const LIMIT = { limitBytes: 1024 * 1024 }
const HOUR_MS = 3_600_000

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  for (const text of texts) yield Buffer.from(text)
}

async function openIn(folder: string): Promise<BlobStore> {
  return openFolderBlobs(folder, { clock: systemClock })
}

/** Everything that lies in the folder besides the 256 directories. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.length > 2)
}

function age(path: string, ms: number): void {
  const then = (Date.now() - ms) / 1000
  utimesSync(path, then, then)
}

test('what was put is held under its hash, whole or from an offset, also after opening again', async () => {
  const folder = temporaryFolder()
  const content = 'x'.repeat(700_000)
  const hash = sha256(content)
  const blobs = await openIn(folder)
  await blobs.put(hash, pieces(content.slice(0, 10), content.slice(10)), LIMIT)
  for (const store of [blobs, await openIn(folder)]) {
    expect(await store.has(hash)).toBe(true)
    expect(await store.sizes([hash])).toEqual(new Map([[hash, 700_000]]))
    expect(Buffer.from(await store.read(hash)).toString()).toBe(content)
    expect(await text(await store.open(hash))).toBe(content)
    expect(await text(await store.open(hash, { offset: 699_990 }))).toBe('x'.repeat(10))
  }
  expect(filesIn(folder)).toEqual([blobKey(hash)])
})

test('a blob is readable by its owner and group only', async () => {
  const folder = temporaryFolder()
  await (await openIn(folder)).put(sha256('secret'), Buffer.from('secret'), LIMIT)
  expect(statSync(join(folder, blobKey(sha256('secret')))).mode & 0o007).toBe(0)
})

test.for([
  ['bytes of another hash', sha256('other'), () => pieces('it'), 'CORRUPT'],
  ['more bytes than allowed', sha256('12345'), () => pieces('123', '45'), 'TOO_LARGE'],
  ['a name that leads elsewhere', '../../etc/passwd', () => pieces('x'), 'BAD_REQUEST'],
  ['an upper-case name', sha256('x').toUpperCase(), () => pieces('x'), 'BAD_REQUEST'],
] as const)('refuses %s and leaves nothing behind', async ([, hash, content, code]) => {
  const folder = temporaryFolder()
  const blobs = await openIn(folder)
  await expect(blobs.put(hash, content(), { limitBytes: 4 })).rejects.toMatchObject({ code })
  expect(filesIn(folder)).toEqual([])
})

test('many puts of the same blob at the same time are one blob', async () => {
  const folder = temporaryFolder()
  const blobs = await openIn(folder)
  const other = await openIn(folder)
  const hash = sha256('shared')
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) =>
      (index % 2 === 0 ? blobs : other).put(hash, pieces('sha', 'red'), { ...LIMIT, deferred: index % 3 === 0 }),
    ),
  )
  await blobs.sync()
  expect(filesIn(folder)).toEqual([blobKey(hash)])
  expect(Buffer.from(await blobs.read(hash)).toString()).toBe('shared')
})

test('a blob whose bytes went bad is refused, set aside, and can be put again', async () => {
  const folder = temporaryFolder()
  const blobs = await openIn(folder)
  const hash = sha256('good')
  const path = join(folder, blobKey(hash))
  for (const readAll of [async () => blobs.read(hash), async () => text(await blobs.open(hash))]) {
    await blobs.put(hash, Buffer.from('good'), LIMIT)
    writeFileSync(path, 'evil')
    await expect(readAll()).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(await blobs.has(hash)).toBe(false)
    expect(readFileSync(`${path}.corrupt`, 'utf8')).toBe('evil')
    await expect(blobs.read(hash)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }
  await blobs.put(hash, Buffer.from('good'), LIMIT)
  expect(Buffer.from(await blobs.read(hash)).toString()).toBe('good')
})

test('a blob that is not there is NOT_FOUND, and so is one that goes while it is opened', async () => {
  const blobs = await openIn(temporaryFolder())
  await expect(blobs.open(sha256('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(blobs.read(sha256('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await blobs.put(sha256('a'), Buffer.from('a'), LIMIT)
  const opened = await blobs.open(sha256('a'))
  await blobs.sweep(new Set(), -HOUR_MS)
  await expect(text(opened)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a sweep removes what is old and not kept; who asks for a blob keeps it', async () => {
  const folder = temporaryFolder()
  const blobs = await openIn(folder)
  const put = async (content: string, ageMs: number): Promise<string> => {
    await blobs.put(sha256(content), Buffer.from(content), LIMIT)
    age(join(folder, blobKey(sha256(content))), ageMs)
    return sha256(content)
  }
  const kept = await put('kept', 2 * HOUR_MS)
  const young = await put('young', HOUR_MS / 2)
  const wanted = await put('wanted', 2 * HOUR_MS)
  const again = await put('again', 2 * HOUR_MS)
  const old = await put('too old', 2 * HOUR_MS)
  expect(await blobs.missing([wanted])).toEqual([])
  await blobs.put(again, Buffer.from('again'), LIMIT)
  expect(await blobs.sweep(new Set([kept]), HOUR_MS)).toEqual({ removed: 1, bytes: 7 })
  expect(await blobs.missing([kept, young, wanted, again, old])).toEqual([old])
  expect(await blobs.sweep(new Set([kept]), HOUR_MS)).toEqual({ removed: 0, bytes: 0 })
})

test('one who is told that a blob is held can count on it, also while a sweep runs', async () => {
  const folder = temporaryFolder()
  const [sweeping, asking] = [await openIn(folder), await openIn(folder)]
  // In the first folder of all, so that the sweep comes to it at once.
  const content = Buffer.from('wanted 5')
  const hash = sha256(content)
  expect(hash.slice(0, 2)).toBe('00')
  const told = { held: 0, missing: 0 }
  for (let round = 0; round < 200; round++) {
    await asking.put(hash, content, LIMIT)
    age(join(folder, blobKey(hash)), 2 * HOUR_MS)
    const sweep = sweeping.sweep(new Set(), HOUR_MS)
    for (let turn = 0; turn < round % 5; turn++) await setImmediate()
    const isHeld = await asking.has(hash)
    await sweep
    told[isHeld ? 'held' : 'missing']++
    if (isHeld) expect(await asking.has(hash)).toBe(true)
  }
  expect(told.held).toBeGreaterThan(0)
})

test('what a crash left is removed when the folder is opened, but not what another process is writing', async () => {
  const folder = temporaryFolder({ 'ab/.flotilla-tmp-x-1': 'old', 'ab/.flotilla-tmp-y-2': 'being written' })
  age(join(folder, 'ab/.flotilla-tmp-x-1'), 2 * HOUR_MS)
  await openIn(folder)
  expect(filesIn(folder)).toEqual(['ab/.flotilla-tmp-y-2'])
})

test('a stray folder or link under the name of a blob is not taken for the blob', async () => {
  const folder = temporaryFolder({ elsewhere: 'a' })
  const blobs = await openIn(folder)
  mkdirSync(join(folder, blobKey(sha256('a'))))
  expect(await blobs.has(sha256('a'))).toBe(false)
  await expect(blobs.put(sha256('a'), Buffer.from('a'), LIMIT)).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

const testAsRoot = await needs({ root: true })

testAsRoot('a full disk is said so, leaves no partial blob, and what was held stays', async () => {
  const folder = join(tinyDisk(512), 'blobs')
  const blobs = await openIn(folder)
  const small = sha256('small')
  await blobs.put(small, Buffer.from('small'), LIMIT)
  const large = Buffer.alloc(600 * 1024, 7)
  await expect(blobs.put(sha256(large), large, LIMIT)).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(filesIn(folder)).toEqual([blobKey(small)])
  const fits = Buffer.alloc(100 * 1024, 8)
  await blobs.put(sha256(fits), fits, LIMIT)
  expect(await blobs.missing([small, sha256(fits), sha256(large)])).toEqual([sha256(large)])
  expect(existsSync(join(folder, blobKey(sha256(fits))))).toBe(true)
})
