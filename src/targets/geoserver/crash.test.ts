import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  afterTheStep,
  beforeTheStep,
  type Death,
  dyingAt,
  survived,
  unremembered,
} from '../../../test/helpers/dying.ts'
import { GeoserverNode } from '../../../test/helpers/geoserver-node.ts'
import type { StagedRelease } from '../../core/target.ts'

const GROUP = `<layerGroup><name>new</name><publishables><published type="layer"><name>w1:roads</name></published></publishables></layerGroup>`

/** One of everything; the second needs a reload, too, where that is wanted. */
async function releases(source: GeoserverNode, isReload: boolean): Promise<readonly [StagedRelease, StagedRelease]> {
  const one = await source.release(1)
  await source.rest('POST', '/rest/workspaces', '<workspace><name>w3</name></workspace>')
  await source.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
  await source.rest('POST', '/rest/workspaces/w1/layergroups', GROUP)
  await source.rest('DELETE', '/rest/layergroups/all')
  source.write('workspaces/w1/styles/icon.svg', '<svg/>')
  source.write('workspaces/w1/store/cities/content.ftl', 'x')
  if (isReload) source.write('wps.xml', '<wps><id>wps</id><enabled>true</enabled><name>WPS</name></wps>')
  return [one, await source.release(2)]
}

/** Crashes at every step of the way from release 1 to release 2, with something of the replica's own in the way of it. */
async function crashEverywhere(deathOn: (node: GeoserverNode) => Death, isReload = false): Promise<number> {
  const source = new GeoserverNode().seed('one')
  await source.start()
  const [one, two] = await releases(source, isReload)
  const node = new GeoserverNode().seed('two').shareKeystore(source)
  await node.start()
  const path = '/rest/workspaces/w2/datastores/store/featuretypes/cities'
  for (let nth = 1; ; nth++) {
    expect(await node.turn(one)).toMatchObject({ state: 'in-step', served: 1 })
    const foreign = `made on the replica before crash ${nth}`
    await node.rest('PUT', path, `<featureType><title>${foreign}</title></featureType>`)
    const isAlive = await survived(node.turn(two, dyingAt(node.makeTarget(), nth, deathOn(node))))
    node.forget()
    expect(await node.turn(two), `crash ${nth}`).toMatchObject({ state: 'in-step', applied: 2, served: 2 })
    expect(await node.digests()).toEqual(await source.digests())
    expect((await node.rest('GET', '/rest/workspaces/w3.xml')).status).toBe(200)
    const { catalog } = node.target
    const texts = await Promise.all((await catalog.kept()).map(async ({ sha256 }) => await catalog.readKept(sha256)))
    expect(texts.map((bytes) => Buffer.from(bytes).toString()).join('\n')).toContain(foreign)
    if (isAlive) return nth - 1
    node.forget()
  }
}

test('a crash before any step is followed by the same steps', { timeout: 120_000 }, async () => {
  expect(await crashEverywhere(() => beforeTheStep)).toBeGreaterThan(8)
})

test('a crash after any step', { timeout: 120_000 }, async () => {
  await crashEverywhere(() => afterTheStep)
})

test('a crash before or after any step of a reload', { timeout: 120_000 }, async () => {
  expect(await crashEverywhere(() => beforeTheStep, true)).toBeGreaterThan(3)
  await crashEverywhere(() => afterTheStep, true)
})

test('a crash in any step, after what it does and before that is remembered', { timeout: 120_000 }, async () => {
  await crashEverywhere(
    (node) => async (apply) => void (await unremembered(join(node.stateDir, 'geoserver.json'), apply)),
  )
})
