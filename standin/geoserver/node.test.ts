import { spawn } from 'node:child_process'
import { readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { changes, snapshot } from './session-kit.ts'
import { Node, sld, SLD, until } from './test-kit.ts'

test('two nodes that start on nothing differ in their secrets and the date of their security folder, and in nothing else', async () => {
  const [one, two] = [await Node.start(), await Node.start()]
  const different = Object.keys(changes(snapshot(one.directory), snapshot(two.directory)))
  const secrets = ['geoserver.jceks', 'masterpw.digest', 'masterpw/default/passwd'].map((name) => `security/${name}`)
  const dated = ['layers.properties', 'services.properties', 'version.properties'].map((name) => `security/${name}`)
  expect([...secrets, ...dated]).toEqual(expect.arrayContaining(different))
  expect(different).toEqual(expect.arrayContaining(secrets))
})

test('a restart changes nothing on disk', async () => {
  const node = await Node.start()
  await node.furnish()
  const before = snapshot(node.directory)
  await node.geoserver.close()
  await Node.start({ dataDirectory: node.directory })
  expect(changes(before, snapshot(node.directory))).toEqual({})
})

test('files are written to a temporary one beside them, then renamed; a new one is there empty first', async () => {
  const node = await Node.start()
  await node.furnish()
  const seen: string[] = []
  const watcher = watch(join(node.directory, 'workspaces/w/styles'), (_, name) => void seen.push(name ?? ''))
  onTestFinished(() => watcher.close())
  await node.must('POST', '/rest/workspaces/w/styles?name=new&raw=true', sld('new'), SLD)
  await until('both files were seen', () => seen.includes('new.sld') && seen.includes('new.xml'))
  const temporary = /^new\.sld\.[0-9a-f-]{36}\.tmp$/
  expect(seen.some((name) => temporary.test(name))).toBe(true)
  expect(seen.indexOf('new.sld')).toBeLessThan(seen.findIndex((name) => temporary.test(name)))
  expect(readdirSync(join(node.directory, 'workspaces/w/styles')).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('each misbehaviour shows, and ends', async () => {
  const node = await Node.start({ slowMs: 50 })
  const status = async (): Promise<number> => (await node.ask('GET', '/rest/about/version.json')).status
  for (const [how, wanted] of [
    ['rest-401', 401],
    ['rest-403', 403],
    ['rest-500', 500],
    ['none', 200],
  ] as const) {
    node.geoserver.misbehave(how)
    expect(await status()).toBe(wanted)
  }
  node.geoserver.misbehave('down')
  await expect(status()).rejects.toThrow('fetch failed')
  node.geoserver.misbehave('slow')
  const begun = performance.now()
  expect(await status()).toBe(200)
  expect(performance.now() - begun).toBeGreaterThan(40)
  node.geoserver.misbehave('hang')
  const hanging = fetch(`${node.geoserver.url}/wms`, { signal: AbortSignal.timeout(100) })
  await expect(hanging).rejects.toThrow('timeout')
  await node.geoserver.close()
})

test('objects that need a plug-in fail without it, over REST and at a reload, and are there with it', async () => {
  const CSS = 'application/vnd.geoserver.geocss+css'
  const [with_, without] = [await Node.start({ modules: ['gs-css', 'gs-netcdf'] }), await Node.start()]
  for (const node of [with_, without]) await node.must('POST', '/rest/workspaces', { workspace: { name: 'w' } })
  const store = { coverageStore: { name: 'c', type: 'NetCDF', url: 'file:data/x.nc' } }
  await with_.must('POST', '/rest/styles?name=c', '* { fill: red }', CSS)
  await with_.must('POST', '/rest/workspaces/w/coveragestores', store)
  expect((await without.ask('POST', '/rest/styles?name=c', '* { fill: red }', CSS)).status).toBe(500)
  expect((await without.ask('POST', '/rest/workspaces/w/coveragestores', store)).status).toBe(500)
  expect(await with_.must('GET', '/rest/about/manifest.json')).toContain('gs-netcdf-2.26.2')

  without.write('styles/c.xml', with_.read('styles/c.xml'))
  await without.must('POST', '/rest/reload')
  expect((await without.ask('GET', '/rest/styles/c.json')).status).toBe(404)
})

test('a user that REST adds may come in when it has the role, and no more when it is gone', async () => {
  const node = await Node.start()
  const status = async (): Promise<number> => {
    const headers = { authorization: `Basic ${btoa('jo:secret-1')}` }
    return (await fetch(`${node.geoserver.url}/rest/workspaces.json`, { headers })).status
  }
  await node.must('POST', '/rest/security/usergroup/users', {
    user: { userName: 'jo', password: 'secret-1', enabled: true },
  })
  expect(await status()).toBe(401)
  await node.must('POST', '/rest/security/roles/role/ADMIN/user/jo')
  expect(await status()).toBe(200)
  await node.must('DELETE', '/rest/security/usergroup/user/jo')
  expect(await status()).toBe(401)
})

test('as a process it prints its URL, serves, and ends when told', async () => {
  const args = ['standin/geoserver/main.ts', '--data-directory', Node.folder(), '--version', '2.27.0']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const { value: url } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  const headers = { authorization: `Basic ${btoa('admin:geoserver')}` }
  const version = await fetch(`${String(url)}/rest/about/version.json`, { headers })
  expect(await version.text()).toContain('"Version":"2.27.0"')
  const down = await fetch(new URL('/stand-in/misbehave/rest-500', String(url)))
  expect(down.status).toBe(200)
  expect((await fetch(`${String(url)}/rest/about/version.json`, { headers })).status).toBe(500)
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})
