import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { agentSchema } from '../src/config/agent.ts'
import { CatalogServers } from './helpers/catalog-servers.ts'
import { runCli } from './helpers/cli.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { idsWith, smallDirectory } from './helpers/geoserver-directory.ts'

function directory(folder: string, salt: string, more: Readonly<Record<string, string>> = {}): string {
  for (const [path, text] of [...smallDirectory(idsWith(salt)), ...Object.entries(more)]) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

test('two data directories are looked at: what would be released, what is left out and why, what differs', async () => {
  const root = temporaryFolder()
  const one = directory(join(root, 'geo1/data'), 'one', {
    'security/geoserver.jceks': 'first',
    'logs/geoserver.log': 'x',
    'data/states.shp': 'x',
    'cluster/cluster.properties': 'instanceName=a\nbrokerURL=tcp://user:hunter2@broker\n',
    'styles/old.sld.bak': 'x',
  })
  const two = directory(join(root, 'geo2/data'), 'two', { 'security/geoserver.jceks': 'second' })
  writeFileSync(join(two, 'styles/burg.sld'), '<StyledLayerDescriptor version="1.1.0"/>')
  rmSync(join(two, 'workspaces/w1/styles/icon.svg'))
  const { code, out } = await runCli(['adopt', 'geo1', two], { cwd: root })
  expect(code).toBe(0)
  expect(out).toContain(`GeoServer 1: ${one}`)
  expect(out).toMatch(/would be released {2}.*2 workspace/)
  expect(out).toContain('left out  security/geoserver.jceks  (keystore and master password')
  expect(out).toContain('left out  data/  (data: distributed as files')
  expect(out).toContain('left out  styles/old.sld.bak')
  expect(out).toContain('docs/how-to/moving-from-geoserver-jms.md')
  expect(out).toContain('it lacks 1: file/workspaces/w1/styles/icon.svg')
  expect(out).toContain('it has unlike')
  expect(out).toContain('file/styles/burg.sld')
  expect(out).toContain('it has another keystore')
  expect(out).toContain(`flotilla join URL CODE --node NAME --geoserver-data ${one} --role source`)
  expect(out).not.toContain('hunter2')
  const json = await runCli(['adopt', 'geo1', '--json'], { cwd: root })
  expect(JSON.parse(json.out)).toMatchObject({ geoserver: { directories: [{ folder: one, hasJms: true }] } })
  const none = await runCli(['adopt', join(one, 'data')], { cwd: root })
  expect(none).toMatchObject({ code: 1 })
  expect(none.out).toContain('no GeoServer under')
})

test('join writes a configuration that an agent takes, and refuses what cannot work before the code is used', async () => {
  const servers = await CatalogServers.open()
  const { folder } = servers.hub
  const data = directory(join(folder, 'data'), 'one')
  mkdirSync(join(folder, 'other'))
  writeFileSync(join(folder, 'other/x'), '')
  writeFileSync(join(folder, 'password'), 'geoserver\n', { mode: 0o600 })
  writeFileSync(join(folder, 'open'), 'geoserver\n', { mode: 0o644 })
  const code = (await servers.must(['token', 'join-code'])).out.split('\n')[0] ?? ''
  const join_ = async (...options: readonly string[]) =>
    await servers.cli('join', servers.hub.url, code, '--node', 'geo1', '--state', 'state', '--no-start', ...options)
  const url = ['--geoserver-url', 'http://127.0.0.1:8080/geoserver']
  for (const [options, words] of [
    [['--geoserver-data', 'data'], '--geoserver-url is missing'],
    [['--geoserver-data', 'data', ...url], '--geoserver-password-file is missing'],
    [url, '--geoserver-data is missing'],
    [['--geoserver-data', 'other', ...url, '--geoserver-password-file', 'password'], 'is no data directory'],
    [['--geoserver-data', 'data', ...url, '--geoserver-password-file', 'open'], 'chmod 600'],
    [['--geoserver-data', 'data', ...url, '--geoserver-password-file', 'none'], 'none'],
    [['--geoserver-data', 'data', ...url, '--geoserver-password-file', 'password', '--role', 'king'], 'replica'],
  ] as const) {
    const refused = await join_(...options)
    expect([refused.code === 0, refused.err]).toEqual([false, expect.stringContaining(words)])
  }
  const joined = await join_(
    '--geoserver-data',
    'data',
    ...url,
    '--geoserver-password-file',
    'password',
    '--role',
    'both',
  )
  expect(joined).toMatchObject({ code: 0 })
  const config = agentSchema.parse(parse(readFileSync(join(folder, 'state/agent.yaml'), 'utf8')))
  expect(config.targets['catalog']).toMatchObject({ kind: 'geoserver', role: 'both', dataDirectory: data })
})

test('the doctor sees what is wrong with a GeoServer, and with two that are unlike', { timeout: 60_000 }, async () => {
  const servers = await CatalogServers.open()
  const first = await servers.add('geo1', 'source')
  await servers.inStep(1)
  const doctor = async () => await servers.cli('doctor', '--tree', 'catalog')
  const well = await doctor()
  expect(well).toMatchObject({ code: 0 })
  expect(well.out).toMatch(/✓ ok {4}catalog: whole: \d+ objects and files/)
  expect(well.out).toContain('✓ ok    GeoServer answers: version 2.26.2')
  expect(well.out).toContain('✓ ok    GeoServer: 1 node of version 2.26.2')
  expect(well.out).toContain('✓ ok    GeoWebCache')
  const { geoserver } = first
  geoserver.write('styles/half.xml', '<style><na')
  geoserver.write(
    'workspaces/w1/store/datastore.xml',
    geoserver.read('workspaces/w1/store/datastore.xml').replace('db.invalid', '${db}'),
  )
  geoserver.geoserver?.misbehave('rest-401')
  const ill = await doctor()
  expect(ill).toMatchObject({ code: 1 })
  expect(ill.out).toMatch(/✗ FAIL {2}catalog: .*styles\/half\.xml/)
  expect(ill.out).toMatch(/✗ FAIL {2}GeoServer answers: .*does not take the password/)
  geoserver.remove('styles/half.xml')
  await servers.add('geo2', 'replica')
  geoserver.geoserver?.misbehave('down')
  const down = await doctor()
  expect(down.out).toContain('ALLOW_ENV_PARAMETRIZATION=true')
  expect(down.out).toMatch(/✗ FAIL {2}GeoServer answers: no answer from/)
  expect(down.out).toMatch(/✗ FAIL {2}keystores: geo2 has another keystore than geo1/)
})
