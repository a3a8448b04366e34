import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fixedPort } from '../helpers/fixed-port.ts'
import { GeoserverCluster, until } from '../helpers/geoserver-cluster.ts'
import { type GeoserverMachine, PASSWORD } from '../helpers/geoserver-machine.ts'

/**
 * What GeoServer's own JMS clustering does not do, or does wrongly, each under the name that docs/how-to/moving-from-geoserver-jms.md gives
 * it (L1 to L7, B1 to B19), shown to be done. Two nodes that people edit, `a` and `c`, and a replica, `b`.
 */

const SLD = 'application/vnd.ogc.sld+xml'
const LONG = { timeout: 90_000 }

let cluster: GeoserverCluster
let a: GeoserverMachine
let b: GeoserverMachine
let c: GeoserverMachine

const sld = (what: string): string =>
  `<StyledLayerDescriptor version="1.0.0" xmlns:xlink="http://www.w3.org/1999/xlink"><Title>${what}</Title><OnlineResource xlink:href="icon.svg"/></StyledLayerDescriptor>`

/** Does it, and waits until it is released and every node serves the same. */
async function spread(change: () => unknown): Promise<number> {
  const before = await cluster.desired()
  await change()
  const number = await cluster.inStep(before + 1)
  await cluster.same()
  return number
}

beforeAll(async () => {
  cluster = await GeoserverCluster.start()
  const data = (name: string): string => join(cluster.folder, name, 'data/data')
  const serves = { files: { listen: `127.0.0.1:${await fixedPort()}`, trees: { data: { folder: data('a') } } } }
  a = await cluster.addNode('a', {
    role: 'both',
    agent: serves,
    fill: (each) => each.seed().write('data/README', 'data'),
  })
  const pulls = { data: { kind: 'files', from: ['cluster'], folder: data('b'), interval: '1s' } }
  b = await cluster.addNode('b', { settings: { retryMs: 300 }, targets: pulls })
  c = await cluster.addNode('c', { role: 'both' })
  await cluster.inStep()
  await cluster.same()
}, 120_000)

afterAll(async () => await cluster.stop(), 60_000)

test('L1: the data that a store refers to travels as well', LONG, async () => {
  const shape = Buffer.from([0, 0, 39, 10, 1, 2, 3])
  const store =
    '<dataStore><name>shapes</name><connectionParameters><entry key="url">file:data/shapes</entry></connectionParameters></dataStore>'
  await spread(async () => {
    a.write('data/shapes/states.shp', shape)
    await a.rest('POST', '/rest/workspaces/w1/datastores', store)
  })
  await until(
    async () => b.has('data/shapes/states.shp'),
    () => 'the data did not arrive',
  )
  expect(readFileSync(join(b.directory, 'data/shapes/states.shp'))).toEqual(shape)
  expect((await b.rest('GET', '/rest/workspaces/w1/datastores/shapes.xml')).text).toContain('file:data/shapes')
})

test('L2: a graphic of a style travels with it, also when only its contents change', LONG, async () => {
  await spread(async () => {
    a.write('workspaces/w1/styles/icon.svg', '<svg>one</svg>')
    await a.rest('PUT', '/rest/workspaces/w1/styles/burg?raw=true', sld('with an icon'), SLD)
  })
  const before = await b.map('w1:cities')
  await spread(async () => {
    a.write('workspaces/w1/styles/icon.svg', '<svg>two</svg>')
    await a.rest('POST', '/rest/reset')
  })
  expect(await b.map('w1:cities')).toBe(await a.map('w1:cities'))
  expect(await b.map('w1:cities')).not.toBe(before)
})

test('L3: a Freemarker template travels, is changed and is deleted', LONG, async () => {
  const file = 'workspaces/w1/store/roads/content.ftl'
  await spread(() => a.write(file, '<b>${features?size}</b>'))
  expect(b.read(file)).toBe('<b>${features?size}</b>')
  await spread(() => a.remove(file))
  expect(b.has(file)).toBe(false)
})

test('L4: settings of a tile layer travel, and stale tiles go on every node', LONG, async () => {
  await spread(async () => {
    a.write('workspaces/w1/styles/icon.svg', '<svg>of tiles</svg>')
    await a.rest('PUT', '/rest/workspaces/w1/styles/burg?raw=true', sld('for tiles'), SLD)
  })
  for (const each of [a, b, c]) await each.tile('w1:cities')
  expect((await b.tile('w1:cities')).result).toBe('HIT')
  const before = (await b.tile('w1:cities')).image
  await spread(async () => {
    const { text } = await a.rest('GET', '/gwc/rest/layers/w1:cities.xml')
    const changed = text.replace('</mimeFormats>', '<string>image/jpeg</string></mimeFormats>')
    expect(changed).not.toBe(text)
    await a.rest('PUT', '/gwc/rest/layers/w1:cities.xml', changed)
  })
  expect((await b.rest('GET', '/gwc/rest/layers/w1:cities.xml')).text).toContain('image/jpeg')
  await spread(async () => {
    a.write('workspaces/w1/styles/icon.svg', '<svg>three</svg>')
    await a.rest('POST', '/rest/reset')
  })
  await until(
    async () => (await b.tile('w1:cities')).image !== before,
    () => 'b still has the old tile',
  )
})

test('L4: what an operator truncates is truncated on every node', LONG, async () => {
  for (const each of [a, b, c]) await each.tile('w1:cities')
  for (const each of [a, b, c]) expect((await each.tile('w1:cities')).result).toBe('HIT')
  await cluster.client.request('catalog', { datasets: ['layer/w1:cities'], kind: 'clear-cache' })
  for (const each of [a, b, c]) {
    await until(
      async () => (await each.tile('w1:cities')).result !== 'HIT',
      () => `${each.name} still has its tiles`,
    )
  }
})

test.for([['a'], ['b'], ['c']])(
  'L5: a reload of the catalog on %s, be it source or replica, makes no release and changes nothing elsewhere',
  LONG,
  async ([name = '']) => {
    const number = await cluster.inStep()
    const others = [a, b, c].filter((each) => each.name !== name)
    const before = await Promise.all(others.map(async (each) => await each.updateSequence()))
    const own = await cluster.machine(name).updateSequence()
    await cluster.machine(name).rest('POST', '/rest/reload')
    expect(await cluster.machine(name).updateSequence()).toBe(own + 18)
    await cluster.lookedAgain()
    expect(await cluster.desired()).toBe(number)
    expect(await Promise.all(others.map(async (each) => await each.updateSequence()))).toEqual(before)
    expect(await cluster.machine(name).updateSequence()).toBe(own + 18)
  },
)

test('L6 and B1: what is changed on a replica is taken back and kept, and never released', LONG, async () => {
  // B1 began with the first change that a replica was sent.
  await spread(async () => await a.rest('POST', '/rest/workspaces', '<workspace><name>sent</name></workspace>'))
  const number = await cluster.desired()
  await b.rest('POST', '/rest/workspaces', '<workspace><name>mine</name></workspace>')
  await b.rest('PUT', '/rest/layers/w1:roads', '<layer><opaque>true</opaque></layer>')
  await cluster.same()
  expect(b.has('workspaces/mine')).toBe(false)
  expect(await cluster.inStep()).toBe(number)
  await until(
    async () => {
      const { kept } = await cluster.catalog.kept('catalog', 'b')
      return ['layer/w1:roads', 'workspace/mine'].every((key) => kept.some((one) => one.key === key))
    },
    () => 'what was overwritten is not kept',
  )
})

test('L7 and B10: every node has a data directory of its own, and in it what belongs to the node', LONG, async () => {
  const own = (each: GeoserverMachine): readonly string[] => [
    each.read('global.xml').match(/<proxyBaseUrl>.*</)?.[0] ?? '',
    each.read('logging.xml').match(/<location>.*</)?.[0] ?? '',
  ]
  const before = [a, b, c].map(own)
  expect(new Set(before.map(([url]) => url)).size).toBe(3)
  await spread(async () => {
    const settings = '<global><settings><numDecimals>4</numDecimals></settings></global>'
    const text = a.read('global.xml').match(/<proxyBaseUrl>.*<\/proxyBaseUrl>/)?.[0] ?? ''
    await a.rest('PUT', '/rest/settings', settings.replace('</settings>', `${text}</settings>`))
    await a.rest('PUT', '/rest/logging', '<logging><level>VERBOSE_LOGGING</level></logging>')
  })
  expect(b.read('global.xml')).toContain('<numDecimals>4<')
  expect(b.read('logging.xml')).toContain('VERBOSE')
  expect([a, b, c].map(own)).toEqual(before)
})

test('B2: of two layers of one name the one that was changed is changed', LONG, async () => {
  const path = (ws: string): string => `/rest/workspaces/${ws}/datastores/store/featuretypes/cities`
  const untouched = (await b.rest('GET', `${path('w2')}.xml`)).text
  await spread(async () => await a.rest('PUT', path('w1'), '<featureType><title>Of w1 alone</title></featureType>'))
  expect((await b.rest('GET', `${path('w1')}.xml`)).text).toContain('Of w1 alone')
  expect((await b.rest('GET', `${path('w2')}.xml`)).text).toBe(untouched)
})

test('B3: a style of a workspace stays apart from the global one of its name', LONG, async () => {
  const global = b.read('styles/burg.sld')
  await spread(async () => await a.rest('PUT', '/rest/workspaces/w1/styles/burg?raw=true', sld('of w1 alone'), SLD))
  expect(b.read('workspaces/w1/styles/burg.sld')).toContain('of w1 alone')
  expect(b.read('styles/burg.sld')).toBe(global)
})

test('B4: cascaded WMTS stores and layers are added, changed and removed', LONG, async () => {
  const stores = '/rest/workspaces/w1/wmtsstores'
  await spread(async () => {
    await a.rest(
      'POST',
      stores,
      '<wmtsStore><name>far</name><capabilitiesURL>https://example.org/wmts</capabilitiesURL></wmtsStore>',
    )
    await a.rest('POST', `${stores}/far/layers`, '<wmtsLayer><name>sky</name></wmtsLayer>')
  })
  expect((await b.rest('GET', `${stores}/far/layers/sky.xml`)).status).toBe(200)
  await spread(
    async () => await a.rest('PUT', `${stores}/far/layers/sky`, '<wmtsLayer><title>Heaven</title></wmtsLayer>'),
  )
  expect((await b.rest('GET', `${stores}/far/layers/sky.xml`)).text).toContain('Heaven')
  await spread(async () => await a.rest('DELETE', `${stores}/far?recurse=true`))
  expect((await b.ask('GET', `${stores}/far.xml`)).status).toBe(404)
})

test('B5: what is asked of a node over the API counts at once, and is told', LONG, async () => {
  // A replica gives its changes up unless somebody says otherwise; here it keeps one until it is asked for.
  const number = await cluster.inStep()
  c.agent.freeze()
  try {
    await c.rest('PUT', '/rest/layers/w1:roads', '<layer><queryable>false</queryable></layer>')
    await a.rest('PUT', '/rest/layers/w1:roads', '<layer><opaque>true</opaque></layer>')
    await until(
      async () => (await cluster.desired()) > number,
      () => 'the change of a is not released',
    )
  } finally {
    c.agent.thaw()
  }
  await until(
    async () => (await cluster.own('c'))?.catalog.counts.conflict === 1,
    () => 'c tells of no conflict',
  )
  const [choice] = (await cluster.own('c'))?.catalog.differences ?? []
  expect(choice).toMatchObject({ key: 'layer/w1:roads', decision: 'conflict' })
  if (choice === undefined) return
  const { id } = await cluster.catalog.order('catalog', 'c', {
    order: 'adopt',
    choices: [
      {
        key: choice.key,
        ...(choice.local !== undefined && { local: choice.local }),
        ...(choice.desired !== undefined && { desired: choice.desired }),
      },
    ],
  })
  expect(await cluster.catalog.outcome('catalog', 'c', id)).toMatchObject({ state: 'done' })
  await cluster.inStep(number + 2)
  await cluster.same()
  expect((await b.rest('GET', '/rest/layers/w1:roads.xml')).text).toContain('<queryable>false')
})

test(
  'B6 and B15: while there is no hub GeoServer takes every change, and they are released when it is back',
  LONG,
  async () => {
    const number = await cluster.inStep()
    await cluster.hub.kill()
    try {
      expect((await a.rest('POST', '/rest/workspaces', '<workspace><name>alone</name></workspace>')).status).toBe(201)
      // An agent that starts meanwhile waits for nothing, nor does its GeoServer.
      await b.agent.kill()
      await b.server.kill()
      await b.start()
      b.startAgent()
      expect(await b.map('w1:cities')).toMatch(/^200 /)
    } finally {
      await cluster.hub.restart()
    }
    await cluster.inStep(number + 1)
    await cluster.same()
    expect(b.has('workspaces/alone/workspace.xml')).toBe(true)
  },
)

test('B7: a change that a GeoServer refuses is told by name, and is done once it takes it', LONG, async () => {
  const number = await cluster.inStep()
  await b.misbehave('rest-500')
  try {
    await a.rest('PUT', '/rest/layers/w1:cities', '<layer><opaque>true</opaque></layer>')
    await until(
      async () => {
        const { nodes, desired } = await cluster.status()
        const told = nodes.find(({ node }) => node === 'b')?.targets['catalog']
        return (desired?.number ?? 0) > number && told !== undefined && told.state !== 'in-step'
      },
      () => 'nothing is said of b',
    )
  } finally {
    await b.misbehave('none')
  }
  await cluster.inStep(number + 1)
  await cluster.same()
})

test('B8: users, groups, roles, access rules and checks of URLs travel', LONG, async () => {
  await spread(async () => {
    await a.rest(
      'POST',
      '/rest/security/usergroup/users',
      '<user><userName>ann</userName><password>ann’s secret</password><enabled>true</enabled></user>',
    )
    await a.rest('POST', '/rest/security/roles/role/EDITOR')
    await a.rest('POST', '/rest/security/roles/role/EDITOR/user/ann')
    await a.rest('POST', '/rest/security/acl/layers', '{"w1.*.w": "EDITOR"}', 'application/json')
    await a.rest(
      'POST',
      '/rest/urlchecks',
      '<regexUrlCheck><name>ours</name><description>d</description><enabled>true</enabled><regex>^https://example\\.org/.*$</regex></regexUrlCheck>',
    )
  })
  expect((await b.rest('GET', '/rest/security/usergroup/users.json')).text).toContain('ann')
  expect((await b.rest('GET', '/rest/security/roles/user/ann.json')).text).toContain('EDITOR')
  expect((await b.rest('GET', '/rest/security/acl/layers.json')).text).toContain('w1.*.w')
  expect((await b.rest('GET', '/rest/urlchecks.json')).text).toContain('ours')
})

test('B9: no password, encrypted or not, is in what the API tells, in a log, or in the store', LONG, async () => {
  const store =
    '<dataStore><name>pg</name><connectionParameters><entry key="passwd">very-secret</entry></connectionParameters></dataStore>'
  await spread(async () => await a.rest('POST', '/rest/workspaces/w1/datastores', store))
  const changed = store.replace('very-secret', 'still-secret').replace('<name>pg</name>', '')
  await spread(async () => await a.rest('PUT', '/rest/workspaces/w1/datastores/pg', changed))
  const cipher = /crypt1:[^<]+/.exec(b.read('workspaces/w1/pg/datastore.xml'))?.[0] ?? ''
  expect(cipher).not.toBe('')
  const number = await cluster.desired()
  const told = [
    cluster.said(),
    JSON.stringify(await cluster.status()),
    JSON.stringify(await cluster.catalog.catalog('catalog')),
    JSON.stringify(await cluster.client.diff('catalog', number - 1, number)),
    JSON.stringify(await cluster.client.history('catalog')),
    (await cluster.flotilla('status', '--tree', 'catalog', '--json')).stdout,
  ]
  for (const text of told) {
    expect(text).not.toMatch(/very-secret|still-secret|crypt1:\w/)
    for (const secret of [PASSWORD, btoa(`admin:${PASSWORD}`), cipher]) expect(text).not.toContain(secret)
  }
})

test('B11: a style that is deleted without purge leaves its files, whatever was purged before', LONG, async () => {
  await spread(async () => {
    for (const name of ['one', 'two']) await a.rest('POST', `/rest/workspaces/w2/styles?name=${name}`, sld(name), SLD)
  })
  await spread(async () => {
    await a.rest('DELETE', '/rest/workspaces/w2/styles/one?purge=true')
    await a.rest('DELETE', '/rest/workspaces/w2/styles/two')
  })
  expect([b.has('workspaces/w2/styles/one.sld'), b.has('workspaces/w2/styles/two.sld')]).toEqual([false, true])
})

test('B12: what is edited on one node while it gets changes of another is released too', LONG, async () => {
  const names = Array.from({ length: 12 }, (_, index) => `n${index}`)
  for (const name of names) {
    await Promise.all([
      a.rest('POST', '/rest/workspaces', `<workspace><name>a${name}</name></workspace>`),
      c.rest('POST', '/rest/workspaces', `<workspace><name>c${name}</name></workspace>`),
    ])
  }
  const all = names.flatMap((name) => [`a${name}`, `c${name}`])
  await until(
    async () => all.every((name) => [a, b, c].every((each) => each.has(`workspaces/${name}/workspace.xml`))),
    () => `not everything arrived\n${cluster.said()}`,
  )
  await cluster.inStep()
  await cluster.same()
})

test('B13: letters beyond ASCII arrive as they were sent', LONG, async () => {
  await spread(
    async () => await a.rest('PUT', '/rest/workspaces/w1/styles/burg?raw=true', sld('Straße, 20 °C, 東京'), SLD),
  )
  expect(b.read('workspaces/w1/styles/burg.sld')).toBe(a.read('workspaces/w1/styles/burg.sld'))
})

test('B16: a node that was away for long gets what it is to have, not all that happened', LONG, async () => {
  await b.agent.kill()
  const before = await b.updateSequence()
  for (let change = 1; change <= 20; change++) {
    await a.rest('PUT', '/rest/layers/w1:cities', `<layer><path>/${change}</path></layer>`)
  }
  await until(
    async () =>
      (await cluster.own('a'))?.catalog.proposal.state === 'none' &&
      (await cluster.own('a'))?.catalog.counts.propose === 0,
    () => 'a has not released everything',
  )
  b.startAgent()
  await cluster.inStep()
  await cluster.same()
  expect(b.read('workspaces/w1/store/cities/layer.xml')).toContain('<path>/20<')
  expect((await b.updateSequence()) - before).toBeLessThan(5)
})

test('B17: a style that is made in two steps, the object first and then what it says', LONG, async () => {
  await spread(async () => {
    await a.rest('POST', '/rest/styles', '<style><name>twostep</name><filename>twostep.sld</filename></style>')
    await a.rest('PUT', '/rest/styles/twostep?raw=true', sld('second step'), SLD)
  })
  await until(
    async () => b.has('styles/twostep.sld') && b.read('styles/twostep.sld').includes('second step'),
    () => 'what the style says did not arrive',
  )
  expect((await b.rest('GET', '/rest/styles/twostep.sld')).text).toContain('second step')
})

test('B18: once nothing is changed any more nothing is released any more', LONG, async () => {
  const number = await cluster.inStep()
  const before = await Promise.all([a, b, c].map(async (each) => await each.updateSequence()))
  await cluster.lookedAgain()
  await cluster.lookedAgain()
  expect(await cluster.desired()).toBe(number)
  expect(await Promise.all([a, b, c].map(async (each) => await each.updateSequence()))).toEqual(before)
})

test('B14: a node that joins later gets everything', LONG, async () => {
  const d = await cluster.addNode('d')
  await cluster.inStep()
  await cluster.same()
  expect(await d.map('w1:cities')).toBe(await a.map('w1:cities'))
})

test(
  'B19: a node of another patch version and with other modules serves the same; one of another version says so and changes nothing',
  LONG,
  async () => {
    await cluster.addNode('e', { standin: ['--version', '2.26.9', '--module', 'gs-css'] })
    await cluster.inStep()
    await cluster.same()
    const f = await cluster.addNode('f', { standin: ['--version', '2.27.0'] })
    const before = await f.digests()
    await until(
      async () =>
        JSON.stringify((await cluster.status()).nodes.find(({ node }) => node === 'f')).includes('CATALOG_VERSION'),
      () => 'f does not say why it takes nothing',
    )
    expect(await f.digests()).toEqual(before)
    await cluster.client.forgetNode('f')
  },
)
