import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { GeoserverCluster, until } from '../helpers/geoserver-cluster.ts'
import type { GeoserverMachine } from '../helpers/geoserver-machine.ts'
import { openHaproxy } from '../helpers/haproxy.ts'
import { needs } from '../helpers/needs.ts'
import { openNginx } from '../helpers/nginx.ts'

/** Whoever asks for maps, features and tiles notices nothing of a change, nor of a reload. */

const test = await needs({ root: true, tools: ['nginx', 'haproxy'] })

const NAMES = ['a', 'b', 'c'] as const
const PROBE = '/geoserver/wms?request=GetCapabilities&probe=1'
const ASKED = [
  '/geoserver/wms?request=GetMap&layers=w1:cities&styles=',
  '/geoserver/wms?request=GetMap&layers=w1:inner&styles=',
  '/geoserver/wfs?request=GetFeature&typenames=w1:roads',
  '/geoserver/wms?request=GetCapabilities',
  '/geoserver/gwc/service/wms?layers=w2:cities&bbox=0,0,1,1',
]

/** What a proxy reaches a GeoServer through, which tells what it was asked meanwhile. */
interface Door {
  readonly url: string
  /** Requests of clients that were answered otherwise than they should. */
  readonly bad: string[]
  readonly answered: () => number
  close(): void
}

const closing: (() => Promise<void>)[] = []
const doors = new Map<string, Door>()
const fronts: { readonly kind: string; readonly port: number }[] = []
let cluster: GeoserverCluster
let a: GeoserverMachine

beforeAll(async () => {
  cluster = await GeoserverCluster.start()
  for (const name of NAMES) {
    let target: GeoserverMachine | undefined
    const door = await openDoor(() => target?.port ?? 0)
    doors.set(name, door)
    const role = name === 'a' ? ('both' as const) : ('replica' as const)
    const standin = ['--reload-ms', '1500']
    target = await cluster.addNode(name, { role, standin, settings: { serveUrl: door.url } as object })
  }
  a = cluster.machine('a')
  await cluster.inStep()
}, 120_000)

afterAll(async () => {
  for (const close of closing) await close()
  await cluster.stop()
  for (const door of doors.values()) door.close()
}, 60_000)

async function openDoor(port: () => number): Promise<Door> {
  const bad: string[] = []
  let answered = 0
  const server: Server = createServer((asked, response) => {
    const { method, url = '', headers } = asked
    const onward = request(
      { host: '127.0.0.1', port: port(), method, path: url, headers },
      (answer: IncomingMessage) => {
        answered += 1
        if (answer.statusCode !== 200 && !isProbe(url)) bad.push(`${url}: ${answer.statusCode}`)
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    asked.pipe(onward)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, bad, answered: () => answered, close: () => void server.close() }
}

/** That of the proxies, and the page that an agent has them ask for. */
function isProbe(url: string): boolean {
  return url.includes('probe=1') || url === '/geoserver/'
}

/** Asks again and again until it is over; answers what did not come as it should. */
async function hammer(
  origin: string,
  over: AbortSignal,
): Promise<{ readonly answers: number; readonly bad: readonly string[] }> {
  const bad: string[] = []
  let answers = 0
  for (let turn = 0; !over.aborted; turn++) {
    const path = ASKED[turn % ASKED.length] ?? ''
    try {
      const answer = await fetch(`${origin}${path}`)
      const text = await answer.text()
      answers += 1
      if (answer.status !== 200 || text.includes('ServiceException'))
        bad.push(`${path}: ${answer.status} ${text.slice(0, 200)}`)
    } catch (error) {
      bad.push(`${path}: ${String(error)}`)
    }
    await delay(2)
  }
  return { answers, bad }
}

test('while objects are changed one by one no request of a client fails', { timeout: 120_000 }, async () => {
  const over = new AbortController()
  const clients = cluster.machines.map(async ({ port }) => await hammer(`http://127.0.0.1:${port}`, over.signal))
  const before = await cluster.desired()
  const put = async (path: string, body: string): Promise<unknown> => await a.rest('PUT', path, body)
  const style = '<StyledLayerDescriptor version="1.0.0"><!-- CHANGE --></StyledLayerDescriptor>'
  for (let change = 1; change <= 6; change++) {
    await a.rest('POST', '/rest/workspaces', `<workspace><name>n${change}</name></workspace>`)
    await put('/rest/layers/w1:cities', `<layer><path>/${change}</path></layer>`)
    await put(
      '/rest/workspaces/w1/datastores/store/featuretypes/roads',
      `<featureType><title>${change}</title></featureType>`,
    )
    await a.rest(
      'PUT',
      '/rest/workspaces/w1/styles/burg?raw=true',
      style.replace('CHANGE', String(change)),
      'application/vnd.ogc.sld+xml',
    )
    await put('/rest/workspaces/w1/layergroups/inner', `<layerGroup><title>${change}</title></layerGroup>`)
    await put('/rest/settings', `<global><settings><numDecimals>${change}</numDecimals></settings></global>`)
    a.write('workspaces/w1/styles/icon.svg', `<svg>${change}</svg>`)
    a.write('workspaces/w1/store/cities/content.ftl', `<b>${change}</b>`)
    await a.rest('DELETE', `/rest/workspaces/n${change}?recurse=true`)
    await delay(300)
  }
  await cluster.inStep(before + 2)
  await cluster.same()
  over.abort()
  const seen = await Promise.all(clients)
  expect(seen.flatMap(({ bad }) => bad)).toEqual([])
  expect(Math.min(...seen.map(({ answers }) => answers))).toBeGreaterThan(100)
})

test(
  'while nodes are drained and reloaded one after the other the proxies send them nobody',
  { timeout: 180_000 },
  async () => {
    for (const kind of ['nginx', 'haproxy'] as const) {
      const proxy = kind === 'nginx' ? await openNginx() : await openHaproxy()
      closing.push(async () => await proxy.close())
      const front = {
        kind,
        ...proxy.config,
        tree: 'catalog',
        rules: ['geoserver:/geoserver'],
        probe: { path: PROBE, everyMs: 200 },
      }
      await cluster.addAgent(`${kind}1`, { proxies: { front } })
      fronts.push({ kind, port: proxy.port })
    }
    for (const { port } of fronts) {
      const reaches = async (): Promise<boolean> =>
        (await fetch(`http://127.0.0.1:${port}${ASKED[0]}`).catch(() => undefined))?.status === 200
      await until(reaches, () => `a proxy reaches nobody\n${cluster.said()}`)
    }
    await cluster.inStep()
    for (const door of doors.values()) door.bad.length = 0
    const over = new AbortController()
    const clients = fronts.map(async ({ port }) => await hammer(`http://127.0.0.1:${port}`, over.signal))
    const sequences = await Promise.all(cluster.machines.map(async (each) => await each.updateSequence()))
    // Only a reload brings it.
    a.write(
      'wps.xml',
      '<wps>\n  <id>wps</id>\n  <enabled>true</enabled>\n  <name>WPS</name>\n  <title>Ours</title>\n</wps>\n',
    )
    await until(
      async () => JSON.stringify(await cluster.status()).includes('CATALOG_RELOAD'),
      () => 'nobody says that a reload is needed',
    )
    expect(cluster.machine('b').has('wps.xml')).toBe(false)
    const { code, stdout, stderr } = await cluster.flotilla(
      'catalog',
      'reload',
      '--tree',
      'catalog',
      '--soak',
      '0s',
      '--wait',
      '--timeout',
      '100s',
    )
    expect(code, `${stdout}${stderr}${cluster.said()}`).toBe(0)
    await cluster.inStep()
    await cluster.same()
    over.abort()
    const seen = await Promise.all(clients)
    for (const [index, machine] of cluster.machines.entries())
      expect((await machine.updateSequence()) - (sequences[index] ?? 0), machine.name).toBeGreaterThanOrEqual(18)
    expect([...doors.values()].flatMap(({ bad }) => bad)).toEqual([])
    expect(seen.flatMap(({ bad }) => bad)).toEqual([])
    expect(Math.min(...seen.map(({ answers }) => answers))).toBeGreaterThan(100)
    expect(cluster.machine('b').read('wps.xml')).toContain('Ours')
  },
)
