import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { linesReleases } from '../../test/helpers/lines-releases.ts'
import { sha256 } from '../lib/hash.ts'
import { BUNDLE_LIMITS, type Bundled, Bundles, parseBundle } from './bundle.ts'

const hashesOf = (bundle: Uint8Array): readonly string[] => [...parseBundle(bundle)].map((blob) => blob.sha256)

test('a bundle holds the manifest and what the other manifest does not name', async () => {
  const setup = linesReleases()
  const first = (await setup.release({ 'a.txt': 'a=1', 'b.txt': 'b=1' })).release
  const second = (await setup.release({ 'a.txt': 'a=1', 'b.txt': 'b=2' })).release
  const bundles = new Bundles(setup.blobs)
  const blobs = [...parseBundle(await bundles.get(second.manifest, first.manifest))]
  expect(blobs.map((blob) => blob.sha256)).toEqual([second.manifest, sha256('b=2')])
  for (const blob of blobs) expect(sha256(blob.bytes)).toBe(blob.sha256)
  const whole = [second.manifest, sha256('a=1'), sha256('b=2')]
  expect(hashesOf(await bundles.get(second.manifest))).toEqual(whole)
  expect(hashesOf(await bundles.get(second.manifest, 'f'.repeat(64)))).toEqual(whole)
})

test('what is large is left out', async () => {
  const setup = linesReleases()
  const large = `l=${'x'.repeat(BUNDLE_LIMITS.blob)}`
  const { release } = await setup.release({ 'large.txt': large, 'small.txt': 's=1' })
  expect(hashesOf(await new Bundles(setup.blobs).get(release.manifest))).toEqual([release.manifest, sha256('s=1')])
})

test('those who ask for the same at the same time share one, and the last few are kept', async () => {
  const setup = linesReleases()
  const { release } = await setup.release({ 'a.txt': 'a=1' })
  const bundles = new Bundles(setup.blobs)
  const [one, two] = await Promise.all([bundles.get(release.manifest), bundles.get(release.manifest)])
  expect(two).toBe(one)
  for (let base = 0; base <= Bundles.KEPT_MAX; base++) await bundles.get(release.manifest, sha256(String(base)))
  expect(await bundles.get(release.manifest)).not.toBe(one)
})

test('a manifest that comes later is found then', async () => {
  const setup = linesReleases()
  const bundles = new Bundles(setup.blobs)
  const { release } = await linesReleases().release({ 'a.txt': 'a=1' })
  await expect(bundles.get(release.manifest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await setup.release({ 'a.txt': 'a=1' })
  expect(hashesOf(await bundles.get(release.manifest))).toHaveLength(2)
})

test('any bundle that was cut or changed is refused or gives blobs whose lengths are within it', () => {
  const blob = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(fc.array(blob, { maxLength: 4 }), fc.nat(), fc.nat(255), (contents, at, byte) => {
      const bundle = Buffer.concat(contents.flatMap((each) => [Buffer.from(`${sha256(each)} ${each.length}\n`), each]))
      expect([...parseBundle(bundle)].map((each) => new Uint8Array(each.bytes))).toEqual(contents)
      const changed = Buffer.from(bundle)
      if (changed.length > 0) changed[at % changed.length] = byte
      for (const bad of [changed, bundle.subarray(0, at % (bundle.length + 1))]) {
        const found: Bundled[] = []
        try {
          for (const each of parseBundle(bad)) found.push(each)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT' })
        }
        expect(found.reduce((sum, each) => sum + each.bytes.length, 0)).toBeLessThanOrEqual(bad.length)
      }
    }),
  )
})
