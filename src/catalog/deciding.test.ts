import { mkdirSync, renameSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CatalogCluster, type CatalogNode, TREE } from '../../test/helpers/catalog-cluster.ts'
import { sha256 } from '../lib/hash.ts'

const SOON = { timeout: 30_000, interval: 50 }
const LONG = 90_000
const SLD = 'application/vnd.ogc.sld+xml'
const style = (text: string): string =>
  `<StyledLayerDescriptor version="1.0.0"><!-- ${text} --></StyledLayerDescriptor>`
const W1 = 'workspaces/w1/styles/burg.sld'

async function edit(node: CatalogNode, text: string, at = 'workspaces/w1/styles/burg'): Promise<void> {
  expect((await node.geoserver.rest('PUT', `/rest/${at}?raw=true`, style(text), SLD)).status).toBe(200)
}

async function two(roles: readonly ['source' | 'both', 'source' | 'both' | 'replica'], more = {}) {
  const cluster = await CatalogCluster.open()
  const a = await cluster.add('a', roles[0])
  const b = await cluster.add('b', roles[1], { like: a, ...more })
  a.start()
  await expect.poll(async () => await cluster.behind(), SOON).toHaveLength(1)
  b.start()
  await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
  return { cluster, a, b }
}

const decisionOf = async (node: CatalogNode): Promise<string | undefined> =>
  (await node.told())?.differences.map(({ key, decision }) => `${decision} ${key}`).join()

test(
  'a reload of a source or of a replica makes no release',
  async () => {
    const { cluster, a, b } = await two(['both', 'replica'])
    for (const node of [a, b, a]) expect((await node.geoserver.rest('POST', '/rest/reload')).status).toBe(200)
    await edit(a, 'the next one')
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect((await cluster.releases())[0]?.changes).toEqual({ added: 0, removed: 0, changed: 1 })
  },
  LONG,
)

test(
  'two sources that change different objects at the same time both arrive',
  async () => {
    const { cluster, a, b } = await two(['both', 'both'])
    await Promise.all([edit(a, 'from a'), edit(b, 'from b', 'workspaces/w2/styles/burg')])
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(3)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    for (const node of [a, b]) {
      expect(node.geoserver.read(W1)).toBe(style('from a'))
      expect(node.geoserver.read('workspaces/w2/styles/burg.sld')).toBe(style('from b'))
    }
    expect(await a.geoserver.digests()).toEqual(await b.geoserver.digests())
  },
  LONG,
)

test(
  'of two that change the same object the later one waits for a person, who adopts it',
  async () => {
    const { cluster, a, b } = await two(['both', 'both'])
    await b.stop()
    await edit(b, 'from b')
    await edit(a, 'from a')
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    b.start()
    await expect.poll(async () => await decisionOf(b), SOON).toBe(`conflict file/${W1}`)
    expect(b.geoserver.read(W1)).toBe(style('from b'))
    const [difference] = (await b.told())?.differences ?? []
    expect(difference).toMatchObject({ local: sha256(style('from b')), desired: sha256(style('from a')) })
    const wrong = await cluster.client.order(TREE, 'b', {
      order: 'adopt',
      choices: [{ key: `file/${W1}`, local: sha256('?') }],
    })
    expect((await cluster.client.outcome(TREE, 'b', wrong.id)).error?.code).toBe('CHANGED')
    const { key = '', local = '', desired = '' } = difference ?? {}
    const { id } = await cluster.client.order(TREE, 'b', { order: 'adopt', choices: [{ key, local, desired }] })
    expect(await cluster.client.outcome(TREE, 'b', id)).toMatchObject({ state: 'done' })
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(3)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect(a.geoserver.read(W1)).toBe(style('from b'))
  },
  LONG,
)

test(
  'a conflict that a person reverts is kept, and can be read from far away',
  async () => {
    const { cluster, a, b } = await two(['both', 'both'])
    await b.stop()
    await edit(b, 'from b')
    await edit(a, 'from a')
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    b.start()
    await expect.poll(async () => await decisionOf(b), SOON).toBe(`conflict file/${W1}`)
    const { key, local = '', desired = '' } = (await b.told())?.differences[0] ?? { key: '' }
    const { id } = await cluster.client.order(TREE, 'b', { order: 'revert', choices: [{ key, local, desired }] })
    expect(await cluster.client.outcome(TREE, 'b', id)).toMatchObject({ state: 'done' })
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect(b.geoserver.read(W1)).toBe(style('from a'))
    await expect.poll(async () => (await b.told())?.kept, SOON).toBe(1)
    const { kept } = await cluster.client.kept(TREE, 'b')
    expect(kept).toEqual([{ key, path: W1, sha256: local, atMs: expect.any(Number) as number, release: 2 }])
    const bytes = await cluster.client.version({ tree: TREE, node: 'b', sha256: local })
    expect(Buffer.from(bytes).toString()).toBe(style('from b'))
    expect(await cluster.releases()).toHaveLength(2)
  },
  LONG,
)

test(
  'by path, a replica reports, adopts as far as it may, or reverts; who may not release is told what to type',
  async () => {
    const foreign = [
      { path: 'workspaces/w1/**', policy: 'report' },
      { path: 'workspaces/w2/**', policy: 'adopt' },
    ]
    const { cluster, b } = await two(['source', 'replica'], { foreign })
    const before = b.geoserver.read('styles/burg.sld')
    await edit(b, 'told')
    await edit(b, 'not allowed', 'workspaces/w2/styles/burg')
    await edit(b, 'reverted', 'styles/burg')
    await expect
      .poll(async () => await decisionOf(b), SOON)
      .toBe(`report file/${W1},propose file/workspaces/w2/styles/burg.sld`)
    await expect.poll(async () => (await b.told())?.proposal.error?.code, SOON).toBe('FORBIDDEN')
    expect((await b.told())?.proposal.error?.hint).toContain(`flotilla token join-code --source ${TREE}`)
    await expect.poll(() => b.geoserver.read('styles/burg.sld'), SOON).toBe(before)
    expect(await cluster.releases()).toHaveLength(1)
  },
  LONG,
)

test(
  'a data directory that is not there, or half there, makes no release and deletes nothing',
  async () => {
    const { cluster, a, b } = await two(['source', 'replica'])
    const { directory } = a.geoserver
    renameSync(directory, `${directory}-away`)
    await expect
      .poll(async () => JSON.stringify((await cluster.hub.client.nodes()).nodes), SOON)
      .toContain('SOURCE_VANISHED')
    mkdirSync(directory)
    await edit(b, 'a moment later')
    await expect.poll(() => b.geoserver.read(W1), SOON).not.toContain('a moment later')
    expect(await cluster.releases()).toHaveLength(1)
    renameSync(directory, `${directory}-empty`)
    renameSync(`${directory}-away`, directory)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect(await cluster.releases()).toHaveLength(1)
  },
  LONG,
)

test(
  'more than half that was deleted on purpose goes from the releases once a person says so, and never without global.xml',
  async () => {
    const { cluster, a, b } = await two(['source', 'replica'])
    const errorOf = async (): Promise<string> => JSON.stringify((await cluster.hub.client.nodes()).nodes)
    const confirm = async (): Promise<string> =>
      (await cluster.client.order(TREE, 'a', { order: 'confirm-removal' })).id
    const global = a.geoserver.read('global.xml')
    a.geoserver.remove('workspaces')
    for (const folder of ['layergroups', 'gwc-layers']) a.geoserver.remove(folder)
    a.geoserver.remove('global.xml')
    await expect.poll(errorOf, SOON).toContain('has no global.xml')
    const early = await confirm()
    await expect
      .poll(async () => (await a.told())?.orders.find(({ id }) => id === early), SOON)
      .toMatchObject({ state: 'refused', error: { code: 'SOURCE_VANISHED' } })
    a.geoserver.write('global.xml', global)
    await expect.poll(errorOf, SOON).toContain('flotilla catalog adopt --confirm-removal')
    expect(await cluster.releases()).toHaveLength(1)
    await confirm()
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    await expect.poll(() => b.geoserver.has('workspaces/w1/workspace.xml'), SOON).toBe(false)
    expect((await cluster.releases())[0]?.changes).toMatchObject({ added: 0, changed: 0 })
  },
  LONG,
)

test(
  'a file that is half-written is no deletion, also for an agent that never saw it whole',
  async () => {
    const { cluster, a } = await two(['source', 'replica'])
    const path = 'workspaces/w1/store/roads/layer.xml'
    const whole = a.geoserver.read(path)
    await a.stop()
    a.geoserver.write(path, whole.slice(0, 40))
    a.start()
    await edit(a, 'another change')
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    expect((await cluster.releases())[0]?.changes).toEqual({ added: 0, removed: 0, changed: 1 })
    a.geoserver.write(path, whole)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect(await cluster.releases()).toHaveLength(2)
  },
  LONG,
)

test(
  'a deletion of much is refused until a person says that it is meant',
  async () => {
    const { cluster, a, b } = await two(['source', 'replica'])
    expect((await a.geoserver.rest('DELETE', '/rest/layergroups/all')).status).toBe(200)
    expect((await a.geoserver.rest('DELETE', '/rest/workspaces/w2?recurse=true')).status).toBe(200)
    await expect.poll(async () => (await a.told())?.proposal.error?.code, SOON).toBe('GUARD')
    await expect.poll(async () => (await a.told())?.counts.propose ?? 0, SOON).toBeGreaterThan(5)
    const differences = (await a.told())?.differences ?? []
    const choices = differences.map(({ key, desired = '' }) => ({ key, desired }))
    expect(differences.filter(({ local }) => local !== undefined)).toEqual([])
    const { id } = await cluster.client.order(TREE, 'a', { order: 'adopt', choices })
    expect(await cluster.client.outcome(TREE, 'a', id)).toMatchObject({ state: 'done' })
    await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect(b.geoserver.has('workspaces/w2/workspace.xml')).toBe(false)
  },
  LONG,
)

test(
  'a node with another keystore than the source says so before any store vanishes, without a word of what is in it',
  async () => {
    const cluster = await CatalogCluster.open()
    const [a, b] = [await cluster.add('a', 'source'), await cluster.add('b', 'replica')]
    a.start()
    await expect.poll(async () => (await a.told())?.keystore, SOON).toMatch(/^[0-9a-f]{16}$/)
    b.start()
    await expect
      .poll(async () => (await b.told())?.problems.map(({ code }) => code), SOON)
      .toContain('KEYSTORE_DIFFERS')
    expect((await b.told())?.keystore).not.toBe((await a.told())?.keystore)
  },
  LONG,
)
