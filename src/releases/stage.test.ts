import { expect, test } from 'vitest'
import { recorder } from '../../test/helpers/hub.ts'
import { type Files, linesReleases } from '../../test/helpers/lines-releases.ts'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import { FlotillaError } from '../core/errors.ts'
import type { ObjectReader } from '../core/objects.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import type { BlobStore } from './blobs.ts'
import { Bundles } from './bundle.ts'
import { encodeManifest } from './manifest.ts'
import { stageRelease } from './stage.ts'

const FILES: Files = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}.txt`, `i${index}=v`]))

interface Source extends ObjectReader {
  readonly asked: string[]
}

/** A source that answers from `blobs`, or as `answer` says. */
function source(
  name: string,
  blobs: BlobStore,
  answer: (hash: string) => AsyncIterable<Uint8Array> | FlotillaError | undefined = () => undefined,
): Source {
  const asked: string[] = []
  return {
    name,
    asked,
    open: async (key) => {
      const hash = key.replace('/', '')
      asked.push(hash)
      const other = answer(hash)
      if (other instanceof FlotillaError) throw other
      return other ?? blobs.open(hash)
    },
  }
}

async function released(files: Files = FILES): Promise<{ blobs: BlobStore; manifest: string }> {
  const setup = linesReleases()
  const { release } = await setup.release(files)
  return { blobs: setup.blobs, manifest: release.manifest }
}

const empty = (): MemoryBlobs => new MemoryBlobs(systemClock)

async function* endless(): AsyncGenerator<Uint8Array, void> {
  for (;;) yield Buffer.alloc(1024)
}

async function* wrong(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('x')
}

async function* breakingOff(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('i')
  throw new FlotillaError('UNREACHABLE', 'broke off')
}

test('a release is gathered from the first source, with progress, and can be read from the node itself', async () => {
  const { blobs: hub, manifest } = await released()
  const [first, second] = [source('first', hub), source('second', hub)]
  const seen: number[] = []
  const blobs = empty()
  const onProgress = ({ done, total }: { done: number; total: number }): void => {
    expect(total).toBe(30)
    seen.push(done)
  }
  const staged = await stageRelease({ desired: { manifest }, blobs, sources: [first, second], onProgress })
  expect(staged.manifest.files).toHaveLength(30)
  expect(String(await staged.tree.read('f7.txt'))).toBe('i7=v')
  expect(await blobs.missing([manifest, ...staged.tree.files.map((file) => file.sha256)])).toEqual([])
  expect(seen).toEqual(Array.from({ length: 31 }, (_, index) => index))
  expect(first.asked).toHaveLength(31)
  expect(second.asked).toEqual([])
})

test('only what is missing is fetched: contents of earlier releases, and of an attempt that broke off, stay', async () => {
  const setup = linesReleases()
  const first = await setup.release(FILES)
  const second = await setup.release({ ...FILES, 'f3.txt': 'i3=new', 'copy.md': 'i3=new' })
  const blobs = empty()
  let left = 12
  const failing = source('hub', setup.blobs, () =>
    left-- > 0 ? undefined : new FlotillaError('UNREACHABLE', 'the hub is gone'),
  )
  const broken = stageRelease({ desired: first.release, blobs, sources: [failing] })
  await expect(broken).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const hub = source('hub', setup.blobs)
  await stageRelease({ desired: first.release, blobs, sources: [hub] })
  expect(hub.asked).toHaveLength(30 - 11)
  const later = source('hub', setup.blobs)
  await stageRelease({ desired: second.release, blobs, sources: [later] })
  expect(later.asked.toSorted()).toEqual([second.release.manifest, sha256('i3=new')].toSorted())
  const nobody = source('hub', setup.blobs)
  await stageRelease({ desired: second.release, blobs, sources: [nobody] })
  expect(nobody.asked).toEqual([])
})

test.for([
  ['has nothing', (): FlotillaError => new FlotillaError('NOT_FOUND', 'no'), 31],
  ['does not answer', (): FlotillaError => new FlotillaError('UNREACHABLE', 'no'), 3],
  ['does not let us in', (): FlotillaError => new FlotillaError('FORBIDDEN', 'no'), 3],
  ['sends other bytes', wrong, 3],
  ['sends bytes without end', endless, 3],
  ['breaks off', breakingOff, 3],
] as const)(
  'a source that %s is passed over, and after three failures no longer asked',
  async ([, answer, atLeast]) => {
    const { blobs: hub, manifest } = await released()
    const bad = source('bad', empty(), answer)
    const good = source('good', hub)
    const blobs = empty()
    const { log, lines } = recorder()
    await stageRelease({ desired: { manifest }, blobs, sources: [bad, good], log })
    expect(good.asked).toHaveLength(31)
    // Those that were under way when the third failed are asked as well.
    expect(bad.asked.length).toBeGreaterThanOrEqual(atLeast)
    expect(bad.asked.length).toBeLessThanOrEqual(atLeast === 31 ? 31 : atLeast + 8)
    expect(lines.length > 0).toBe(atLeast < 31)
  },
)

test('one wrong blob among good ones is taken from the next source, the others are not', async () => {
  const { blobs: hub, manifest } = await released()
  const lying = source('lying', hub, (hash) => (hash === sha256('i5=v') ? wrong() : undefined))
  const good = source('good', hub)
  const blobs = empty()
  await stageRelease({ desired: { manifest }, blobs, sources: [lying, good] })
  expect(good.asked).toEqual([sha256('i5=v')])
  expect(String(await blobs.read(sha256('i5=v')))).toBe('i5=v')
})

test('when no source has a blob, the error is that of the last', async () => {
  const { blobs: hub, manifest } = await released()
  const absent = new FlotillaError('NOT_FOUND', 'the hub has it not')
  const hole = source('hole', hub, (hash) => (hash === sha256('i5=v') ? absent : undefined))
  const staged = stageRelease({ desired: { manifest }, blobs: empty(), sources: [hole, hole] })
  await expect(staged).rejects.toThrow('the hub has it not')
  const none = stageRelease({ desired: { manifest }, blobs: empty(), sources: [] })
  await expect(none).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('that nobody has a blob is said only when everybody could be asked', async () => {
  const { manifest } = await released()
  const silent = source('hub', empty(), () => new FlotillaError('UNREACHABLE', 'the hub is gone'))
  const absent = source('peers', empty(), () => new FlotillaError('NOT_FOUND', 'no other node has it'))
  for (const sources of [
    [silent, absent],
    [absent, silent],
  ]) {
    const staged = stageRelease({ desired: { manifest }, blobs: empty(), sources })
    await expect(staged).rejects.toMatchObject({ code: 'UNREACHABLE', message: 'the hub is gone' })
  }
})

test('a manifest that leads out of its folder is refused before anything else is fetched', async () => {
  const evil = Buffer.from(
    encodeManifest({
      format: 1,
      kind: 'lines',
      files: [{ path: '../../etc/cron.d/x', size: 1, sha256: sha256('x') }],
      active: {},
      removed: {},
    }),
  )
  const hub = empty()
  await hub.put(sha256(evil), evil, { limitBytes: 10_000 })
  const asked = source('hub', hub)
  const staged = stageRelease({ desired: { manifest: sha256(evil) }, blobs: empty(), sources: [asked] })
  await expect(staged).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(asked.asked).toHaveLength(1)
  const path = stageRelease({ desired: { manifest: '../../etc/passwd' }, blobs: empty(), sources: [asked] })
  await expect(path).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('a full disk of the node stops it at once and is no fault of the sources', async () => {
  const { blobs: hub, manifest } = await released()
  const blobs = empty()
  const put = blobs.put.bind(blobs)
  let room = 5
  blobs.put = async (hash, content, options) => {
    if (room-- <= 0) throw new FlotillaError('DISK_FULL', 'no room')
    return put(hash, content, options)
  }
  const [first, second] = [source('first', hub), source('second', hub)]
  const staged = stageRelease({ desired: { manifest }, blobs, sources: [first, second] })
  await expect(staged).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(second.asked).toEqual([])
})

test('at most eight blobs are fetched at once, and all are durable in the end', async () => {
  const { blobs: hub, manifest } = await released()
  let running = 0
  let most = 0
  const slow: ObjectReader = {
    name: 'slow',
    open: async (key) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return hub.open(key.replace('/', ''))
    },
  }
  const blobs = empty()
  let synced = false
  blobs.sync = async () => {
    synced = true
  }
  const { durable } = await stageRelease({ desired: { manifest }, blobs, sources: [slow] })
  expect(most).toBe(8)
  await durable()
  expect(synced).toBe(true)
})

test('an aborted staging rejects with the reason, not with a complaint about sources', async () => {
  const { blobs: hub, manifest } = await released()
  const controller = new AbortController()
  const aborting = source('hub', hub, (hash) => {
    if (hash === sha256('i5=v')) controller.abort(new Error('enough'))
    return undefined
  })
  const { signal } = controller
  const staged = stageRelease({ desired: { manifest }, blobs: empty(), sources: [aborting, aborting], signal })
  await expect(staged).rejects.toThrow('enough')
})

test('a bundle brings all of it, and nothing else is asked', async () => {
  const { blobs: hub, manifest } = await released()
  const bundles = new Bundles(hub)
  const only = source('hub', hub)
  const staged = await stageRelease({
    desired: { manifest },
    blobs: empty(),
    sources: [only],
    bundle: async (wanted) => await bundles.get(wanted),
  })
  expect(String(await staged.tree.read('f7.txt'))).toBe('i7=v')
  expect(only.asked).toEqual([])
})

test.for([
  ['of other bytes', () => Buffer.from(`${'a'.repeat(64)} 1\nx`)],
  ['that is none', () => Buffer.from('<html>')],
  [
    'that does not come',
    () => {
      throw new FlotillaError('NOT_FOUND', 'an older hub')
    },
  ],
] as const)('with a bundle %s everything is fetched blob by blob', async ([, bundle]) => {
  const { blobs: hub, manifest } = await released()
  const only = source('hub', hub)
  const blobs = empty()
  const staged = await stageRelease({ desired: { manifest }, blobs, sources: [only], bundle: async () => bundle() })
  expect(String(await staged.tree.read('f7.txt'))).toBe('i7=v')
  expect(only.asked).toHaveLength(31)
  expect(await blobs.has('a'.repeat(64))).toBe(false)
})
