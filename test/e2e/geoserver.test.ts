import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { HubClient, join as joinHub } from '../../src/client/hub-client.ts'
import type { StagedRelease } from '../../src/core/target.ts'
import { readSecretFile } from '../../src/lib/secret-file.ts'
import { GeoserverNode } from '../helpers/geoserver-node.ts'
import { run, type Running, start } from '../helpers/program.ts'

const TREE = 'catalog'

/** Brings the contents of a release to the hub, and asks for it. */
async function release(client: HubClient, { tree }: StagedRelease, base: number): Promise<void> {
  const { missing } = await client.missingBlobs(tree.files.map(({ sha256 }) => sha256))
  for (const { path, sha256 } of tree.files) {
    if (missing.includes(sha256)) await client.putBlob(sha256, await tree.read(path))
  }
  const of = base === 0 ? {} : { base }
  await client.release(TREE, { kind: 'geoserver', files: tree.files, message: 'from the source', ...of })
}

test('a change of one GeoServer is served by every node, through a hub and agents', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-geoserver-'))
  const running: Running[] = []
  onTestFinished(async () => {
    await Promise.all(running.map(async (each) => await each.stop()))
    rmSync(folder, { recursive: true, force: true })
  })
  const launch = (...argv: readonly string[]): Running => {
    const program = start(argv, { cwd: folder, env: {} })
    running.push(program)
    return program
  }
  const hub = launch('up', '--data', join(folder, 'hub'), '--listen', '127.0.0.1:0')
  const [, url = ''] = await hub.line(/^hub +(http:\S+)$/)
  const token = await readSecretFile(join(folder, 'hub/admin.token'))
  const client = new HubClient({ url, token })
  const source = new GeoserverNode().seed('one')
  await source.start()
  await release(client, await source.release(1), 0)
  const env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: join(folder, 'hub/admin.token') }
  const replicas: GeoserverNode[] = []
  for (const name of ['gs1', 'gs2']) {
    const node = new GeoserverNode().seed(name).shareKeystore(source)
    replicas.push(node)
    await node.start()
    const code = (await run(['token', 'join-code'], { cwd: folder, env })).stdout.trim()
    const { token: credential } = await joinHub(url, { node: name, code })
    writeFileSync(join(node.root, 'credential'), credential, { mode: 0o600 })
    const target = {
      kind: 'geoserver',
      dataDirectory: node.directory,
      url: node.url,
      passwordFile: join(node.root, 'password'),
    }
    const config = {
      node: name,
      hub: url,
      state: node.stateDir,
      credentialFile: join(node.root, 'credential'),
      targets: { [TREE]: target },
    }
    writeFileSync(join(node.root, 'agent.yaml'), JSON.stringify(config))
    launch('agent', '--config', join(node.root, 'agent.yaml'))
  }
  const inStep = async (number: number): Promise<void> => {
    await expect
      .poll(async () => (await client.status(TREE)).summary, { timeout: 40_000, interval: 100 })
      .toBe(`IN STEP r${number}, 2/2 nodes prove it`)
  }
  await inStep(1)
  await source.rest('PUT', '/rest/layers/w1:cities', '<layer><queryable>false</queryable></layer>')
  await release(client, await source.release(2), 1)
  await inStep(2)
  for (const node of replicas) {
    expect(await node.digests()).toEqual(await source.digests())
    expect((await node.rest('GET', '/rest/layers/w1:cities.xml')).text).toContain('<queryable>false')
  }
  // What somebody changes on a replica is taken back by itself, and kept.
  const [first] = replicas
  await first?.rest('PUT', '/rest/layers/w1:roads', '<layer><opaque>true</opaque></layer>')
  await expect
    .poll(async () => await first?.digests(), { timeout: 20_000, interval: 100 })
    .toEqual(await source.digests())
  const state = readFileSync(join(first?.stateDir ?? '', 'targets', TREE, 'geoserver.json'), 'utf8')
  expect(state).toContain('layer/w1:roads')
})
