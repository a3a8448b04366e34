import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { FIXTURES, needs } from '../../test/helpers/needs.ts'
import { startGeoServer } from './geoserver.ts'
import { changes, dataOf, directoryBefore, Pairs, readSession, type Recorded, snapshot } from './session-kit.ts'

const test = await needs({ fixtures: true })

const AUTHORIZATION = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`
const HEADERS = ['content-type', 'location', 'allow', 'resource-type', 'resource-parent', 'content-disposition']

/** Bodies that are compared without regard to order, by number of the request: GeoServer keeps them in hash sets. */
const UNORDERED: Readonly<Record<number, string>> = {
  23: 'all layers of all workspaces',
  35: 'the GML versions of WFS',
  56: 'all tile layers',
  98: 'the grid subsets of a tile layer',
}

/** Bodies that are not compared, and why not. */
const OTHER_BODIES: Readonly<Record<number, string>> = {
  24: 'the other styles of a layer are told in the order of a hash set, and with its class; files have neither',
  25: 'as 24, in XML',
  40: 'the fonts of the machine that recorded',
  58: 'all 141 grid sets that come with GeoWebCache; the stand-in names six',
  75: 'a stack trace; what stands before it is the same text, see the test of refusals',
}

async function send(url: string, { request }: Recorded) {
  const { body } = request
  const content = typeof body === 'object' ? Buffer.from(body.base64, 'base64') : body
  const headers = {
    authorization: AUTHORIZATION,
    ...(request.type === undefined ? {} : { 'content-type': request.type }),
  }
  const response = await fetch(`${url}${request.url}`, {
    method: request.method,
    headers,
    ...(content === undefined ? {} : { body: content }),
  })
  return { status: response.status, headers: response.headers, body: await response.text() }
}

test('the recorded session, replayed: the same statuses, headers, bodies, and the same changes of the same files', async () => {
  const session = readSession(FIXTURES)
  expect(session).toHaveLength(113)
  const dataDirectory = directoryBefore(FIXTURES, session)
  const geoserver = await startGeoServer({ dataDirectory, reloadMs: 1, data: dataOf(session) })
  onTestFinished(() => geoserver.close())
  let before = snapshot(dataDirectory)
  const pairs = new Pairs([...before.keys()].map((path) => readFileSync(join(dataDirectory, path), 'utf8')))

  for (const [number, recorded] of session.entries()) {
    const what = `${number} ${recorded.request.method} ${recorded.request.url}`
    const answer = await send(geoserver.url, recorded)
    expect.soft(answer.status, `${what}: ${answer.body}`).toBe(recorded.response.status)

    const after = snapshot(dataDirectory)
    const ops = Object.entries(changes(before, after))
    const wanted = Object.entries(recorded.changed)
    // Contents first: they pair the ids that paths have in them.
    const texts = wanted.filter(([, { text }]) => text !== undefined)
    for (const [path, { text = '' }] of texts.toSorted(
      ([a], [b]) => Number(a.includes('gwc')) - Number(b.includes('gwc')),
    )) {
      const mine = ops.find(([own]) => own === path)?.[0] ?? ops.find(([own]) => pairs.path(own) === path)?.[0]
      if (mine === undefined) continue
      const written = readFileSync(join(dataDirectory, mine), 'utf8')
      expect.soft(pairs.translate(written, text), `${what}: ${path}`).toBe(pairs.undated(text))
    }
    const found = Object.fromEntries(ops.map(([path, op]) => [pairs.path(path), op]))
    expect.soft(found, what).toEqual(Object.fromEntries(wanted.map(([path, { op }]) => [path, op])))
    before = after

    for (const name of HEADERS) {
      const theirs = recorded.response.headers[name]?.replace('http://gs.example/geoserver', geoserver.url)
      expect.soft(answer.headers.get(name) ?? undefined, `${what}: ${name}`).toBe(theirs)
    }
    if (number in OTHER_BODIES) continue
    const theirs = recorded.response.body.replaceAll('http://gs.example/geoserver', geoserver.url)
    const [ours, recordedBody] = [pairs.translate(answer.body, theirs), pairs.undated(theirs)]
    if (number in UNORDERED) expect.soft(sorted(ours), what).toEqual(sorted(recordedBody))
    else expect.soft(value(ours), what).toEqual(value(recordedBody))
  }
})

/** JSON as a value: the order of its fields does not matter. */
function value(body: string): unknown {
  return body.startsWith('{') || body.startsWith('[') ? JSON.parse(body) : body
}

/** Every list, and every line of XML, in alphabetical order. */
function sorted(body: string): unknown {
  const parsed = value(body)
  return typeof parsed === 'string' ? parsed.split('\n').toSorted() : inOrder(parsed)
}

function inOrder(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(inOrder).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, inOrder(inner)]))
}
