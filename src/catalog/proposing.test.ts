import { describe, expect, test } from 'vitest'
import { CatalogCluster, TREE } from '../../test/helpers/catalog-cluster.ts'

const SOON = { timeout: 30_000, interval: 50 }
const STYLE = '<StyledLayerDescriptor version="1.0.0"><!-- 2 --></StyledLayerDescriptor>'

describe('a source', () => {
  test('makes the first release of everything it has, and each edit the next one, which a replica takes', async () => {
    const cluster = await CatalogCluster.open()
    const a = await cluster.add('a', 'source')
    const b = await cluster.add('b', 'replica', { like: a })
    a.start()
    b.start()
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    const [first] = await cluster.releases()
    expect(first).toMatchObject({ number: 1, author: 'node a', message: 'the data directory of node a' })
    const answer = await a.geoserver.rest(
      'PUT',
      '/rest/workspaces/w1/styles/burg?raw=true',
      STYLE,
      'application/vnd.ogc.sld+xml',
    )
    expect(answer.status).toBe(200)
    await expect.poll(async () => (await cluster.releases())[0]?.number, SOON).toBe(2)
    await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
    expect((await cluster.releases())[0]).toMatchObject({
      author: 'node a',
      message: expect.stringContaining('on node a') as string,
    })
    expect(b.geoserver.read('workspaces/w1/styles/burg.sld')).toBe(STYLE)
    await expect.poll(async () => (await a.told())?.proposal, SOON).toEqual({ state: 'none', released: 2 })
    const { files } = await import('../releases/manifest.ts').then(async ({ parseManifest }) => {
      const record = await cluster.hub.client.releaseRecord(TREE, 2)
      const chunks: Uint8Array[] = []
      for await (const chunk of await cluster.hub.client.openBlob(record.manifest)) chunks.push(chunk)
      return parseManifest(Buffer.concat(chunks))
    })
    expect(files.map(({ path }) => path)).toContain('flotilla-geoserver.json')
    expect(cluster.errors).toEqual([])
  }, 60_000)
})
