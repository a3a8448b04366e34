import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { GeoserverNode } from '../../test/helpers/geoserver-node.ts'
import { idsWith, smallDirectory } from '../../test/helpers/geoserver-directory.ts'
import { HubClient } from '../client/hub-client.ts'
import { hubSchema } from '../config/hub.ts'
import { silent } from '../core/log.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { systemClock } from '../lib/system-clock.ts'
import { runHub } from './hub.ts'

const SOON = { timeout: 30_000, interval: 50 }

test('a data directory in a checkout of git is released in the form that suits every node, and each change of it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'geoserver-source-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const checkout = join(root, 'checkout')
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(checkout, path)), { recursive: true })
    writeFileSync(join(checkout, path), content)
  }
  for (const [path, content] of smallDirectory(idsWith('git'))) write(path, content)
  write('security/geoserver.jceks', 'never in a release')
  write('data/big.bin', 'data is no configuration')
  execFileSync('git', ['init', '-q', checkout])
  write('.git/hooks/content.ftl', 'no template')
  const stop = new AbortController()
  const config = hubSchema.parse({
    data: join(root, 'hub'),
    listen: '127.0.0.1:0',
    sources: { gs: { folder: checkout, kind: 'geoserver', interval: '1s' } },
  })
  const { promise, resolve } = Promise.withResolvers<HubClient>()
  const deps = { clock: systemClock, log: silent, signal: stop.signal, base: root }
  const running = runHub(config, deps, async ({ url, tokenFile }) => {
    resolve(new HubClient({ url, token: await readSecretFile(tokenFile) }))
  })
  const client = await promise
  try {
    await expect.poll(async () => (await client.history('gs')).releases.length, SOON).toBe(1)
    const { files } = await client.diff('gs', 0, 1)
    const paths = files.map(({ path }) => path)
    expect(paths).toContain('gwc-layers/w1%3Acities.xml')
    expect(paths.filter((path) => /\.git|jceks|^data\//.test(path))).toEqual([])
    const { items } = await client.items('gs')
    const other = new GeoserverNode().seed('another')
    const digests = await other.digests()
    expect(items.map(({ id }) => id).toSorted()).toEqual(Object.keys(digests).toSorted())
    const layers = items.filter(({ type }) => type === 'layer' || type === 'tile-layer')
    expect(layers.every(({ id, digest }) => digests[id] === digest)).toBe(true)
    expect(layers.length).toBeGreaterThan(5)
    write(
      'workspaces/w1/styles/burg.sld',
      '<StyledLayerDescriptor version="1.0.0"><!-- new --></StyledLayerDescriptor>',
    )
    await expect.poll(async () => (await client.history('gs')).releases[0]?.number, SOON).toBe(2)
    const path = 'workspaces/w1/store/roads/layer.xml'
    const whole = readFileSync(join(checkout, path))
    write(path, whole.subarray(0, 30))
    await expect.poll(async () => (await client.status('gs')).folder?.state, SOON).toBe('refused')
    expect((await client.history('gs')).releases).toHaveLength(2)
  } finally {
    client.close()
    stop.abort()
    await running
  }
}, 60_000)
