import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Secret } from '../../../lib/secret.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { look, minorOf } from './about.ts'
import { meaningOf } from './answers.ts'
import { GeoServerClient, refusal } from './client.ts'
import { endpointOf } from './endpoints.ts'
import { bodyType } from './style-body.ts'
import { wordsOf } from './words.ts'

/** As Jetty sends it; recorded of GeoServer 2.26.2. */
const PAGE = `<html>
<head>
<title>Error 409 Workspace &apos;rec&apos; already exists</title>
</head>
<body><h2>HTTP ERROR 409 Workspace &apos;rec&apos; already exists</h2>
<table>
<tr><th>URI:</th><td>/geoserver/rest/workspaces</td></tr>
<tr><th>MESSAGE:</th><td>Workspace &apos;rec&apos; already exists</td></tr>
</table></body></html>`

describe('words of GeoServer', () => {
  test.for([
    ['text/html;charset=iso-8859-1', PAGE, "Workspace 'rec' already exists"],
    [
      'text/plain',
      "Resource named 'cities' already exists in store: 'shp'\n  at java.lang",
      "Resource named 'cities' already exists in store: 'shp'",
    ],
    ['text/plain', 'cannot open crypt1:Ab/c+9= there', 'cannot open crypt1:… there'],
    ['text/plain', 'jdbc:postgresql://u:pw@db/x?password=secret1&a=b', 'jdbc:postgresql://…@db/x?password=…&a=b'],
    ['text/plain', 'plain:secret1 passwd="secret2"', 'plain:… passwd=…'],
    ['', '', ''],
  ] as const)('%s: %s', ([type, text, expected]) => {
    const words = wordsOf({ type, text })
    expect(words.replaceAll('"', '')).toBe(expected.replaceAll('"', ''))
    expect(words).not.toMatch(/<|secret\d/)
  })

  test('are one short line, whatever is sent', () => {
    expect(wordsOf({ type: 'text/plain', text: 'x'.repeat(100_000) }).length).toBeLessThanOrEqual(300)
    expect(wordsOf({ type: 'text/plain', text: 'a\u001b[31m' })).not.toContain('\u001b')
  })
})

test.for([
  [{ status: 201, type: '', text: '' }, { method: 'POST' }, 'done'],
  [{ status: 409, type: 'text/html', text: PAGE }, { method: 'POST' }, 'duplicate'],
  [
    { status: 500, type: 'text/plain', text: "Resource named 'x' already exists in store" },
    { method: 'POST' },
    'duplicate',
  ],
  [{ status: 404, type: '', text: '' }, { method: 'PUT' }, 'absent'],
  [{ status: 403, type: '', text: '' }, { method: 'DELETE' }, 'in-use'],
  [{ status: 403, type: '', text: '' }, { method: 'PUT' }, 'refused'],
  [{ status: 500, type: '', text: '' }, { method: 'POST', isEncrypted: true }, 'undecipherable'],
  [{ status: 500, type: '', text: '' }, { method: 'POST' }, 'refused'],
] as const)('the answer %o to %o', ([answer, asked, is]) => {
  expect(meaningOf(answer, asked).is).toBe(is)
})

test.for([
  ['workspace/topp', '/rest/workspaces', '/rest/workspaces/topp'],
  ['workspace-settings/topp', undefined, '/rest/workspaces/topp/settings'],
  ['service/wms', undefined, '/rest/services/wms/settings'],
  ['service/topp:wfs', undefined, '/rest/services/wfs/workspaces/topp/settings'],
  ['style/burg', '/rest/styles', '/rest/styles/burg'],
  ['style/a b:ö', '/rest/workspaces/a%20b/styles', '/rest/workspaces/a%20b/styles/%C3%B6'],
  ['wmtsstore/w:s', '/rest/workspaces/w/wmtsstores', '/rest/workspaces/w/wmtsstores/s'],
  ['featuretype/w:t', '/rest/workspaces/w/datastores/d/featuretypes', '/rest/workspaces/w/datastores/d/featuretypes/t'],
  ['layer/topp:states', undefined, '/rest/layers/topp:states'],
  ['layergroup/all', '/rest/layergroups', '/rest/layergroups/all'],
  ['tile-layer/topp:states', undefined, '/gwc/rest/layers/topp:states.xml'],
  ['default-workspace/default', undefined, '/rest/workspaces/default'],
] as const)('%s lies there', ([key, collection, item]) => {
  const needs = { 'featuretype/w:t': ['namespace/w', 'datastore/w:d'] } as Record<string, string[]>
  const endpoint = endpointOf(key, (each) => ({ needs: needs[each] ?? [] }))
  expect([endpoint?.collection, endpoint?.item]).toEqual([collection, item])
})

test('REST knows no settings of WPS, and no feature type whose store is not known', () => {
  expect(endpointOf('service/wps', () => undefined)).toBeUndefined()
  expect(endpointOf('featuretype/w:t', () => undefined)).toBeUndefined()
})

test('a style is sent as what it is', () => {
  expect(bodyType('a.css', Buffer.from('* {}'))).toBe('application/vnd.geoserver.geocss+css')
  expect(bodyType('a.sld', Buffer.from('<StyledLayerDescriptor version="1.0.0">'))).toBe('application/vnd.ogc.sld+xml')
  expect(bodyType('a.sld', Buffer.from('<sld:StyledLayerDescriptor xmlns="x" version="1.1.0">'))).toBe(
    'application/vnd.ogc.se+xml',
  )
})

describe('a client', () => {
  async function clientOf(handle: Parameters<typeof createServer>[1], passwords: readonly string[] = ['p w']) {
    const server = createServer(handle)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close().closeAllConnections()
    })
    const left = [...passwords]
    const password = async () => await Promise.resolve(new Secret(left.shift() ?? passwords.at(-1) ?? ''))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver`
    return new GeoServerClient({ url, user: 'admin', password, timeoutMs: 200, clock: systemClock })
  }

  test('says who it is and what it sends, and asks for the password again when it was not taken', async () => {
    const seen: (string | undefined)[][] = []
    const client = await clientOf(
      (request, answer) => {
        seen.push([request.method, request.url, request.headers.authorization, request.headers['content-type']])
        answer.writeHead(request.headers.authorization === `Basic ${btoa('admin:new')}` ? 200 : 401).end()
      },
      ['old', 'new'],
    )
    const call = { method: 'PUT', path: '/rest/x', body: { type: 'application/xml', content: '<x/>' } } as const
    await expect(client.call(call)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    expect((await client.call(call)).status).toBe(200)
    expect(seen[1]).toEqual(['PUT', '/geoserver/rest/x', `Basic ${btoa('admin:new')}`, 'application/xml'])
  })

  test('waits no longer than it should', async () => {
    const client = await clientOf(() => undefined)
    await expect(client.call({ method: 'GET', path: '/rest/x' })).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect(await look(client, {})).toMatchObject({ is: 'down' })
  })

  test('tells a GeoServer that reloads from one that is down', async () => {
    const about = JSON.stringify({ about: { resource: [{ '@name': 'GeoServer', Version: 2.26 }] } })
    const client = await clientOf((request, answer) => {
      if (request.url?.includes('about') === true) answer.end(about)
    })
    expect(await look(client, {})).toEqual({ is: 'busy', version: '2.26' })
  })

  test('does not read without end', async () => {
    const client = await clientOf((_, answer) => {
      const chunk = Buffer.alloc(1024 * 1024)
      const pour = (): void => {
        while (!answer.destroyed && answer.write(chunk));
      }
      answer.on('drain', pour)
      pour()
    })
    await expect(client.call({ method: 'GET', path: '/', timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 'TOO_LARGE',
    })
  })
})

test('a refusal says what GeoServer said, and no more', () => {
  const error = refusal({ method: 'POST', path: '/rest/reload' }, { status: 500, type: 'text/html', text: PAGE })
  expect(error.message).toBe("GeoServer answered 500 to POST /rest/reload: Workspace 'rec' already exists")
  expect(refusal({ method: 'GET', path: '/' }, { status: 403, type: '', text: '' }).code).toBe('FORBIDDEN')
})

test('versions are told by their first two numbers', () => {
  expect(['2.26.2', '3.0-SNAPSHOT', ''].map(minorOf)).toEqual(['2.26', '3.0', ''])
})

test.for(['workspace/..', 'workspace/.', 'style/..', 'style/..:a', 'datastore/w:..', 'featuretype/w:a'])(
  '%s has no address: it would be that of something else',
  (key) => {
    expect(endpointOf(key, () => ({ needs: ['datastore/w:..'] }))).toBeUndefined()
  },
)
