import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GeoserverNode } from '../../../test/helpers/geoserver-node.ts'
import type { PendingRequest } from '../../core/release.ts'
import type { GeoserverConfig } from './config.ts'

interface Pair {
  readonly source: GeoserverNode
  readonly replica: GeoserverNode
}

/** A source and a replica that serve the same, in step with release 1. */
async function pair(settings: Partial<GeoserverConfig> = {}): Promise<Pair> {
  const source = new GeoserverNode().seed('one')
  await source.start()
  const replica = new GeoserverNode(settings).seed('two').shareKeystore(source)
  await replica.start()
  expect(await replica.turn(await source.release(1))).toMatchObject({ state: 'in-step', served: 1 })
  return { source, replica }
}

async function follow({ source, replica }: Pair, number = 2) {
  expect(await replica.digests(), 'something differs').not.toEqual(await source.digests())
  const report = await replica.turn(await source.release(number))
  expect(await replica.digests()).toEqual(await source.digests())
  expect(report).toMatchObject({ state: 'in-step', served: number, applied: number, version: '2.26.2' })
  return report
}

const SLD = '<StyledLayerDescriptor version="1.0.0"><!-- redder --></StyledLayerDescriptor>'
const STORE = `<dataStore><name>shp</name><connectionParameters><entry key="url">file:data/x</entry></connectionParameters></dataStore>`

describe('what is changed on the source is served by the replica', () => {
  test.for<[what: string, change: (source: GeoserverNode) => Promise<unknown>]>([
    [
      'a field of a layer',
      (s) => s.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>'),
    ],
    [
      'a title of a feature type',
      (s) =>
        s.rest(
          'PUT',
          '/rest/workspaces/w1/datastores/store/featuretypes/cities',
          '<featureType><title>New</title></featureType>',
        ),
    ],
    ['a workspace that is new', (s) => s.rest('POST', '/rest/workspaces', '<workspace><name>w3</name></workspace>')],
    ['a store', (s) => s.rest('POST', '/rest/workspaces/w2/datastores', STORE)],
    [
      'a global setting',
      (s) => s.rest('PUT', '/rest/settings', '<global><settings><numDecimals>3</numDecimals></settings></global>'),
    ],
    [
      'a setting of logging',
      (s) => s.rest('PUT', '/rest/logging', '<logging><level>VERBOSE_LOGGING</level></logging>'),
    ],
    [
      'a service of a workspace',
      (s) =>
        s.rest(
          'PUT',
          '/rest/services/wms/workspaces/w2/settings',
          '<wms><title>T</title><enabled>true</enabled><name>WMS</name></wms>',
        ),
    ],
    [
      'settings of a workspace',
      (s) => s.rest('PUT', '/rest/workspaces/w1/settings', '<settings><numDecimals>2</numDecimals></settings>'),
    ],
    [
      'the default workspace',
      (s) => s.rest('PUT', '/rest/workspaces/default', '<workspace><name>w2</name></workspace>'),
    ],
    [
      'what a style says',
      (s) => s.rest('PUT', '/rest/workspaces/w1/styles/burg?raw=true', SLD, 'application/vnd.ogc.sld+xml'),
    ],
    [
      'a style that is new',
      (s) => s.rest('POST', '/rest/workspaces/w1/styles?name=new', SLD, 'application/vnd.ogc.sld+xml'),
    ],
    [
      'a layer and groups that are gone',
      async (s) => {
        await s.rest('DELETE', '/rest/layergroups/all')
        await s.rest('DELETE', '/rest/workspaces/w1/layergroups/inner')
        return await s.rest('DELETE', '/rest/layers/w1:roads?recurse=true')
      },
    ],
    ['a group that is gone', (s) => s.rest('DELETE', '/rest/layergroups/all')],
    [
      'a workspace that is gone',
      async (s) => {
        await s.rest('DELETE', '/rest/layergroups/all')
        return await s.rest('DELETE', '/rest/workspaces/w2?recurse=true')
      },
    ],
    ['a template', async (s) => s.write('workspaces/w1/store/cities/content.ftl', '<b>${features?size}</b>')],
    ['a graphic', async (s) => s.write('workspaces/w1/styles/icon.svg', '<svg/>')],
    ['a graphic that is gone', async (s) => s.remove('workspaces/w1/styles/icon.svg')],
    ['a palette', async (s) => s.write('palettes/new.pal', '0xff0000')],
    ['a projection', async (s) => s.write('user_projections/epsg.properties', '1=GEOGCS[]\n')],
    ['an access rule', async (s) => s.write('security/layers.properties', 'mode=HIDE\nw1.*.r=ADMIN\n')],
    [
      'a security filter, which needs a reload',
      async (s) =>
        s.write(
          'security/filter/anonymous/config.xml',
          '<anonymousAuthentication><name>anonymous</name></anonymousAuthentication>',
        ),
    ],
    [
      'a service that REST does not know',
      async (s) => s.write('wps.xml', '<wps><id>wps</id><enabled>true</enabled><name>WPS</name></wps>'),
    ],
    [
      'settings of tiles',
      async (s) =>
        s.write(
          'gwc/geowebcache.xml',
          '<gwcConfiguration xmlns="http://geowebcache.org/schema/1.8.0"><version>1.8.0</version></gwcConfiguration>',
        ),
    ],
  ])('%s', async ([, change]) => {
    const both = await pair()
    await change(both.source)
    await follow(both)
  })

  test('a password alone, which no digest tells, is brought once', async () => {
    const both = await pair()
    const { source, replica } = both
    const [store, file] = ['/rest/workspaces/w1/datastores/pg', 'workspaces/w1/pg/datastore.xml']
    const saying = (password: string): string =>
      `<dataStore><name>pg</name><connectionParameters><entry key="passwd">${password}</entry></connectionParameters></dataStore>`
    await source.rest('POST', '/rest/workspaces/w1/datastores', saying('secret-1'))
    await follow(both)
    const before = replica.read(file)
    await source.rest('PUT', store, saying('secret-2'))
    expect(await replica.digests()).toEqual(await source.digests())
    const release = await source.release(3)
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step', served: 3 })
    const after = replica.read(file)
    expect(after).not.toEqual(before)
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step' })
    expect(await replica.turn(await source.release(4))).toMatchObject({ state: 'in-step', served: 4 })
    expect(replica.read(file)).toBe(after)
  })

  test('a field that was taken away', async () => {
    const both = await pair()
    const path = '/rest/workspaces/w1/datastores/store/featuretypes/cities'
    await both.source.rest('PUT', path, '<featureType><abstract>Something</abstract><title>T</title></featureType>')
    await follow(both)
    const file = 'workspaces/w1/store/cities/featuretype.xml'
    both.source.write(file, both.source.read(file).replace(/\s*<abstract>.*<\/abstract>/, ''))
    await follow(both, 3)
    expect(both.replica.read(file)).not.toContain('Something')
  })
})

describe('what only this node has', () => {
  const MINE = '<workspace><name>mine</name></workspace>'

  test('is left alone and told when it was there before releases came', async () => {
    const source = new GeoserverNode().seed('one')
    await source.start()
    const replica = new GeoserverNode().seed('two').shareKeystore(source)
    await replica.start()
    await replica.rest('POST', '/rest/workspaces', MINE)
    const report = await replica.turn(await source.release(1))
    expect(report).toMatchObject({ state: 'in-step', served: 1 })
    expect(report.warnings.filter(({ code }) => code === 'CATALOG_FOREIGN')).toMatchObject([
      { dataset: 'namespace/mine' },
      { dataset: 'workspace/mine' },
    ])
    await replica.target.catalog.takeOver()
    expect(await replica.turn(await source.release(1))).toMatchObject({ state: 'in-step', warnings: [] })
    expect(replica.has('workspaces/mine')).toBe(false)
    const kept = await replica.target.catalog.kept()
    expect(kept.map(({ key }) => key).toSorted()).toEqual(['namespace/mine', 'workspace/mine'])
    const bytes = await replica.target.catalog.readKept(kept.find(({ key }) => key === 'workspace/mine')?.sha256 ?? '')
    expect(Buffer.from(bytes).toString()).toContain('<name>mine</name>')
  })

  test('goes on a replica when it was made later, and is kept', async () => {
    const { source, replica } = await pair()
    await replica.rest('POST', '/rest/workspaces', MINE)
    await replica.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    await follow({ source, replica }, 1)
    const kept = await replica.target.catalog.kept()
    expect(kept.map(({ key }) => key).toSorted()).toEqual(['layer/w1:cities', 'namespace/mine', 'workspace/mine'])
  })

  test('is proposed on a source, and stays until it is in a release', async () => {
    const { source, replica } = await pair({ role: 'both' })
    await replica.rest('POST', '/rest/workspaces', MINE)
    const report = await replica.turn(await source.release(1))
    expect(report).toMatchObject({ state: 'pending', warnings: [] })
    const look = replica.target.catalog.look()
    expect(look?.differences).toMatchObject([
      { key: 'namespace/mine', decision: { do: 'propose' }, local: { path: 'workspaces/mine/namespace.xml' } },
      { key: 'workspace/mine', decision: { do: 'propose' } },
    ])
    expect(Buffer.from((await look?.tree.read('workspaces/mine/workspace.xml')) ?? []).toString()).toContain('mine')
    expect(await replica.turn(await replica.release(2))).toMatchObject({ state: 'in-step', served: 2 })
  })

  test('is a conflict when a release changes the same, until a person decides', async () => {
    const { source, replica } = await pair({ role: 'both' })
    await replica.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    await source.rest('PUT', '/rest/layers/w1:cities', '<layer><opaque>true</opaque></layer>')
    const release = await source.release(2)
    const report = await replica.turn(release)
    expect(report.state).toBe('failed')
    expect(report.items['layer/w1:cities']).toMatchObject({ state: 'failed', problem: { code: 'CATALOG_CONFLICT' } })
    await replica.target.catalog.decide(['layer/w1:cities'], 'revert')
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step', served: 2 })
    expect(await replica.digests()).toEqual(await source.digests())
    expect(await replica.target.catalog.kept()).toMatchObject([{ key: 'layer/w1:cities', release: 2 }])
  })

  test('stays where the configuration says so', async () => {
    const { source, replica } = await pair({ foreign: [{ path: 'workspaces/w1/**', policy: 'report' }] })
    await replica.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    const report = await replica.turn(await source.release(1))
    expect(report).toMatchObject({
      state: 'in-step',
      warnings: [{ code: 'CATALOG_FOREIGN', dataset: 'layer/w1:cities' }],
    })
    expect(replica.read('workspaces/w1/store/cities/layer.xml')).toContain('<queryable>false')
  })
})

describe('a reload of the catalog', () => {
  const WPS = '<wps><id>wps</id><enabled>true</enabled><name>WPS</name></wps>'
  const request: PendingRequest = { kind: 'reload', item: '*', flag: 'hard', author: 'x', atMs: 1, generation: 7 }
  /** Each counts the sequence up by 18, and nothing else here does by as much. */
  const reloads = (node: GeoserverNode): number => Math.floor((node.geoserver?.updateSequence ?? 0) / 18)

  test('waits until no proxy sends clients here, and says what to type', async () => {
    const both = await pair()
    const { source, replica } = both
    replica.traffic = 'open'
    source.write('wps.xml', WPS)
    await source.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    const report = await replica.turn(await source.release(2))
    expect(report).toMatchObject({ state: 'pending', served: 1, warnings: [{ code: 'CATALOG_RELOAD' }] })
    expect(report.warnings[0]?.hint).toContain('flotilla catalog reload')
    expect(replica.has('wps.xml')).toBe(false)
    expect(replica.read('workspaces/w1/store/cities/layer.xml')).toContain('<queryable>false')
    replica.traffic = 'drained'
    await follow(both)
  })

  test('is done at once where that is allowed, and never where it is forbidden', async () => {
    const always = await pair({ reload: 'always' })
    always.replica.traffic = 'open'
    always.source.write('wps.xml', WPS)
    await follow(always)
    const never = await pair({ reload: 'never' })
    never.source.write('wps.xml', WPS)
    expect(await never.replica.turn(await never.source.release(2))).toMatchObject({ state: 'pending', served: 1 })
  })

  test('brings many objects at once', async () => {
    const both = await pair({ reloadAbove: 3 })
    for (const name of ['a', 'b', 'c', 'd']) {
      await both.source.rest('POST', '/rest/workspaces', `<workspace><name>${name}</name></workspace>`)
    }
    both.replica.traffic = 'open'
    expect(await both.replica.turn(await both.source.release(2))).toMatchObject({ state: 'pending' })
    expect(both.replica.has('workspaces/a')).toBe(false)
    both.replica.traffic = 'drained'
    const before = reloads(both.replica)
    await follow(both)
    expect(reloads(both.replica)).toBe(before + 1)
    expect((await both.replica.rest('GET', '/rest/workspaces/d.xml')).status).toBe(200)
  })

  test('that is asked for is done once', async () => {
    const { source, replica } = await pair()
    const release = await source.release(1, [request])
    const before = reloads(replica)
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step' })
    replica.forget()
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step' })
    expect(reloads(replica)).toBe(before + 1)
  })

  test('on the source changes nothing', async () => {
    const { source, replica } = await pair()
    const before = await source.digests()
    await source.rest('POST', '/rest/reload')
    expect(await source.digests()).toEqual(before)
    const prepared = await replica.target.prepare(await source.release(2))
    const steps = replica.target.plan(prepared, await replica.target.observe(prepared))
    expect(steps.map(({ step }) => step)).toEqual(['record'])
  })
})

describe('a node in trouble', () => {
  test('a GeoServer that is down is an answer, and gets everything once it is back', async () => {
    const both = await pair()
    await both.replica.geoserver?.kill()
    await both.source.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    const report = await both.replica.turn(await both.source.release(2))
    expect(report).toMatchObject({ state: 'unproved', served: 0, error: { code: 'UNREACHABLE' } })
    await both.replica.start()
    await follow(both)
  })

  test.for([
    ['rest-401', { state: 'failed', error: { code: 'UNAUTHENTICATED' } }],
    ['rest-403', { state: 'failed', error: { code: 'FORBIDDEN' } }],
    ['rest-500', { state: 'unproved' }],
    ['down', { state: 'unproved' }],
    ['hang', { state: 'unproved' }],
  ] as const)('%s', async ([how, expected]) => {
    const both = await pair({ timeoutMs: 300 })
    await both.source.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
    both.replica.geoserver?.misbehave(how)
    const report = await both.replica.turn(await both.source.release(2))
    expect(report).toMatchObject(expected)
    expect(JSON.stringify(report)).not.toMatch(/<html|geoserver-password|Basic /)
    both.replica.geoserver?.misbehave('none')
    await follow(both)
  })

  test('a store that was encrypted with another keystore is a failed item that says so, and holds up nothing else', async () => {
    const source = new GeoserverNode().seed('one')
    await source.start()
    const replica = new GeoserverNode().seed('two')
    await replica.start()
    await replica.turn(await source.release(1))
    const store =
      '<dataStore><name>pg</name><connectionParameters><entry key="passwd">secret1</entry></connectionParameters></dataStore>'
    await source.rest('POST', '/rest/workspaces/w1/datastores', store)
    await source.rest('POST', '/rest/workspaces', '<workspace><name>w3</name></workspace>')
    const report = await replica.turn(await source.release(2))
    expect(report).toMatchObject({ state: 'failed', retrying: true })
    expect(report.items['datastore/w1:pg']).toMatchObject({ state: 'failed', problem: { code: 'CATALOG_REFUSED' } })
    expect(report.items['datastore/w1:pg']?.problem?.message).toMatch(/keystore/)
    expect(report.items['workspace/w3']).toEqual({ state: 'served' })
    expect(JSON.stringify(report)).not.toMatch(/crypt1:\w|secret1/)
    replica.setClock(6000)
    expect(await replica.turn(await source.release(2))).toMatchObject({ state: 'failed' })
    expect(await replica.turn(await source.release(2))).not.toHaveProperty('retrying')
  })

  test('a data directory that is not there, or has lost half of itself, is no deletion', async () => {
    const { source, replica } = await pair()
    const release = await source.release(2)
    replica.remove('workspaces')
    await expect(replica.turn(release)).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
    replica.remove('global.xml')
    await expect(replica.turn(release)).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
    replica.remove('.')
    await expect(replica.turn(release)).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  })

  test('what somebody makes in the moment between look and write is kept before it is overwritten', async () => {
    const { source, replica } = await pair()
    await source.rest('POST', '/rest/workspaces/w2/datastores', STORE)
    const release = await source.release(2)
    const { target } = replica
    const prepared = await target.prepare(release)
    const steps = target.plan(prepared, await target.observe(prepared))
    await replica.rest('POST', '/rest/workspaces/w2/datastores', STORE.replace('data/x', 'data/mine'))
    for (const step of steps) await target.apply(step)
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step', served: 2 })
    const [kept] = await target.catalog.kept()
    expect(kept).toMatchObject({ key: 'datastore/w2:shp', release: 2 })
    expect(Buffer.from(await target.catalog.readKept(kept?.sha256 ?? '')).toString()).toContain('data/mine')
  })

  test('a release that has less than half of the one before is brought all the same', async () => {
    const { source, replica } = await pair({ reload: 'always' })
    await source.geoserver?.kill()
    source.remove('workspaces/w2')
    source.remove('workspaces/w1/store')
    source.remove('workspaces/w1/styles')
    source.remove('gwc-layers')
    await source.start()
    expect(Object.keys(await source.digests()).length * 2).toBeLessThan(Object.keys(await replica.digests()).length)
    await follow({ source, replica })
  })

  test('a file that is half-written is no change', async () => {
    const { source, replica } = await pair({ role: 'both' })
    const file = 'workspaces/w1/store/cities/layer.xml'
    const whole = replica.read(file)
    for (const part of [whole.slice(0, 40), '']) {
      replica.write(file, part)
      const report = await replica.turn(await source.release(1))
      expect(report).toMatchObject({ state: 'in-step' })
      expect(replica.target.catalog.look()?.differences).toEqual([])
    }
    expect((await replica.report(await source.release(1))).warnings).toMatchObject([{ file, code: 'XML_MALFORMED' }])
  })

  test('a release of another version is refused as a whole, unless it is allowed', async () => {
    for (const [versions, state] of [
      [[], 'failed'],
      [['2.27'], 'in-step'],
    ] as const) {
      const { source, replica } = await pair({ versions: [...versions] })
      const release = await source.release(2)
      const gate = Buffer.from(JSON.stringify({ geoserver: '2.27.1', modules: ['gs-css'] }))
      const files = [...release.tree.files, { path: 'flotilla-geoserver.json', size: gate.byteLength, sha256: '' }]
      const read = async (path: string) => (path === 'flotilla-geoserver.json' ? gate : await release.tree.read(path))
      const report = await replica.turn({ ...release, tree: { files, read } })
      expect(report.state).toBe(state)
      if (state === 'failed') expect(report.error).toMatchObject({ code: 'CATALOG_VERSION' })
    }
  })

  test('a link that leads out of the data directory is neither read nor written through', async () => {
    const { source, replica } = await pair()
    replica.write('../outside/secret.svg', 'secret')
    replica.remove('workspaces/w1/styles/icon.svg')
    symlinkSync(join(replica.root, 'outside/secret.svg'), join(replica.directory, 'workspaces/w1/styles/icon.svg'))
    symlinkSync(join(replica.root, 'outside'), join(replica.directory, 'palettes'))
    source.write('palettes/new.pal', 'x')
    const release = await source.release(2)
    await expect(replica.turn(release)).rejects.toThrow('holds a link')
    expect(replica.read('../outside/secret.svg')).toBe('secret')
    expect(replica.has('../outside/new.pal')).toBe(false)
  })
})

describe('somebody who goes on editing while what was there a moment ago is released', () => {
  const path = (to: string): string => `<layer><path>/${to}</path></layer>`
  const ROADS = '/rest/layers/w1:roads'

  async function offering(node: GeoserverNode, number: number) {
    const release = await node.release(number)
    const { catalog } = node.target
    const differing = catalog.look()?.differences ?? []
    await catalog.offered(new Map(differing.map(({ key, local }) => [key, local?.digest])))
    return release
  }

  test('is in no conflict with it, and what was deleted since stays deleted', async () => {
    const { source, replica } = await pair({ role: 'both' })
    await replica.rest('PUT', ROADS, path('one'))
    await replica.rest('POST', '/rest/workspaces', '<workspace><name>brief</name></workspace>')
    await replica.turn(await source.release(1))
    const release = await offering(replica, 2)
    await replica.rest('PUT', ROADS, path('two'))
    await replica.rest('DELETE', '/rest/workspaces/brief')
    replica.forget()
    await replica.turn(release)
    const decisions = replica.target.catalog.look()?.differences.map(({ key, decision }) => [key, decision.do])
    expect(decisions).toEqual([
      ['layer/w1:roads', 'propose'],
      ['namespace/brief', 'propose'],
      ['workspace/brief', 'propose'],
    ])
    expect(replica.has('workspaces/brief')).toBe(false)
    expect(await replica.turn(await replica.release(3))).toMatchObject({ state: 'in-step', served: 3 })
  })

  test('gets an older release back, once it is asked for again', async () => {
    const { source, replica } = await pair({ role: 'both' })
    await replica.rest('PUT', ROADS, path('one'))
    await replica.turn(await source.release(1))
    const release = await offering(replica, 2)
    expect(await replica.turn(release)).toMatchObject({ state: 'in-step' })
    expect(await replica.turn(await source.release(3))).toMatchObject({ state: 'in-step', served: 3 })
    expect(await replica.digests()).toEqual(await source.digests())
  })
})
