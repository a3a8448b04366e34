import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Node } from './test-kit.ts'

const store = (password: string) => ({
  dataStore: {
    name: 'pg',
    type: 'PostGIS',
    connectionParameters: {
      entry: [
        { '@key': 'host', $: 'db.invalid' },
        { '@key': 'passwd', $: password },
      ],
    },
  },
})

async function withWorkspace(dataDirectory?: string): Promise<Node> {
  const node = await Node.start(dataDirectory === undefined ? {} : { dataDirectory })
  if (dataDirectory === undefined) await node.must('POST', '/rest/workspaces', { workspace: { name: 'w' } })
  return node
}

function encrypted(node: Node): string {
  return /crypt1:[\w+/=]+/.exec(node.read('workspaces/w/pg/datastore.xml'))?.[0] ?? ''
}

test('passwords are encrypted with another salt each time; placeholders sent over REST as well', async () => {
  const node = await withWorkspace()
  await node.must('POST', '/rest/workspaces/w/datastores', store('plain:secret'))
  const first = encrypted(node)
  await node.must('PUT', '/rest/workspaces/w/datastores/pg', store(first))
  expect(encrypted(node)).toMatch(/^crypt1:/)
  expect(encrypted(node)).not.toBe(first)
  await node.must('PUT', '/rest/workspaces/w/datastores/pg', store('${pgpw}'))
  expect(node.read('workspaces/w/pg/datastore.xml')).not.toContain('${pgpw}')
})

test('a value of another keystore is refused with 500 by REST, and its store vanishes at a reload', async () => {
  const [one, other] = [await withWorkspace(), await withWorkspace()]
  await one.must('POST', '/rest/workspaces/w/datastores', store('secret'))
  const foreign = encrypted(one)
  expect((await other.ask('POST', '/rest/workspaces/w/datastores', store(foreign))).status).toBe(500)
  expect((await other.ask('GET', '/rest/workspaces/w/datastores/pg.json')).status).toBe(404)

  await other.must('POST', '/rest/workspaces/w/datastores', store('secret'))
  const file = 'workspaces/w/pg/datastore.xml'
  other.write(file, other.read(file).replace(encrypted(other), foreign))
  await other.must('POST', '/rest/reload')
  expect((await other.ask('GET', '/rest/workspaces/w/datastores/pg.json')).status).toBe(404)
  expect(other.geoserver.logged.join('\n')).toContain(file)
  expect(other.read(file)).toContain(foreign)
})

test('a keystore that was there before the first start is shared; one that comes later counts from the next start', async () => {
  const one = await withWorkspace()
  await one.must('POST', '/rest/workspaces/w/datastores', store('secret'))
  const joined = Node.folder()
  cpSync(join(one.directory, 'security'), join(joined, 'security'), { recursive: true })
  const two = await Node.start({ dataDirectory: joined })
  await two.must('POST', '/rest/workspaces', { workspace: { name: 'w' } })
  await two.must('POST', '/rest/workspaces/w/datastores', store(encrypted(one)))

  const late = await withWorkspace()
  cpSync(join(one.directory, 'security'), join(late.directory, 'security'), { recursive: true })
  await late.must('POST', '/rest/reload')
  expect((await late.ask('POST', '/rest/workspaces/w/datastores', store(encrypted(one)))).status).toBe(500)
  await late.geoserver.close()
  const restarted = await withWorkspace(late.directory)
  await restarted.must('POST', '/rest/workspaces/w/datastores', store(encrypted(one)))
})

test('a placeholder in a file stays as it was written', async () => {
  const node = await withWorkspace()
  await node.must('POST', '/rest/workspaces/w/datastores', store('secret'))
  const file = 'workspaces/w/pg/datastore.xml'
  node.write(file, node.read(file).replace(encrypted(node), '${pgpw}'))
  await node.must('POST', '/rest/reload')
  expect((await node.ask('GET', '/rest/workspaces/w/datastores/pg.json')).status).toBe(200)
  expect(node.read(file)).toContain('${pgpw}')
})
