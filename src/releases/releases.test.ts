import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { linesKind } from '../../test/helpers/lines-kind.ts'
import { type Files, type LinesReleases, linesReleases } from '../../test/helpers/lines-releases.ts'
import { isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Desired } from '../core/release.ts'
import type { Manifest } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { parseManifest } from './manifest.ts'
import { Releases } from './releases.ts'

/** `count` items, one a file, named a, b, c … */
function items(count: number, text = 'v'): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`f${String(index).padStart(2, '0')}.txt`, `i${index}=${text}`]),
  )
}

async function desired({ store }: LinesReleases): Promise<Desired | undefined> {
  const entry = await store.get(keys.desired('t'))
  return entry && (JSON.parse(entry.value) as Desired)
}

async function manifestOf({ releases, blobs }: LinesReleases, number: number): Promise<Manifest> {
  return parseManifest(await blobs.read((await releases.get('t', number)).manifest))
}

async function idsOf({ releases }: LinesReleases, number?: number): Promise<string[]> {
  return (await releases.items('t', number)).items.map(({ id }) => id)
}

async function history(): Promise<LinesReleases> {
  const setup = linesReleases()
  const steps: readonly Files[] = [
    { 'a.txt': 'x=1', 'b.txt': 'y=1' },
    { 'a.txt': 'x=2', 'b.txt': 'y=1', 'c.md': '' },
    { 'a.txt': 'x=2' },
  ]
  for (const files of steps) await setup.release(files)
  await setup.releases.setActive('t', 'x', { active: false }, 'ben')
  return setup
}

describe('a release', () => {
  test('makes the files desired, with a record and the changes item by item', async () => {
    const setup = linesReleases()
    const first = await setup.release({ 'a.txt': 'x=1\ny=2', 'README.md': 'read me' })
    expect(first).toMatchObject({
      changed: true,
      release: { tree: 't', number: 1, author: 'anna', message: 'change', items: 2, atMs: setup.clock.nowMs() },
      changes: [
        { id: 'x', effect: 'added' },
        { id: 'y', effect: 'added' },
      ],
    })
    expect(await desired(setup)).toEqual({ release: 1, manifest: first.release.manifest })
    const second = await setup.release({ 'a.txt': 'x=1', 'b.txt': 'z=3\n?' }, { message: 'second' }, 'ben')
    expect(second.release).toMatchObject({ number: 2, changes: { added: 1, removed: 1, changed: 0 } })
    expect(second.warnings).toMatchObject([{ file: 'b.txt', line: 2, severity: 'warning' }])
    expect(await setup.releases.current('t')).toEqual(second.release)
    expect((await setup.releases.history('t', 10)).releases).toEqual([second.release, first.release])
    expect((await setup.releases.history('t', 1)).releases).toEqual([second.release])
    expect((await manifestOf(setup, 1)).files.map(({ path }) => path)).toEqual(['README.md', 'a.txt'])
  })

  test('of unchanged contents changes nothing, whatever the order of the files', async () => {
    const setup = linesReleases()
    const first = await setup.release({ 'b.txt': 'y=1', 'a.txt': 'x=1' })
    const before = await setup.store.list('')
    const again = await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' }, { message: 'again' })
    expect(again).toMatchObject({ changed: false, release: first.release, changes: [] })
    expect(await setup.store.list('')).toEqual(before)
  })

  test('of a file that belongs to no item is a release without changes of items', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const second = await setup.release({ 'a.txt': 'x=1', 'iso/record.xml': '<x/>' })
    expect(second).toMatchObject({ changed: true, release: { number: 2 }, changes: [] })
  })

  test('is only tried with dryRun', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const before = await setup.store.list('')
    const tried = await setup.release({ 'a.txt': 'x=1\ny=1' }, { dryRun: true })
    expect(tried).toMatchObject({ changed: true, release: { number: 2 }, changes: [{ id: 'y', effect: 'added' }] })
    expect(await setup.store.list('')).toEqual(before)
    expect(await setup.blobs.has(tried.release.manifest)).toBe(false)
  })

  test('of contents that are not held names what is missing, at most 20', async () => {
    const setup = linesReleases()
    const files = Array.from({ length: 30 }, (_, index) => ({
      path: `${index}.txt`,
      size: 1,
      sha256: sha256(`${index}`),
    }))
    const release = setup.releases.release('t', { kind: 'lines', files, message: '' }, 'anna')
    await expect(release).rejects.toMatchObject({ code: 'BLOBS_MISSING' })
    await expect(release).rejects.toThrow(/^30 contents are not held: 0\.txt \([0-9a-f]{64}\), .* and 10 more$/)
  })

  test.for([
    ["a size that is not the content's", [{ path: 'a.txt', size: 99, sha256: sha256('x=1') }], 'BAD_REQUEST'],
    ['a path that leads out', [{ path: '../a.txt', size: 3, sha256: sha256('x=1') }], 'BAD_REQUEST'],
    ['a path twice', [1, 2].map(() => ({ path: 'a.txt', size: 3, sha256: sha256('x=1') })), 'BAD_REQUEST'],
    ['a file that is a folder', ['a', 'a/b'].map((path) => ({ path, size: 3, sha256: sha256('x=1') })), 'BAD_REQUEST'],
    ['a hash that is none', [{ path: 'a.txt', size: 3, sha256: '../../etc/passwd' }], 'BAD_REQUEST'],
    ['a file too large', [{ path: 'a.txt', size: 2 ** 28 + 1, sha256: sha256('x=1') }], 'TOO_LARGE'],
  ] as const)('with %s is refused', async ([, files, code]) => {
    const setup = linesReleases()
    await setup.upload({ 'a.txt': 'x=1' })
    const release = setup.releases.release('t', { kind: 'lines', files, message: '' }, 'anna')
    await expect(release).rejects.toMatchObject({ code })
    expect(await setup.releases.current('t')).toBeUndefined()
  })

  test.for([
    ['an author with a newline', { author: 'anna\nben' }],
    ['an empty author', { author: ' ' }],
    ['an author without end', { author: 'a'.repeat(129) }],
    ['a message with an escape sequence', { message: '\u001b[31mred' }],
    ['a message without end', { message: 'm'.repeat(501) }],
    ['a message that is no Unicode', { message: '\ud800' }],
    ['a kind that is not known', { kind: 'geoserver' }],
    ['a tree that leads elsewhere', { tree: '../desired' }],
  ] as const)('with %s is refused', async ([, wrong]) => {
    const setup = linesReleases()
    const { tree, author, message, kind } = { tree: 't', author: 'anna', message: '', kind: 'lines', ...wrong }
    const files = await setup.upload({ 'a.txt': 'x=1' })
    const release = setup.releases.release(tree, { kind, files, message }, author)
    await expect(release).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect((await setup.store.list('')).entries).toEqual([])
  })

  test('that fails its check is refused with every error, and nothing changes', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const before = await setup.store.list('')
    const broken = setup.release({ 'a.txt': 'x=2\n!\n!', 'b.txt': '!\n!\n?' })
    await expect(broken).rejects.toMatchObject({ code: 'CHECK_FAILED', details: { problems: { length: 4 } } })
    await expect(broken).rejects.toThrow('a.txt:2: broken; a.txt:3: broken; b.txt:1: broken; and 1 more')
    expect(await setup.store.list('')).toEqual(before)
  })

  test('is checked against the values that every node that is alive defines', async () => {
    const setup = linesReleases()
    const alive = async (node: string, value: string): Promise<void> => {
      await setup.store.commit({ changes: [{ op: 'put', key: keys.alive(node), value }] })
    }
    await setup.release({ 'a.txt': 'x=1\n$data' })
    await alive('n1', JSON.stringify({ node: 'n1', values: ['data', 'more'] }))
    await alive('n2', JSON.stringify({ node: 'n2', values: ['data'] }))
    await setup.release({ 'a.txt': 'x=2\n$data' })
    await expect(setup.release({ 'a.txt': 'x=3\n$more' })).rejects.toThrow('no value $more')
    await alive('n2', 'this is not JSON')
    await setup.release({ 'a.txt': 'x=3\n$more' })
  })

  test('cannot change the kind of its tree', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const other = new Releases({ ...setup, kinds: [linesKind, { ...linesKind, kind: 'other' }] })
    const files = await setup.upload({ 'a.txt': 'x=2' })
    await expect(other.release('t', { kind: 'other', files, message: '' }, 'anna')).rejects.toThrow('of kind lines')
  })
})

describe('the guard', () => {
  test.for([
    [10, 9, {}, true],
    [10, 8, {}, false],
    [10, 8, { confirmRemoval: true }, true],
    [30, 27, {}, true],
    [30, 26, {}, false],
    [2, 1, {}, true],
  ] as const)('from %d items to %d with %o: %s', async ([before, after, options, passes]) => {
    const setup = linesReleases()
    await setup.release(items(before))
    const release = setup.release(items(after), options)
    if (passes) await release
    else await expect(release).rejects.toMatchObject({ code: 'GUARD' })
    expect((await desired(setup))?.release).toBe(passes ? 2 : 1)
  })

  test('says how many of how many, and names the first', async () => {
    const setup = linesReleases()
    await setup.release(items(20))
    await expect(setup.release(items(2))).rejects.toThrow(
      '18 of 20 datasets would no longer be served: i2, i3, i4, i5, i6 and 13 more',
    )
  })

  test('takes switching off for removing', async () => {
    const setup = linesReleases()
    await setup.release(items(10))
    await expect(setup.release(items(10, 'off'))).rejects.toMatchObject({ code: 'GUARD' })
    await setup.release(items(10, 'off'), { confirmRemoval: true })
    await setup.release(items(10))
  })

  test('lets a single item be replaced, but not the last one go', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await setup.release({ 'a.txt': 'y=1' })
    await expect(setup.release({ 'a.txt': '?' })).rejects.toMatchObject({ code: 'GUARD' })
  })

  test('follows its share', async () => {
    const setup = linesReleases({ guardShare: 0.5 })
    await setup.release(items(10))
    await setup.release(items(5))
    await expect(setup.release(items(2))).rejects.toMatchObject({ code: 'GUARD' })
  })
})

describe('quarantine', () => {
  test('keeps the last version of a file that fails, and says from which release, until it is repaired', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
    const broken = { 'a.txt': 'x=2\n!', 'b.txt': 'y=2' }
    await expect(setup.release(broken)).rejects.toMatchObject({ code: 'CHECK_FAILED' })
    const second = await setup.release(broken, { quarantine: true })
    const quarantined = [{ path: 'a.txt', keptFrom: 1, problem: { file: 'a.txt', line: 2 } }]
    expect(second).toMatchObject({ changed: true, quarantined, changes: [{ id: 'y' }], release: { quarantined } })
    const third = await setup.release({ ...broken, 'b.txt': 'y=3' }, { quarantine: true })
    expect(third.quarantined).toMatchObject([{ path: 'a.txt', keptFrom: 1 }])
    const again = await setup.release({ ...broken, 'b.txt': 'y=3' }, { quarantine: true })
    expect(again).toMatchObject({ changed: false, quarantined })
    const repaired = await setup.release({ 'a.txt': 'x=3', 'b.txt': 'y=3' }, { quarantine: true })
    expect(repaired).toMatchObject({ quarantined: [], changes: [{ id: 'x' }] })
    expect(repaired.release.quarantined).toBeUndefined()
  })

  test('leaves a new file out that fails', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const second = await setup.release({ 'a.txt': 'x=2', 'new.txt': 'z=1\n!' }, { quarantine: true })
    expect(second.quarantined).toMatchObject([{ path: 'new.txt' }])
    expect(second.quarantined[0]?.keptFrom).toBeUndefined()
    expect((await manifestOf(setup, 2)).files.map(({ path }) => path)).toEqual(['a.txt'])
  })

  test('never loses a dataset that moved into a new file that fails', async () => {
    const setup = linesReleases()
    await setup.release(items(30))
    const { 'f00.txt': _moved, ...others } = items(30)
    const moved = { ...others, 'moved.txt': 'i0=v\n!' }
    const release = setup.release(moved, { quarantine: true })
    await expect(release).rejects.toMatchObject({ code: 'GUARD' })
    await expect(release).rejects.toThrow('i0, while the new moved.txt is left out')
    await setup.release(moved, { quarantine: true, confirmRemoval: true })
  })

  test('of an id that is there twice keeps it where it was, whichever file comes first', async () => {
    for (const added of ['a.txt', 'z.txt']) {
      const setup = linesReleases()
      await setup.release({ 'm.txt': 'x=1' })
      const second = await setup.release({ 'm.txt': 'x=2', [added]: 'x=3' }, { quarantine: true })
      expect(second.quarantined).toMatchObject([{ path: added, problem: { code: 'ID_DUPLICATE' } }])
      expect(second.changes).toMatchObject([{ id: 'x', path: 'm.txt' }])
    }
  })

  test('of a dataset that is moved and copied at once falls back to what was', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1\ny=1' })
    const second = await setup.release({ 'a.txt': 'y=1\n!', 'b.txt': 'x=1' }, { quarantine: true })
    expect(second).toMatchObject({ changed: false })
    expect(second.quarantined.map(({ path }) => path)).toEqual(['a.txt', 'b.txt'])
  })

  test('refuses what it cannot help: an error in a file that did not change, or in most files', async () => {
    const setup = linesReleases()
    const value = JSON.stringify({ node: 'n1', values: [] })
    await setup.release({ 'a.txt': 'x=1\n$data' })
    await setup.store.commit({ changes: [{ op: 'put', key: keys.alive('n1'), value }] })
    const release = setup.release({ 'a.txt': 'x=1\n$data', 'b.txt': 'y=1' }, { quarantine: true })
    await expect(release).rejects.toMatchObject({ code: 'CHECK_FAILED' })
    const many = setup.release({ 'ok.txt': 'x=1', ...items(101, '1\n!') }, { quarantine: true })
    await expect(many).rejects.toMatchObject({ code: 'CHECK_FAILED' })
    await expect(setup.release({ 'a.md': '' }, { quarantine: true })).rejects.toMatchObject({ code: 'CHECK_FAILED' })
  })
})

describe('tombstones and switches', () => {
  test('a removed item is remembered for ten further releases, or until it is back', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
    await setup.release({ 'a.txt': 'x=1' })
    const tombstone = { y: { type: 'Line', release: 2 } }
    expect((await manifestOf(setup, 2)).removed).toEqual(tombstone)
    for (let number = 3; number <= 12; number++) await setup.release({ 'a.txt': `x=${number}` })
    expect((await manifestOf(setup, 12)).removed).toEqual(tombstone)
    await setup.release({ 'a.txt': 'x=13' })
    expect((await manifestOf(setup, 13)).removed).toEqual({})
    await setup.release({ 'b.txt': 'y=1' })
    expect((await manifestOf(setup, 14)).removed).toEqual({ x: { type: 'Line', release: 14 } })
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
    expect((await manifestOf(setup, 15)).removed).toEqual({})
  })

  test('a switch is a release, is inherited, and is dropped when the definition says the same', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=off' })
    const off = await setup.releases.setActive('t', 'x', { active: false }, 'ben')
    expect(off).toMatchObject({
      release: { number: 2, author: 'ben', message: 'deactivate x', changes: { removed: 1 } },
      changes: [{ id: 'x', effect: 'removed', details: ['active'] }],
    })
    expect(await setup.releases.setActive('t', 'x', { active: false }, 'ben')).toMatchObject({ changed: false })
    await setup.releases.setActive('t', 'y', { active: true, message: 'spring' }, 'ben')
    await setup.release({ 'a.txt': 'x=2', 'b.txt': 'y=off' })
    expect((await manifestOf(setup, 4)).active).toEqual({ x: false, y: true })
    const { items: listed } = await setup.releases.items('t')
    expect(listed.map(({ id, active }) => [id, active])).toEqual([
      ['x', false],
      ['y', true],
    ])
    await setup.releases.setActive('t', 'x', { active: true }, 'ben')
    expect((await manifestOf(setup, 5)).active).toEqual({ y: true })
  })

  test('an item that is removed and comes back is still switched off', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
    await setup.releases.setActive('t', 'x', { active: false }, 'ben')
    await setup.release({ 'b.txt': 'y=1' })
    await setup.release({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
    expect((await setup.releases.items('t')).items.find(({ id }) => id === 'x')?.active).toBe(false)
  })

  test('a dataset may be called like something every object has', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'constructor=1\nx=1', 'b.txt': 'toString=1' })
    await setup.releases.setActive('t', 'constructor', { active: false }, 'ben')
    expect((await manifestOf(setup, 2)).active).toEqual({ constructor: false })
    await setup.release({ 'a.txt': 'constructor=1\nx=1' })
    await setup.release({ 'a.txt': 'x=1' })
    const { active, removed } = await manifestOf(setup, 4)
    expect(active).toEqual({ constructor: false })
    expect(Object.keys(removed)).toEqual(['constructor', 'toString'])
  })

  test('a dataset that is not there cannot be switched', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    for (const id of ['nope', '__proto__', 'constructor']) {
      const switched = setup.releases.setActive('t', id, { active: false }, 'ben')
      await expect(switched).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
  })
})

describe('rolling back', () => {
  test('makes a new release of the old contents and switches, with tombstones for what came since', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await setup.release({ 'a.txt': 'x=2', 'b.txt': 'y=1' })
    await setup.releases.setActive('t', 'x', { active: false }, 'ben')
    const back = await setup.releases.rollback('t', { to: 1 }, 'carl')
    expect(back.release).toMatchObject({ number: 4, author: 'carl', message: 'back to r1', rollbackTo: 1 })
    const [first, fourth] = [await manifestOf(setup, 1), await manifestOf(setup, 4)]
    expect(fourth).toEqual({ ...first, removed: { y: { type: 'Line', release: 4 } } })
    expect(await setup.releases.rollback('t', { to: 1 }, 'carl')).toMatchObject({ changed: false })
    await setup.releases.rollback('t', { to: 3, message: 'forth' }, 'carl')
    expect((await manifestOf(setup, 5)).active).toEqual({ x: false })
    expect((await manifestOf(setup, 5)).files).toEqual((await manifestOf(setup, 2)).files)
  })

  test('is stopped neither by the guard nor by checks that became stricter, but says what they find', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await setup.release(items(30))
    const stricter = new Releases({
      ...setup,
      kinds: [
        {
          ...linesKind,
          check: async (tree, context) => {
            const { items: found } = await linesKind.check(tree, context)
            return {
              items: found,
              problems: [{ severity: 'error', code: 'TAG_UNKNOWN', file: 'a.txt', message: 'new' }],
            }
          },
        },
      ],
    })
    const back = await stricter.rollback('t', { to: 1 }, 'carl')
    expect(back.warnings).toMatchObject([{ severity: 'warning', code: 'TAG_UNKNOWN' }])
    expect(back.release.number).toBe(3)
  })

  test('to a release that never was, or whose contents are gone, says so', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await setup.release({ 'a.txt': 'x=2' })
    for (const to of [0, 3, -1, 1.5]) {
      await expect(setup.releases.rollback('t', { to }, 'carl')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
    await expect(setup.releases.rollback('t', { to: 1, base: 1 }, 'carl')).rejects.toMatchObject({ code: 'LOST_RACE' })
    const { manifest } = await setup.releases.get('t', 2)
    await setup.blobs.sweep(new Set([manifest]), -60_000)
    await expect(setup.releases.rollback('t', { to: 1 }, 'carl')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('any chain of releases and rollbacks ends with the contents it was told', async () => {
    const steps = fc.array(fc.oneof(fc.record({ text: fc.nat(5) }), fc.record({ back: fc.nat(9) })), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(steps, async (chain) => {
        const setup = linesReleases()
        const contents: (string | undefined)[] = [undefined]
        for (const step of chain) {
          const to = 'back' in step ? 1 + (step.back % Math.max(1, contents.length - 1)) : 0
          if ('back' in step && contents.length === 1) continue
          const text = 'back' in step ? contents[to] : `x=${step.text}`
          const answer =
            'back' in step
              ? await setup.releases.rollback('t', { to }, 'carl')
              : await setup.release({ 'a.txt': text ?? '' }, {}, 'anna')
          expect(answer.changed).toBe(text !== contents.at(-1))
          if (answer.changed) contents.push(text)
          expect(answer.release.number).toBe(contents.length - 1)
          const [file] = (await manifestOf(setup, contents.length - 1)).files
          expect(file?.sha256).toBe(sha256(contents.at(-1) ?? ''))
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('single files', () => {
  test('are put into and taken out of what is current', async () => {
    const setup = linesReleases()
    const [a] = await setup.upload({ 'a.txt': 'x=1' })
    const [b] = await setup.upload({ 'b.txt': 'y=1' })
    if (a === undefined || b === undefined) throw new Error('nothing uploaded')
    await expect(setup.releases.putFiles('t', { put: [a] }, 'first', 'anna')).rejects.toThrow('must say its kind')
    await setup.releases.putFiles('t', { put: [a], kind: 'lines' }, 'first', 'anna')
    await setup.releases.putFiles('t', { put: [b] }, 'second', 'anna', 1)
    expect(await idsOf(setup)).toEqual(['x', 'y'])
    const third = await setup.releases.putFiles('t', { delete: ['a.txt'] }, 'third', 'anna')
    expect(third.changes).toMatchObject([{ id: 'x', effect: 'removed' }])
    const missing = setup.releases.putFiles('t', { delete: ['a.txt'] }, 'fourth', 'anna')
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const stale = setup.releases.putFiles('t', { put: [a] }, 'fifth', 'anna', 1)
    await expect(stale).rejects.toMatchObject({ code: 'LOST_RACE' })
    await expect(setup.releases.putFiles('t', { delete: ['b.txt'] }, 'all', 'anna')).rejects.toThrow('no items')
  })
})

describe('races', () => {
  test('of two releases made from the same state, one wins and the other is told by whom', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=0' })
    const outcomes = await Promise.allSettled([
      setup.release({ 'a.txt': 'x=1' }, { base: 1 }, 'anna'),
      setup.release({ 'a.txt': 'x=2' }, { base: 1 }, 'ben'),
    ])
    const lost = outcomes.filter(({ status }) => status === 'rejected')
    expect(lost).toHaveLength(1)
    const winner = (await setup.releases.current('t'))?.author
    expect(lost).toMatchObject([{ reason: { code: 'LOST_RACE' } }])
    expect(JSON.stringify(lost.map((outcome) => String((outcome as PromiseRejectedResult).reason)))).toContain(
      `r2 by ${winner} of t was made meanwhile`,
    )
  })

  test('whatever many writers do at once, numbers have no gaps and no acknowledged release is lost', async () => {
    const writer = fc.record({ text: fc.nat(99), withBase: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(writer, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), async (rounds) => {
        const setup = linesReleases()
        const acknowledged = new Map<number, string>()
        for (const round of rounds) {
          const base = (await desired(setup))?.release ?? 0
          await Promise.all(
            round.map(async ({ text, withBase }, index) => {
              try {
                const files = { 'a.txt': `x=${text}.${index}` }
                const answer = await setup.release(files, withBase ? { base } : {}, `w${index}`)
                if (!answer.changed) return
                expect(acknowledged.has(answer.release.number)).toBe(false)
                acknowledged.set(answer.release.number, answer.release.manifest)
              } catch (error) {
                if (!isError(error, 'LOST_RACE')) throw error
              }
            }),
          )
        }
        const { releases } = await setup.releases.history('t', 1000)
        expect(releases.map(({ number }) => number)).toEqual(releases.map((_, index) => releases.length - index))
        for (const [number, manifest] of acknowledged) {
          expect(releases.find((record) => record.number === number)?.manifest).toBe(manifest)
        }
        expect(acknowledged.size).toBe(releases.length)
      }),
      { numRuns: 25 },
    )
  })

  test('changes of different files and switches at the same moment all take place', async () => {
    const setup = linesReleases()
    await setup.release(items(5))
    await Promise.all([
      setup.releases.setActive('t', 'i0', { active: false }, 'ben'),
      setup.releases.setActive('t', 'i1', { active: false }, 'ben'),
      setup.releases.putFiles('t', { put: await setup.upload({ 'n1.txt': 'n1=1' }) }, '', 'anna'),
      setup.releases.putFiles('t', { put: await setup.upload({ 'n2.txt': 'n2=1' }) }, '', 'anna'),
      setup.releases.putFiles('t', { delete: ['f04.txt'] }, '', 'carl'),
    ])
    const { items: listed, release } = await setup.releases.items('t')
    expect(release).toBe(6)
    expect(listed.map(({ id, active }) => (active ? id : `-${id}`))).toEqual(['-i0', '-i1', 'i2', 'i3', 'n1', 'n2'])
  })
})

describe('looking back', () => {
  test('a difference of any two releases lists files and items, and 0 is the empty tree', async () => {
    const { releases } = await history()
    expect(await releases.diff('t', 1, 3)).toMatchObject({
      files: [
        { path: 'a.txt', change: 'changed' },
        { path: 'b.txt', change: 'removed' },
      ],
      changes: [
        { id: 'x', effect: 'soft' },
        { id: 'y', effect: 'removed' },
      ],
    })
    expect(await releases.diff('t', 3, 4)).toMatchObject({ files: [], changes: [{ id: 'x', details: ['active'] }] })
    expect(await releases.diff('t', 0, 1)).toMatchObject({ changes: [{ effect: 'added' }, { effect: 'added' }] })
    expect(await releases.diff('t', 1, 0)).toMatchObject({ changes: [{ effect: 'removed' }, { effect: 'removed' }] })
    expect(await releases.diff('t', 2, 2)).toMatchObject({ files: [], changes: [] })
    expect(await releases.diff('t', 0, 0)).toMatchObject({ files: [], changes: [] })
    await expect(releases.diff('t', 1, 9)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('the releases that changed one dataset are found, newest first', async () => {
    const { releases } = await history()
    expect(await releases.changesOf('t', 'x')).toMatchObject([
      { release: 4, author: 'ben', change: { details: ['active'] } },
      { release: 2, change: { effect: 'soft' } },
      { release: 1, change: { effect: 'added' } },
    ])
    expect((await releases.changesOf('t', 'y')).map(({ release }) => release)).toEqual([3, 1])
    expect(await releases.changesOf('t', 'nope')).toEqual([])
  })

  test('items of any release are listed; a tree without releases has none', async () => {
    const setup = await history()
    expect(await idsOf(setup, 1)).toEqual(['x', 'y'])
    expect(await idsOf(setup)).toEqual(['x'])
    expect(await setup.releases.items('other')).toEqual({ tree: 'other', release: 0, items: [] })
    expect(await setup.releases.current('other')).toBeUndefined()
    expect(await setup.releases.history('other', 5)).toEqual({ tree: 'other', releases: [] })
    await expect(setup.releases.get('t', 5)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('requests', () => {
  test('are keys whose revision is their generation', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1\ny=1' })
    const request = { kind: 'reload', flag: 'hard', datasets: ['x', 'y', 'x'] } as const
    const { revision } = await setup.releases.request('t', request, 'ben')
    const { entries } = await setup.store.list(keys.requests('t'))
    expect(entries.map((entry) => [entry.key, entry.revision])).toEqual([
      ['request/t/reload/x', revision],
      ['request/t/reload/y', revision],
    ])
    expect(JSON.parse(entries[0]?.value ?? '')).toEqual({
      kind: 'reload',
      item: 'x',
      flag: 'hard',
      author: 'ben',
      atMs: setup.clock.nowMs(),
    })
    const again = await setup.releases.request('t', { kind: 'clear-cache' }, 'ben')
    expect(again.revision).toBeGreaterThan(revision)
    expect((await setup.store.get(keys.request('t', 'clear-cache', '*')))?.revision).toBe(again.revision)
  })

  test.for([
    ['a dataset that is not there', { kind: 'reload', datasets: ['nope'] }, 'NOT_FOUND'],
    ['a key in disguise', { kind: 'reload', datasets: ['../../token/x'] }, 'NOT_FOUND'],
    ['no dataset', { kind: 'reload', datasets: [] }, 'BAD_REQUEST'],
    ['a flag that means nothing', { kind: 'clear-cache', flag: 'hard' }, 'BAD_REQUEST'],
    ['too many', { kind: 'reload', datasets: Array.from({ length: 1001 }, (_, index) => `${index}`) }, 'TOO_LARGE'],
  ] as const)('for %s are refused', async ([, request, code]) => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await expect(setup.releases.request('t', request, 'ben')).rejects.toMatchObject({ code })
    expect((await setup.store.list(keys.requests('t'))).entries).toEqual([])
  })
})

describe('sweeping', () => {
  test('removes what the last 50 releases do not need, and nothing that is young', async () => {
    const setup = linesReleases()
    for (let number = 1; number <= 52; number++) await setup.release({ 'a.txt': `x=${number}`, 'same.txt': 'y=1' })
    await setup.clock.advance(2 * 3_600_000)
    await setup.upload({ 'new.txt': 'just uploaded' })
    const swept = await setup.releases.sweep()
    expect(swept.removed).toBe(4)
    expect(await idsOf(setup, 3)).toEqual(['x', 'y'])
    await expect(setup.releases.items('t', 2)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await setup.blobs.has(sha256('just uploaded'))).toBe(true)
  })

  test('removes nothing when a manifest cannot be read', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    await setup.blobs.sweep(new Set([sha256('x=1')]), -60_000)
    await expect(setup.releases.sweep()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await setup.blobs.has(sha256('x=1'))).toBe(true)
  })
})
