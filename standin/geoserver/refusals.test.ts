import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FIXTURES, needs } from '../../test/helpers/needs.ts'
import { readSession } from './session-kit.ts'
import { Node, sld, SLD } from './test-kit.ts'

const withFixtures = await needs({ fixtures: true })

async function refused(
  node: Node,
  method: string,
  path: string,
  body?: string | object,
  type?: string,
): Promise<string> {
  const reply = await node.ask(method, path, body, type)
  return `${reply.status} ${reply.body}`.trim()
}

/** Sends a path as it is: fetch would tidy it. */
async function raw(node: Node, path: string): Promise<string> {
  const { hostname, port } = new URL(node.geoserver.url)
  return await new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, auth: 'admin:geoserver' }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('who is not administrator gets 401 with the realm, and HEAD is refused to everybody', async () => {
  const node = await Node.start()
  const get = async (authorization?: string) =>
    await fetch(
      `${node.geoserver.url}/rest/workspaces.json`,
      authorization === undefined ? {} : { headers: { authorization } },
    )
  for (const wrong of [undefined, `Basic ${btoa('admin:wrong')}`, `Basic ${btoa('nobody:geoserver')}`, 'Bearer x']) {
    const reply = await get(wrong)
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="GeoServer Realm"'])
  }
  expect((await node.ask('HEAD', '/rest/about/version.json')).status).toBe(403)
  expect((await node.ask('GET', '/rest/reload')).headers.get('allow')).toBe('POST,PUT')
})

test('what is not there, what is there already, what is in use, what is not empty', async () => {
  const node = await Node.start()
  await node.furnish()
  expect(await refused(node, 'GET', '/rest/workspaces/x.json')).toBe("404 No such workspace: 'x' found")
  expect(await refused(node, 'GET', '/rest/workspaces/w/datastores/x.json')).toBe('404 No such datastore: w,x')
  expect(await refused(node, 'GET', '/rest/styles/x.sld')).toBe('404 No such style: x')
  expect(await refused(node, 'POST', '/rest/workspaces', { workspace: { name: 'w' } })).toMatch(/^409 <html>/)
  const type = { featureType: { name: 'l' } }
  const again = "500 Resource named 'l' already exists in store: 'd'"
  expect(await refused(node, 'POST', '/rest/workspaces/w/datastores/d/featuretypes', type)).toBe(again)
  expect(await refused(node, 'POST', '/rest/workspaces/w/styles?name=s', sld('x'), SLD)).toMatch(/^403/)
  expect(await refused(node, 'DELETE', '/rest/workspaces/w')).toBe('403')
  expect(await refused(node, 'DELETE', '/rest/workspaces/w/datastores/d')).toBe('403 datastore not empty')
  expect(await refused(node, 'DELETE', '/rest/workspaces/w/datastores/d/featuretypes/l')).toMatch(/^403/)
  expect(await refused(node, 'DELETE', '/rest/workspaces/w/styles/s')).toBe('403')
  for (const service of ['wps', 'csw']) {
    expect(await refused(node, 'GET', `/rest/services/${service}/settings.json`)).toBe('404')
  }
  expect(node.read('workspaces/w/d/l/layer.xml')).toContain('<name>l</name>')
})

test('references to what is not there, and a workspace other than that of the path', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must('POST', '/rest/workspaces', { workspace: { name: 'v' } })
  const style = { layer: { defaultStyle: { name: 'nosuch' } } }
  expect(await refused(node, 'PUT', '/rest/layers/w:l', style)).toMatch(/^500/)
  const byId = '<dataStore><name>e</name><workspace><id>WorkspaceInfoImpl-of-another-node</id></workspace></dataStore>'
  expect(await refused(node, 'POST', '/rest/workspaces/w/datastores', byId)).toMatch(/^500/)
  const elsewhere = { dataStore: { name: 'e', workspace: { name: 'v' } } }
  expect(await refused(node, 'POST', '/rest/workspaces/w/datastores', elsewhere)).toMatch(/^403 Expected workspace w/)
})

test('bodies that are no XML, have a DOCTYPE, or are of another type', async () => {
  const node = await Node.start()
  const bad = [
    '<workspace><name>x</na',
    '',
    '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><workspace><name>&e;</name></workspace>',
  ]
  for (const body of bad) expect(await refused(node, 'POST', '/rest/workspaces', body)).toMatch(/^500/)
  expect(await refused(node, 'POST', '/rest/workspaces', '{', 'application/json')).toMatch(/^400/)
  expect(await refused(node, 'POST', '/rest/workspaces', 'x', 'text/plain')).toBe('415')
  expect(await node.must('GET', '/rest/workspaces.json')).toBe('{"workspaces":""}')
})

test('a zip whose entry leaves its folder is refused, and nothing of it is written', async () => {
  const node = await Node.start()
  const name = '../evil.sld'
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x04034b50)
  head.writeUInt16LE(name.length, 26)
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02014b50)
  entry.writeUInt16LE(name.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(head.length + name.length, 16)
  const zip = new Uint8Array(Buffer.concat([head, Buffer.from(name), entry, Buffer.from(name), end]))
  const reply = await node.ask('POST', '/rest/styles?name=evil', zip, 'application/zip')
  expect([reply.status, reply.body]).toEqual([400, 'Entry is outside of the target directory: ../evil.sld'])
  expect(existsSync(join(node.directory, 'evil.sld'))).toBe(false)
  expect((await node.ask('GET', '/rest/styles/evil.json')).status).toBe(404)
})

withFixtures(
  'a path with %2f is refused in the words of the recording, and no path leaves the data directory',
  async () => {
    const node = await Node.start()
    const recorded = readSession(FIXTURES).find(({ label }) => label === 'resource traversal')?.response.body ?? ''
    const told = recorded.slice(0, recorded.indexOf('<tr><th>CAUSED BY:'))
    expect(told).toContain('RequestRejectedException')
    expect((await raw(node, '/geoserver/rest/resource/..%2f..%2fetc/passwd')).slice(0, told.length)).toBe(told)
    for (const path of ['../../etc/passwd', '%2e%2e/%2e%2e/etc/passwd', 'styles/../../etc/passwd']) {
      expect(await raw(node, `/geoserver/rest/resource/${path}`)).toContain('HTTP ERROR 500')
    }
    const from = await node.ask('PUT', '/rest/resource/x?operation=copy', '../../etc/passwd', 'text/plain')
    expect(from.status).toBe(500)
    expect(readFileSync(join(node.directory, 'global.xml'), 'utf8')).toContain('<global>')
  },
)
