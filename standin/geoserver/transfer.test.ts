import { expect, test } from 'vitest'
import { Node, sld, SLD } from './test-kit.ts'

/** What stands in a file, with references by id rewritten to names. */
function portable(xml: string, names: Readonly<Record<string, string>>): string {
  return xml.replaceAll(/<(\w+)( class="\w+")?>\s*<id>[^<]*<\/id>\s*<\/\1>/g, (whole, field: string) =>
    field in names ? `<${field}><name>${names[field]}</name></${field}>` : whole,
  )
}

test('what stands on the disk of one node, posted to another with names for references, keeps its ids', async () => {
  const [one, two] = [await Node.start(), await Node.start()]
  await one.furnish()
  const names = { workspace: 'w', namespace: 'w', store: 'w:d' }
  const move = async (path: string, file: string): Promise<void> => {
    await two.must('POST', path, portable(one.read(file), names))
  }
  await move('/rest/workspaces', 'workspaces/w/workspace.xml')
  await move('/rest/workspaces/w/styles', 'workspaces/w/styles/s.xml')
  await two.must('PUT', '/rest/workspaces/w/styles/s?raw=true', sld('first'), SLD)
  await two.must('PUT', '/rest/resource/workspaces/w/styles/icon.svg', '<svg>one</svg>', 'application/octet-stream')
  await move('/rest/workspaces/w/datastores', 'workspaces/w/d/datastore.xml')
  await move('/rest/workspaces/w/datastores/d/featuretypes', 'workspaces/w/d/l/featuretype.xml')
  await two.must('PUT', '/rest/layers/w:l', { layer: { defaultStyle: { name: 's', workspace: 'w' } } })

  const id = (node: Node, file: string): string | undefined => /<id>([^<]*)<\/id>/.exec(node.read(file))?.[1]
  for (const file of ['workspace.xml', 'styles/s.xml', 'd/datastore.xml', 'd/l/featuretype.xml']) {
    expect(id(two, `workspaces/w/${file}`), file).toBe(id(one, `workspaces/w/${file}`))
  }
  for (const file of ['namespace.xml', 'd/l/layer.xml']) {
    expect(id(two, `workspaces/w/${file}`), file).not.toBe(id(one, `workspaces/w/${file}`))
  }
  expect(await two.map()).toBe(await one.map())
})

test('what is posted is enabled whatever it says, and a coverage keeps what its file says', async () => {
  const node = await Node.start()
  await node.furnish()
  const type = '<featureType><name>off</name><enabled>false</enabled></featureType>'
  await node.must('POST', '/rest/workspaces/w/datastores/d/featuretypes', type)
  expect(node.read('workspaces/w/d/off/featuretype.xml')).toContain('<enabled>true</enabled>')
  await node.must('PUT', '/rest/workspaces/w/datastores/d/featuretypes/off', type)
  expect(node.read('workspaces/w/d/off/featuretype.xml')).toContain('<enabled>false</enabled>')

  await node.must('POST', '/rest/workspaces/w/coveragestores', { coverageStore: { name: 'c', type: 'GeoTIFF' } })
  const path = '/rest/workspaces/w/coveragestores/c/coverages'
  await node.must('POST', path, '<coverage><name>r</name><nativeName>n</nativeName><title>t</title></coverage>')
  const written = node.read('workspaces/w/c/r/coverage.xml')
  expect(written).toContain('<nativeName>n</nativeName>')
  expect(written).not.toMatch(/nativeCoverageName|keywords/)
})

test('an id that another object of the node has is refused', async () => {
  const node = await Node.start()
  await node.furnish()
  const taken = /<id>([^<]*)<\/id>/.exec(node.read('workspaces/w/workspace.xml'))?.[1]
  const reply = await node.ask('POST', '/rest/workspaces', `<workspace><id>${taken}</id><name>v</name></workspace>`)
  expect([reply.status, (await node.ask('GET', '/rest/workspaces/v.json')).status]).toEqual([500, 404])
})
