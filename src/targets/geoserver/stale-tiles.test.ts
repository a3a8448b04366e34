import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { GeoserverNode } from '../../../test/helpers/geoserver-node.ts'

test('a layer whose tiles GeoServer does not give up is told and tried again later, and holds up nothing else', async () => {
  const source = new GeoserverNode().seed('one')
  await source.start()
  const replica = new GeoserverNode().seed('two').shareKeystore(source)
  await replica.start()
  await replica.turn(await source.release(1))
  let isBroken = true
  const asked: string[] = []
  const proxy = createServer((request, response) => {
    void (async () => {
      const body = await text(request)
      const isTruncate = request.url?.endsWith('/masstruncate') === true
      if (isTruncate) asked.push(/<layerName>([^<]*)</.exec(body)?.[1] ?? '')
      if (isTruncate && isBroken && body.includes('w1:cities')) return response.writeHead(500).end('no quota left')
      const { method = '', url = '', headers } = request
      const { authorization = '', 'content-type': type = '' } = headers
      const init = { method, headers: { authorization, 'content-type': type }, ...(body !== '' && { body }) }
      const answer = await fetch(new URL(url, replica.url), init)
      const made = { 'content-type': answer.headers.get('content-type') ?? '' }
      return response.writeHead(answer.status, made).end(Buffer.from(await answer.arrayBuffer()))
    })()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/geoserver`
  const target = replica.makeTarget({ url })
  source.write('workspaces/w1/styles/icon.svg', '<svg/>')
  await source.rest('POST', '/rest/workspaces', '<workspace><name>w3</name></workspace>')
  const report = await replica.turn(await source.release(2), target)
  expect(report).toMatchObject({ state: 'in-step', served: 2 })
  expect(report.warnings).toMatchObject([{ code: 'CATALOG_TILES', dataset: 'layer/w1:cities' }])
  expect(report.warnings[0]?.message).toMatch(/tiles of w1:cities .* 500 .*no quota left/)
  expect(asked.length).toBeGreaterThan(1)
  const before = asked.length
  await replica.turn(await source.release(2), target)
  expect(asked).toHaveLength(before)
  for (const [ms, tries] of [
    [6000, 1],
    [6000, 1],
    [30_000, 2],
  ] as const) {
    replica.setClock(ms)
    expect((await replica.turn(await source.release(2), target)).warnings).toHaveLength(1)
    expect(asked.slice(before)).toEqual(Array.from({ length: tries }, () => 'w1:cities'))
  }
  isBroken = false
  replica.setClock(130_000)
  replica.forget()
  expect((await replica.turn(await source.release(2), replica.makeTarget({ url }))).warnings).toEqual([])
  expect((await replica.turn(await source.release(2), replica.makeTarget({ url }))).state).toBe('in-step')
  expect(asked.slice(before)).toHaveLength(3)
})
