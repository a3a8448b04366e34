import { expect, test } from 'vitest'
import { isError } from '../../src/core/errors.ts'
import { keys } from '../../src/core/keys.ts'
import type { Desired, ReleaseRecord } from '../../src/core/release.ts'
import type { BlobStore } from '../../src/releases/blobs.ts'
import { manifestTree, parseManifest } from '../../src/releases/manifest.ts'
import { Releases } from '../../src/releases/releases.ts'
import { stageRelease } from '../../src/releases/stage.ts'
import { linesKind } from '../helpers/lines-kind.ts'
import { type LinesReleases, linesReleases, uploadTo } from '../helpers/lines-releases.ts'
import { MemoryBlobs } from '../helpers/memory-blobs.ts'
import { FlakyBlobs } from './flaky-blobs.ts'
import { FlakyStore } from './flaky-store.ts'

type Mode = 'refuse' | 'lose-answer'

/** Fails one call, the `nth` of all, and counts them. */
function failingOnce(nth: number, mode: Mode): { readonly plan: () => Mode | undefined; calls: number } {
  const counter = { calls: 0, plan: () => (++counter.calls === nth ? mode : undefined) }
  return counter
}

interface Action {
  /** What is done with releases whose store and blobs may fail. Doing it twice is doing it once. */
  readonly act: (releases: Releases, blobs: BlobStore) => Promise<unknown>
  /** Contents of the files in the end. */
  readonly ends: Readonly<Record<string, string>>
}

const FIRST = { 'a.txt': 'x=1', 'b.txt': 'y=1' }
const SECOND = { 'a.txt': 'x=2', 'b.txt': 'y=1' }

const ACTIONS: Readonly<Record<string, Action>> = {
  'a release': {
    act: async (releases, blobs) => {
      const files = await uploadTo(blobs, { 'a.txt': 'x=3', 'c.txt': 'z=1', 'b.txt': 'y=1' })
      await releases.release('t', { kind: 'lines', files, message: '' }, 'anna')
    },
    ends: { 'a.txt': 'x=3', 'b.txt': 'y=1', 'c.txt': 'z=1' },
  },
  'a release with quarantine': {
    act: async (releases, blobs) => {
      const files = await uploadTo(blobs, { 'a.txt': 'x=3\n!', 'b.txt': 'y=2' })
      await releases.release('t', { kind: 'lines', files, message: '', quarantine: true }, 'anna')
    },
    ends: { 'a.txt': 'x=2', 'b.txt': 'y=2' },
  },
  'a file that is put': {
    act: async (releases, blobs) => {
      const put = await uploadTo(blobs, { 'c.txt': 'z=1' })
      await releases.putFiles('t', { put }, '', 'anna')
    },
    ends: { ...SECOND, 'c.txt': 'z=1' },
  },
  'a switch': { act: async (releases) => releases.setActive('t', 'x', { active: false }, 'anna'), ends: SECOND },
  'a rollback': { act: async (releases) => releases.rollback('t', { to: 1 }, 'anna'), ends: FIRST },
  'a sweep': { act: async (releases) => releases.sweep(), ends: SECOND },
}

/** What is acknowledged can be read, whole; numbers have no gaps; what was there before is as it was. */
async function invariants({ store, blobs }: LinesReleases, before: readonly ReleaseRecord[]): Promise<Desired> {
  const records = (await store.list(keys.releases('t'))).entries.map(({ value }) => JSON.parse(value) as ReleaseRecord)
  expect(records.map(({ number }) => number)).toEqual(records.map((_, index) => index + 1))
  expect(records.slice(0, before.length)).toEqual(before)
  const desired = JSON.parse((await store.get(keys.desired('t')))?.value ?? 'null') as Desired
  expect(desired).toEqual({ release: records.length, manifest: records.at(-1)?.manifest })
  for (const record of records) {
    const manifest = parseManifest(await blobs.read(record.manifest))
    const tree = manifestTree(manifest, blobs)
    for (const { path, size } of manifest.files) expect((await tree.read(path)).byteLength).toBe(size)
  }
  return desired
}

async function contents({ releases, blobs }: LinesReleases): Promise<Record<string, string>> {
  const files = await releases.files('t')
  const read = files.map(async ({ path, sha256 }) => [path, String(await blobs.read(sha256))] as const)
  return Object.fromEntries(await Promise.all(read))
}

const CASES = Object.keys(ACTIONS).flatMap((name) =>
  (['refuse', 'lose-answer'] as const).map((mode) => [name, mode] as const),
)

test.for(CASES)(
  '%s with any one call failing (%s) loses nothing, and done again ends as without',
  async ([name, mode]) => {
    const { act, ends } = ACTIONS[name] ?? expect.fail(name)
    let nth = 0
    let calls: number
    do {
      const setup = linesReleases()
      await setup.release(FIRST)
      await setup.release(SECOND)
      const before = (await setup.releases.history('t', 10)).releases.toReversed()
      await setup.clock.advance(2 * 3_600_000)
      const fault = failingOnce(++nth, mode)
      const store = new FlakyStore(setup.store, setup.clock, fault.plan)
      const blobs = new FlakyBlobs(setup.blobs, fault.plan)
      const flaky = new Releases({ store, blobs, kinds: [linesKind], clock: setup.clock })
      await unlessUnreachable(act(flaky, blobs))
      calls = fault.calls
      await invariants(setup, before)
      await act(setup.releases, setup.blobs)
      const { release } = await invariants(setup, before)
      expect(await contents(setup)).toEqual(ends)
      expect(release).toBeLessThanOrEqual(3)
    } while (nth <= calls)
    expect(nth).toBeGreaterThan(5)
  },
)

test.for(['refuse', 'lose-answer'] as const)(
  'a staging with any one call of hub or node failing (%s) ends complete when done again',
  async (mode) => {
    const setup = linesReleases()
    await setup.release({ ...FIRST, 'c.txt': 'z=1', 'd.txt': 'w=1' })
    const desired = await invariants(setup, [])
    let nth = 0
    let calls: number
    do {
      const fault = failingOnce(++nth, mode)
      const node = new MemoryBlobs(setup.clock)
      const blobs = new FlakyBlobs(node, fault.plan)
      const hub = new FlakyBlobs(setup.blobs, fault.plan)
      const source = { name: 'hub', open: async (key: string) => hub.open(key.replace('/', '')) }
      await unlessUnreachable(stageRelease({ desired, blobs, sources: [source] }))
      calls = fault.calls
      const { tree } = await stageRelease({ desired, blobs: node, sources: [source] })
      expect(String(await tree.read('d.txt'))).toBe('w=1')
    } while (nth <= calls)
    expect(nth).toBeGreaterThan(10)
  },
)

/** A fault may fail the whole, but only as what it is. */
async function unlessUnreachable(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isError(error, 'UNREACHABLE')) throw error
  }
}
