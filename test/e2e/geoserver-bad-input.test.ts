import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../../src/lib/hash.ts'
import { GeoserverCluster, TREE, until } from '../helpers/geoserver-cluster.ts'
import { type GeoserverMachine, PASSWORD } from '../helpers/geoserver-machine.ts'

/** What a data directory, a GeoServer or a person may hold out that is no catalog: nothing is lost, and it is said what is wrong. */

const LONG = { timeout: 90_000 }
/** Of an error page, or of what gets past it. */
const SECRETS = new RegExp(`<html|Basic |${PASSWORD}|${btoa(`admin:${PASSWORD}`)}`)
const LAYER = 'workspaces/w1/store/cities/layer.xml'

let cluster: GeoserverCluster
let a: GeoserverMachine
let b: GeoserverMachine

beforeAll(async () => {
  cluster = await GeoserverCluster.start()
  const settings = { retryMs: 300, timeoutMs: 1000 }
  a = await cluster.addNode('a', { role: 'both', settings, standin: ['--module', 'gs-css'] })
  b = await cluster.addNode('b', { settings })
  await cluster.inStep()
}, 120_000)

afterAll(async () => await cluster.stop(), 60_000)

/** Nothing is released, and neither node is changed, while it is so. */
async function nothingComesOf(what: () => void): Promise<void> {
  const number = await cluster.inStep()
  const before = await b.digests()
  what()
  await cluster.lookedAgain()
  expect(await cluster.desired()).toBe(number)
  expect(await b.digests()).toEqual(before)
}

async function toldOf(name: string): Promise<string> {
  const node = (await cluster.status()).nodes.find((each) => each.node === name)
  return JSON.stringify([node?.targets[TREE], (await cluster.own(name))?.catalog])
}

test.for([
  ['half of a file', (whole: string) => whole.slice(0, whole.length / 2)],
  ['an empty file', () => ''],
  ['no XML', () => 'layer: yes'],
  [
    'XML with an entity that names a file',
    (whole: string) =>
      `<!DOCTYPE layer [<!ENTITY secret SYSTEM "file:///etc/hostname">]>${whole.replace('<name>cities', '<name>&secret;')}`,
  ],
  [
    'XML with entities that grow',
    (whole: string) =>
      `<!DOCTYPE layer [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>${whole.replace('<name>cities', '<name>&b;')}`,
  ],
] as const)(
  '%s in the place of an object is no change, is told, and is over when it is whole',
  LONG,
  async ([, spoil]) => {
    const whole = a.read(LAYER)
    await nothingComesOf(() => a.write(LAYER, spoil(whole)))
    await until(
      async () => (await toldOf('a')).includes(LAYER),
      () => 'nobody says which file it is',
    )
    a.write(LAYER, whole)
    await cluster.inStep()
    await cluster.same()
  },
)

test('a data directory that is gone midway deletes nothing, on a source as on a replica', LONG, async () => {
  for (const machine of [a, b]) {
    const away = `${machine.directory}-unmounted`
    await nothingComesOfOther(machine, () => renameSync(machine.directory, away))
    await until(
      async () => /SOURCE_VANISHED|is not there/.test(await toldOf(machine.name)),
      () => `${machine.name} does not say that its directory is gone`,
    )
    expect(existsSync(join(machine.directory, 'workspaces'))).toBe(false)
    // A restarted GeoServer, or a mount point, may leave an empty folder.
    renameSync(away, machine.directory)
    await cluster.inStep()
    await cluster.same()
  }
})

async function nothingComesOfOther(machine: GeoserverMachine, what: () => void): Promise<void> {
  const number = await cluster.inStep()
  const other = machine === a ? b : a
  const before = await other.digests()
  what()
  await cluster.lookedAgain()
  expect(await cluster.desired()).toBe(number)
  expect(await other.digests()).toEqual(before)
}

test('half of a data directory that is gone deletes nothing', LONG, async () => {
  const [from, to] = [join(a.directory, 'workspaces'), `${a.directory}-workspaces`]
  await nothingComesOf(() => renameSync(from, to))
  renameSync(to, from)
  await cluster.inStep()
  await cluster.same()
})

test.for([['rest-401'], ['rest-403'], ['rest-500'], ['hang'], ['down'], ['slow']] as const)(
  'a GeoServer that answers %s is told of, and gets everything once it answers again',
  LONG,
  async ([how]) => {
    const number = await cluster.inStep()
    await b.misbehave(how)
    try {
      await a.rest('PUT', '/rest/layers/w1:roads', `<layer><path>/${how}</path></layer>`)
      await until(
        async () => (await cluster.desired()) > number,
        () => 'a does not release',
      )
      if (how !== 'slow') {
        await until(
          async () => (await cluster.status()).state !== 'in-step',
          () => 'all is said to be well',
        )
        await cluster.lookedAgain()
        expect(await toldOf('b')).not.toMatch(SECRETS)
      }
    } finally {
      await b.misbehave('none')
    }
    await cluster.inStep(number + 1)
    await cluster.same()
  },
)

test('a GeoServer that was down while much was changed gets all of it', LONG, async () => {
  const number = await cluster.inStep()
  await b.server.kill()
  for (let change = 1; change <= 5; change++) {
    await a.rest('POST', '/rest/workspaces', `<workspace><name>down${change}</name></workspace>`)
    await cluster.lookedAgain()
  }
  expect(await cluster.desired()).toBeGreaterThan(number + 2)
  expect(b.has('workspaces/down1')).toBe(false)
  await b.start()
  await cluster.inStep(number + 3)
  await cluster.same()
})

test(
  'an object whose module a node lacks is told with the name of the module, and holds up nothing else',
  LONG,
  async () => {
    const before = await cluster.inStep()
    const css = '* { mark: symbol(circle); }'
    await a.rest('POST', '/rest/styles?name=dots', css, 'application/vnd.geoserver.geocss+css')
    await a.rest('POST', '/rest/workspaces', '<workspace><name>besides</name></workspace>')
    await until(
      async () => (await toldOf('b')).includes('gs-css') && b.has('workspaces/besides/workspace.xml'),
      () => `b does not say what it lacks`,
    )
    expect((await cluster.status()).state).not.toBe('in-step')
    await a.rest('DELETE', '/rest/styles/dots?purge=true')
    await cluster.inStep(before + 1)
  },
)

test('a release that names a path outside of the data directory is refused', LONG, async () => {
  const content = Buffer.from('<svg/>')
  await cluster.client.putBlob(sha256(content), content)
  for (const path of ['../outside.svg', 'styles/../../outside.svg', '/etc/outside.svg', 'styles/a\0.svg']) {
    const files = [{ path, size: content.byteLength, sha256: sha256(content) }]
    await expect(cluster.client.release(TREE, { kind: 'geoserver', files, message: 'bad' })).rejects.toThrow(
      /path|unsafe|safe/i,
    )
  }
  expect(existsSync(join(b.root, 'outside.svg'))).toBe(false)
})
