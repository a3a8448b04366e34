import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CatalogCluster, TREE } from '../../test/helpers/catalog-cluster.ts'
import { newSealCode } from '../lib/seal-code.ts'
import { provisionNode, shareKeystore } from './catalog-keystore.ts'

const SOON = { timeout: 30_000, interval: 50 }

test('whoever mistypes the code is told to ask anew, for the code shown before is of no use any more', async () => {
  const cluster = await CatalogCluster.open()
  const a = await cluster.add('a', 'source')
  a.start()
  await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(1)
  const b = await cluster.add('b', 'replica')
  const dataDirectory = join(b.geoserver.directory, 'new')
  const request = { tree: undefined, dataDirectory, version: undefined, replaceKeystore: false, from: 'a' }
  const making = provisionNode(b.config(), { ...request, code: newSealCode(), waitMs: 30_000 }, b.deps())
  const answer = making.catch((error: unknown) => error)
  const mistyped = { tree: TREE, receiver: 'b', code: newSealCode(), waitMs: 3000 }
  const share = async (): Promise<unknown> => await shareKeystore(a.config(), mistyped, a.deps()).catch(() => undefined)
  await expect.poll(share, { timeout: 30_000, interval: 300 }).toBe(false)
  const hint: unknown = expect.stringMatching(/provision. again.*new code/)
  expect(await answer).toMatchObject({ code: 'CORRUPT', details: { hint } })
}, 60_000)

test('a new node is made of what is released and of the keystore of another, and is in step at its first start', async () => {
  const cluster = await CatalogCluster.open()
  const a = await cluster.add('a', 'source')
  const posted = await a.geoserver.rest(
    'POST',
    '/rest/workspaces/w1/datastores',
    '<dataStore><name>pg</name><connectionParameters><entry key="passwd">plain:hunter2</entry></connectionParameters></dataStore>',
  )
  expect(posted.status).toBe(201)
  a.start()
  await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(1)
  const b = await cluster.add('b', 'replica')
  await b.geoserver.geoserver?.kill()
  const { directory } = b.geoserver
  rmSync(directory, { recursive: true })
  mkdirSync(directory)
  const code = newSealCode()
  const request = { tree: undefined, dataDirectory: undefined, version: undefined, replaceKeystore: false }
  const making = provisionNode(b.config(), { ...request, from: 'a', code, waitMs: 30_000 }, b.deps())
  making.catch(() => undefined)
  const share = async (): Promise<boolean> =>
    await shareKeystore(a.config(), { tree: TREE, receiver: 'b', code, waitMs: 30_000 }, a.deps()).catch(() => false)
  await expect.poll(share, { timeout: 30_000, interval: 300 }).toBe(true)
  expect(await making).toMatchObject({ release: 1, tree: TREE, dataDirectory: directory, keystore: 'placed' })
  expect((await cluster.hub.store.list('seal/a/')).entries).toEqual([])
  const keystore = 'security/geoserver.jceks'
  expect(readFileSync(join(directory, keystore))).toEqual(readFileSync(join(a.geoserver.directory, keystore)))
  await b.geoserver.start()
  b.start()
  await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
  expect((await b.geoserver.rest('GET', '/rest/workspaces/w1/datastores/pg.xml')).status).toBe(200)
  expect(await b.geoserver.digests()).toEqual(await a.geoserver.digests())
  expect(await cluster.releases()).toHaveLength(1)
  const all = [
    cluster.lines.join('\n'),
    cluster.hub.lines.map((line) => JSON.stringify(line)).join('\n'),
    (await cluster.hub.store.list('')).entries.map(({ value }) => value).join('\n'),
    JSON.stringify([
      await cluster.catalogs(),
      await cluster.hub.client.nodes(),
      await cluster.hub.client.diff(TREE, 0, 1),
    ]),
  ].join('\n')
  const bytes = readFileSync(join(directory, keystore))
  for (const secret of ['hunter2', code.reveal(), bytes.toString('base64'), bytes.toString('hex')]) {
    expect(all).not.toContain(secret)
  }
  expect(all).not.toMatch(/crypt1:[\w+/=]{4}/)
}, 90_000)
