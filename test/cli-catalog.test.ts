import { describe, expect, test } from 'vitest'
import { CatalogServers } from './helpers/catalog-servers.ts'

/** One server whose catalog was released from a copy of its own data directory. */
async function released(): Promise<CatalogServers> {
  const servers = await CatalogServers.open()
  const { geoserver } = await servers.add('geo1', 'replica')
  servers.folder('data', geoserver)
  await servers.must(['catalog', 'apply', 'data', '-m', 'as it was', '--wait'])
  servers.folder('new', geoserver, ({ write, read }) => {
    write('styles/burg.sld', '<StyledLayerDescriptor version="1.0.0"><Name>red</Name></StyledLayerDescriptor>')
    write('workspaces/w1/styles/icon.svg', '<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>')
    const type = 'workspaces/w1/store/cities/featuretype.xml'
    write(type, read(type).replace('Of w1', 'Cities of the world'))
    const store = 'workspaces/w1/store/datastore.xml'
    write(store, read(store).replace('db.invalid', 'postgres://anna:hunter2@db').replace('</conn', PASSWORD))
  })
  return servers
}

const PASSWORD = '<entry key="passwd">crypt1:topsecret</entry></conn'

describe('a catalog that was released', { timeout: 60_000 }, () => {
  test('is planned, compared and released from a data directory, and no secret is told', async () => {
    const servers = await released()
    const offline = await servers.cli('catalog', 'plan', 'new', '--against', 'data')
    expect(offline).toMatchObject({ code: 0 })
    expect(offline.out).toContain('2 over REST, live: datastore/w1:store, featuretype/w1:cities')
    expect(offline.out).toContain('1 over REST, through their style, live: file/styles/burg.sld')
    expect(offline.out).toContain('1 placed as files, read by themselves: file/workspaces/w1/styles/icon.svg')
    expect(offline.out).toContain('one reset')
    expect(offline.out).not.toContain('one reload')
    const plan = await servers.json<{ changes: { id: string; way: string }[]; truncated: string[] }>(
      'catalog',
      'plan',
      'new',
    )
    expect(plan.changes.map(({ id, way }) => [id, way])).toContainEqual(['file/styles/burg.sld', 'body'])
    expect(plan.truncated).toEqual(['all', 'w1:cities', 'w1:inner'])
    const diff = await servers.cli('catalog', 'diff', 'new')
    expect(diff.out).toContain('-   <title>Of w1</title>')
    expect(diff.out).toContain('+   <title>Cities of the world</title>')
    expect(diff.out).toContain('+     <entry key="passwd">(not shown)</entry>')
    const done = await servers.cli('catalog', 'apply', 'new', '-m', 'new style', '--dry-run')
    expect(done.out).toContain('dry run, nothing was changed')
    for (const { out, err } of [offline, diff, done]) expect(out + err).not.toMatch(/hunter2|topsecret/)
    expect((await servers.cli('catalog', 'status')).out).toContain('IN STEP r1')
  })

  test('goes to every node, and each command says how it stands', async () => {
    const servers = await released()
    servers.folder('next', servers.server('geo1').geoserver, ({ write }) => {
      write('styles/burg.sld', '<StyledLayerDescriptor version="1.0.0"><Name>blue</Name></StyledLayerDescriptor>')
    })
    const applied = await servers.cli('catalog', 'apply', 'next', '-m', 'blue', '--wait')
    expect(applied).toMatchObject({ code: 0 })
    expect(applied.out).toContain('1 changed live')
    expect(applied.out).toContain('undo: flotilla rollback r1 --tree catalog')
    expect(servers.server('geo1').geoserver.read('styles/burg.sld')).toContain('blue')
    const between = await servers.cli('catalog', 'diff')
    expect(between.out).toContain('r1 → r2: 1 object or file')
    expect(between.out).toContain('<Name>blue</Name>')
    expect((await servers.cli('status', '--tree', 'catalog')).out).toMatch(/NODE +STATE +RELEASE +OBJECTS +GEOSERVER/)
    const why = await servers.cli('catalog', 'why', 'w1:roads')
    expect(why).toMatchObject({ code: 0 })
    expect(why.out).toMatch(/geo1 +✓ served/)
    expect(why.out).toContain('style/burg')
    expect(why.out).toContain('file:data/w1  of datastore/w1:store')
    expect((await servers.cli('why', 'layer/w1:roads', '--tree', 'catalog')).out).toMatch(/geo1 +✓ served/)
  })

  test('has its tiles dropped and is read anew on every node, and that is no release', async () => {
    const servers = await released()
    const { geoserver } = servers.server('geo1')
    const truncated = await servers.cli('catalog', 'truncate', 'w1:cities', 'all', '--wait')
    expect(truncated).toMatchObject({ code: 0, err: 'done on 1 node\n' })
    const before = geoserver.geoserver?.updateSequence ?? 0
    const reloaded = await servers.cli('catalog', 'reload', '--wait', '--soak', '0s')
    expect(reloaded).toMatchObject({ code: 0 })
    // facts: a reload adds 18 to it.
    expect(geoserver.geoserver?.updateSequence).toBe(before + 18)
    const { out } = await servers.must(['history', '--tree', 'catalog', '--json'])
    expect((JSON.parse(out) as { releases: unknown[] }).releases).toHaveLength(1)
  })
})

describe('mistakes', { timeout: 60_000 }, () => {
  test.for([
    [['catalog', 'apply'], 2, 'Name a data directory, or give --take-over.'],
    [['catalog', 'apply', 'data', '--take-over'], 2, '--take-over goes without a folder'],
    [['catalog', 'apply', 'data'], 2, '-m is missing'],
    [['catalog', 'apply', 'data', '-m', 'x', '--node', 'geo1'], 2, 'To let one node go first: --canary 1.'],
    [['catalog', 'truncate'], 2, 'Name them, or give --all.'],
    [['catalog', 'truncate', 'x', '--all'], 2, '--all and layers exclude each other'],
    [['catalog', 'adopt'], 2, 'adopt what?'],
    [['catalog', 'revert', 'style/burg', '--timeout', 'soon'], 2, '--timeout takes a time'],
    [['catalog', 'diff', 'r1', '--node', 'geo1'], 2, 'name no other'],
    [['catalog', 'plan', '--against', 'data'], 2, 'name that, too'],
    [['catalog', 'kept'], 2, '--node'],
    [['catalog', 'stauts'], 2, 'Did you mean "catalog status"?'],
  ] as const)('%o is refused before anything is asked', async ([argv, code, words]) => {
    const { runCli } = await import('./helpers/cli.ts')
    const done = await runCli(argv, { env: { FLOTILLA_URL: 'http://127.0.0.1:1' } })
    expect(done.err).toContain(words)
    expect(done.code).toBe(code)
  })

  test('what is not there is told with what was meant', async () => {
    const servers = await released()
    const said = async (...argv: readonly string[]) => {
      const { code, err } = await servers.cli(...argv)
      return [code, err] as const
    }
    expect(await said('catalog', 'why', 'cities')).toEqual([
      1,
      expect.stringContaining('Say with its workspace: w1:cities, w2:cities.'),
    ])
    expect(await said('catalog', 'truncate', 'w1:citys')).toEqual([
      1,
      expect.stringContaining('Did you mean "w1:cities"?'),
    ])
    expect(await said('catalog', 'diff', 'new', '--key', 'style/none')).toEqual([
      1,
      expect.stringContaining('does not differ'),
    ])
    expect(await said('catalog', 'status', '--node', 'geo9')).toEqual([1, expect.stringContaining('geo9')])
    expect(await said('catalog', 'diff', 'r7', 'r8')).toEqual([1, expect.stringContaining('r7')])
    expect(await said('catalog', 'apply', 'nowhere', '-m', 'x')).toEqual([
      4,
      expect.stringContaining('the folder that has global.xml'),
    ])
    const empty = await servers.cli('catalog', 'diff', '--tree', 'other')
    expect(empty).toMatchObject({ code: 1 })
    expect(empty.err).toContain('flotilla catalog apply DIR -m TEXT')
  })

  test('a data directory with a half-written file is refused as a whole, with the place', async () => {
    const servers = await released()
    const { geoserver } = servers.server('geo1')
    servers.folder('broken', geoserver, ({ write }) => write('styles/burg.xml', '<style><name>bu'))
    const { code, err } = await servers.cli('catalog', 'apply', 'broken', '-m', 'x')
    expect(code).toBe(4)
    expect(err).toMatch(/styles\/burg\.xml:1:\d+: error:/)
    expect(err).toContain('Mend the files.')
    expect(err).not.toContain('--quarantine')
    servers.folder('less', geoserver, ({ remove }) => {
      for (const path of ['workspaces/w2', 'layergroups', 'gwc-layers']) remove(path)
    })
    const guarded = await servers.cli('catalog', 'apply', 'less', '-m', 'x')
    expect(guarded).toMatchObject({ code: 4 })
    expect(guarded.err).toContain('--confirm-removal')
  })
})
