import { describe, expect, test } from 'vitest'
import type { CatalogNodeAnswer } from '../src/core/api-catalog.ts'
import { CatalogServers, until } from './helpers/catalog-servers.ts'

const STYLES = [{ path: 'workspaces/*/styles/**', policy: 'report' }]
const sld = (name: string) => `<StyledLayerDescriptor version="1.0.0"><Name>${name}</Name></StyledLayerDescriptor>`

/** A source, and a replica that only reports what is done to styles of workspaces; both in step. */
async function two(mayRelease = true): Promise<CatalogServers> {
  const servers = await CatalogServers.open()
  const first = await servers.add('geo1', 'source')
  await until('released', async () => {
    const { out } = await servers.cli('catalog', 'status')
    return out.includes('IN STEP r1') ? undefined : out
  })
  await servers.add('geo2', 'replica', { like: first, foreign: STYLES, takeOver: true, mayRelease })
  await servers.inStep(1)
  return servers
}

async function countsOf(servers: CatalogServers, node: string): Promise<Record<string, number>> {
  const { nodes } = await servers.json<{ nodes: Partial<CatalogNodeAnswer>[] }>('catalog', 'status')
  return { ...nodes.find((one) => one.node === node)?.catalog?.counts }
}

async function waitFor(servers: CatalogServers, decision: string): Promise<void> {
  await until(`${decision} on geo2`, async () => {
    const counts = await countsOf(servers, 'geo2')
    return counts[decision] === 1 ? undefined : JSON.stringify(counts)
  })
}

describe('what is changed on a replica', { timeout: 120_000 }, () => {
  test('is told with its lines, and adopted, where it is what somebody saw', async () => {
    const servers = await two()
    const { geoserver } = servers.server('geo2')
    geoserver.write('workspaces/w1/styles/burg.sld', sld('red'))
    await waitFor(servers, 'report')
    const status = await servers.cli('catalog', 'status')
    expect(status).toMatchObject({ code: 3 })
    expect(status.out).toMatch(/geo2 +replica .* 1 of its own/)
    expect(status.out).toContain('keep it: flotilla catalog adopt file/workspaces/w1/styles/burg.sld --node geo2')
    const diff = await servers.cli('catalog', 'diff', '--node', 'geo2')
    expect(diff).toMatchObject({ code: 3 })
    expect(diff.out).toContain('<Name>red</Name>')
    expect(await servers.cli('catalog', 'why', 'w1:cities')).toMatchObject({ code: 0 })
    const why = await servers.cli('catalog', 'why', 'file/workspaces/w1/styles/burg.sld')
    expect(why).toMatchObject({ code: 3 })
    expect(why.out).toContain('geo2: changed there by somebody, and not released')
    expect((await servers.cli('catalog', 'adopt', 'file/burg.sld', '--node', 'geo2')).code).toBe(1)
    const adopted = await servers.cli('catalog', 'adopt', 'file/workspaces/w1/styles/burg.sld')
    expect(adopted).toMatchObject({ code: 0 })
    expect(adopted.out).toContain('r2 has file/workspaces/w1/styles/burg.sld of geo2')
    expect((await servers.cli('catalog', 'diff', 'r1', 'r2')).out).toContain('<Name>red</Name>')
    await servers.inStep(2)
    expect(servers.server('geo1').geoserver.read('workspaces/w1/styles/burg.sld')).toBe(sld('red'))
  })

  test('is not released by a node that may not', async () => {
    const servers = await two(false)
    servers.server('geo2').geoserver.write('workspaces/w1/styles/burg.sld', sld('red'))
    await waitFor(servers, 'report')
    const { code, err } = await servers.cli('catalog', 'adopt', 'file/workspaces/w1/styles/burg.sld')
    expect([code, err]).toEqual([6, expect.stringContaining('--source')])
    expect((await servers.cli('catalog', 'status')).out).toContain('geo2: its changes are not released')
  })

  test('is reverted, is kept, and can be looked at afterwards', async () => {
    const servers = await two()
    const { geoserver } = servers.server('geo2')
    geoserver.write('workspaces/w1/styles/burg.sld', sld('red'))
    await waitFor(servers, 'report')
    const reverted = await servers.cli('catalog', 'revert', '--all', '--node', 'geo2')
    expect(reverted).toMatchObject({ code: 0 })
    await servers.inStep(1)
    expect(geoserver.read('workspaces/w1/styles/burg.sld')).not.toContain('red')
    const kept = await servers.json<{ kept: { key: string; sha256: string }[] }>('catalog', 'kept', '--node', 'geo2')
    const version = kept.kept.find(({ key }) => key === 'file/workspaces/w1/styles/burg.sld')?.sha256 ?? ''
    const shown = await servers.cli('catalog', 'kept', version.slice(0, 10), '--node', 'geo2')
    expect(shown).toMatchObject({ code: 0 })
    expect(shown.out).toContain(sld('red'))
    const wrong = await servers.cli('catalog', 'kept', 'ffffffffffff', '--node', 'geo2')
    expect(wrong).toMatchObject({ code: 1 })
    expect(wrong.err).toContain('flotilla catalog kept --node geo2')
    expect((await servers.cli('catalog', 'revert', '--all', '--node', 'geo2')).out).toContain('nothing waits')
  })

  test('and by a release as well waits for somebody, and nobody decides on what is there no more', async () => {
    const servers = await two()
    const [first, second] = ['geo1', 'geo2'].map((name) => servers.server(name).geoserver)
    second?.write('workspaces/w1/styles/burg.sld', sld('red'))
    await waitFor(servers, 'report')
    first?.write('workspaces/w1/styles/burg.sld', sld('blue'))
    await waitFor(servers, 'conflict')
    const status = await servers.cli('catalog', 'status', '--node', 'geo2')
    expect(status).toMatchObject({ code: 3 })
    expect(status.out).toContain('stays as it is until somebody decides')
    const seen = await servers.json<{ nodes: CatalogNodeAnswer[] }>('catalog', 'status', '--node', 'geo2')
    const [one] = seen.nodes[0]?.catalog.differences ?? []
    expect(one).toMatchObject({ decision: 'conflict' })
    await servers.must(['catalog', 'revert', one?.key ?? ''])
    await servers.inStep(2)
    expect(second?.read('workspaces/w1/styles/burg.sld')).toBe(sld('blue'))
    const late = await servers.cli('catalog', 'revert', one?.key ?? '', '--node', 'geo2')
    expect(late).toMatchObject({ code: 1 })
    expect(late.err).toContain('do not differ')
  })
})

test('what only a new node has stays until it is taken over', { timeout: 120_000 }, async () => {
  const servers = await CatalogServers.open()
  const first = await servers.add('geo1', 'source')
  await until('released', async () => {
    const { out } = await servers.cli('catalog', 'status')
    return out.includes('IN STEP r1') ? undefined : out
  })
  const second = await servers.add('geo2', 'replica', { like: first, own: 'extra.svg' })
  await waitFor(servers, 'report')
  expect(second.geoserver.has('styles/extra.svg')).toBe(true)
  const done = await servers.cli('catalog', 'apply', '--take-over', '--node', 'geo2')
  expect(done).toMatchObject({ code: 0, out: 'geo2: done\n' })
  await servers.inStep(1)
  expect(second.geoserver.has('styles/extra.svg')).toBe(false)
  expect((await servers.cli('catalog', 'kept', '--node', 'geo2')).out).toContain('file/styles/extra.svg')
  const nobody = await servers.cli('catalog', 'apply', '--take-over', '--node', 'geo3')
  expect(nobody).toMatchObject({ code: 1 })
  expect(nobody.err).toContain('Those that do: geo1, geo2.')
})
