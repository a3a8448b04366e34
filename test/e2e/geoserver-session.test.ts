import { cpSync } from 'node:fs'
import { expect } from 'vitest'
import type { TargetReport } from '../../src/core/target.ts'
import { dataOf, directoryBefore, readSession, type Recorded } from '../../standin/geoserver/session-kit.ts'
import { GeoserverNode } from '../helpers/geoserver-node.ts'
import { FIXTURES, needs } from '../helpers/needs.ts'

/** What a person did over REST on a GeoServer 2.26.2, request by request, done on one node and brought to another. */

const test = await needs({ fixtures: true })

async function pairOfRecorded(session: readonly Recorded[]) {
  const before = directoryBefore(FIXTURES, session)
  const source = new GeoserverNode()
  cpSync(before, source.directory, { recursive: true })
  await source.start({ data: dataOf(session) })
  const replica = new GeoserverNode()
  cpSync(before, replica.directory, { recursive: true })
  replica.shareKeystore(source)
  await replica.start()
  expect(await replica.turn(await source.release(1))).toMatchObject({ state: 'in-step' })
  // Nothing of all that needs a reload: it would not be done.
  replica.traffic = 'open'
  return { source, replica }
}

async function send({ url }: GeoserverNode, { request }: Recorded): Promise<void> {
  const { method, body, type } = request
  const content = typeof body === 'object' ? Buffer.from(body.base64, 'base64') : body
  const headers = {
    authorization: `Basic ${btoa('admin:geoserver')}`,
    ...(type !== undefined && { 'content-type': type }),
  }
  const answer = await fetch(`${url}${request.url}`, {
    method,
    headers,
    ...(content !== undefined && { body: content }),
  })
  await answer.arrayBuffer()
}

test('after each request of the recorded session the other node has the same', { timeout: 120_000 }, async () => {
  const session = readSession(FIXTURES)
  const { source, replica } = await pairOfRecorded(session)
  let before = await source.digests()
  let number = 1
  for (const [index, recorded] of session.entries()) {
    await send(source, recorded)
    const after = await source.digests()
    if (JSON.stringify(after) === JSON.stringify(before)) continue
    before = after
    number += 1
    const what = `${index} ${recorded.request.method} ${recorded.request.url}`
    const report = await replica.turn(await source.release(number))
    expect.soft(badOf(report), what).toEqual({ bad: [], state: 'in-step', warnings: [] })
    expect.soft(await differing(replica, source), what).toEqual([])
  }
  expect(number).toBe(34)
})

test('the recorded session as a whole, brought over at once', { timeout: 120_000 }, async () => {
  const session = readSession(FIXTURES)
  const { source, replica } = await pairOfRecorded(session)
  const ends = session.findIndex(({ label }) => label === 'del layergroup')
  for (const recorded of session.slice(0, ends)) await send(source, recorded)
  expect(badOf(await replica.turn(await source.release(2)))).toEqual({ bad: [], state: 'in-step', warnings: [] })
  expect(await differing(replica, source)).toEqual([])
})

test(
  'a data directory that real use has left, copied object by object to an empty one',
  { timeout: 120_000 },
  async () => {
    const live = `${FIXTURES}/geoserver/live-2.26.2/datadir`
    const source = new GeoserverNode()
    cpSync(live, source.directory, { recursive: true })
    // Encrypted with a keystore that is not among the fixtures.
    source.remove('workspaces/ws1/pg')
    await source.start()
    const replica = new GeoserverNode({ reloadAbove: 100_000, takeOver: true })
    cpSync(live, replica.directory, { recursive: true })
    for (const each of ['workspaces', 'styles', 'layergroups', 'gwc-layers']) replica.remove(each)
    replica.shareKeystore(source)
    await replica.start()
    replica.traffic = 'open'
    const report = await replica.turn(await source.release(1))
    expect(badOf(report)).toEqual({ bad: [], state: 'in-step', warnings: [] })
    expect(await differing(replica, source)).toEqual([])
  },
)

async function differing(one: GeoserverNode, other: GeoserverNode): Promise<readonly string[]> {
  const [a, b] = [await one.digests(), await other.digests()]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]).toSorted()
}

function badOf({ items, state, warnings }: TargetReport) {
  const bad = Object.entries(items).filter(([, item]) => item.state !== 'served')
  return { bad, state, warnings }
}
