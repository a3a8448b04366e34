import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder, writeFiles } from '../helpers/folder.ts'
import { type Ran, run, type Running, start } from '../helpers/program.ts'

/** The file service as a process of its own, as people start it. */

const FILES = { 'icon/static/meta.json': '{"a":1}', 'icon/temperature/chunk_1.om': 'hello' }

class Service {
  readonly folder = temporaryFolder()
  readonly data = join(this.folder, 'data')
  readonly env: Record<string, string>
  running: Running | undefined
  url = ''

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.env = { XDG_STATE_HOME: join(this.folder, 'state'), ...env }
    writeFiles(this.data, FILES)
  }

  async start(...args: readonly string[]): Promise<void> {
    const tree = this.env['DATA_DIRECTORY'] === undefined ? ['--tree', `data=${this.data}`] : []
    const running = start(['files', 'serve', ...tree, '--listen', '127.0.0.1:0', ...args], this.#options)
    this.running = running
    onTestFinished(async () => void (await running.stop('SIGKILL')))
    const [, url = ''] = await running.line(/^ +curl '(http:\/\/[^/]+)\/\S+'$/)
    this.url = url
  }

  async fails(...args: readonly string[]): Promise<Ran> {
    return await run(['files', 'serve', '--listen', '127.0.0.1:0', ...args], this.#options)
  }

  async flotilla(...args: readonly string[]): Promise<Ran> {
    return await run(['files', ...args, '--url', this.url], this.#options)
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.url + path)
    return { status: answer.status, text: await answer.text() }
  }

  async until(path: string, status: number): Promise<void> {
    while ((await this.get(path)).status !== status) await delay(20)
  }

  get #options() {
    return { cwd: this.folder, env: this.env }
  }
}

test('folders are served with nothing else running; nobody may write; it ends when it is told to', async () => {
  const service = new Service()
  await service.start()
  expect(service.running?.said()).toMatch(/^reads +anybody$/m)
  expect(service.running?.said()).toMatch(/^writes +nobody: /m)
  const [, path = ''] = /^ +curl 'http:\/\/[^/]+(\/\S+)'$/m.exec(service.running?.said() ?? '') ?? []
  await service.until('/data/icon/temperature/chunk_1.om', 200)
  while (!(await service.get(path)).text.includes('<Key>icon/')) await delay(20)
  const put = await fetch(`${service.url}/data/x`, { method: 'PUT', body: 'x' })
  expect([put.status, existsSync(join(service.data, 'x'))]).toEqual([403, false])
  expect(await service.running?.stop()).toBe(0)
  // What was known is there at once when it starts again.
  await service.start()
  expect((await service.get('/data/?list-type=2')).text).toContain('chunk_1.om')
})

test('what was compiled at the start is kept for the next one, also of a service that never ends in order', async () => {
  const compiled = temporaryFolder()
  const service = new Service({ NODE_COMPILE_CACHE: compiled })
  await service.start()
  const count = (): number => readdirSync(compiled, { recursive: true }).length
  await expect.poll(count, { timeout: 20_000 }).toBeGreaterThan(100)
})

test('what Open-Meteo’s server reads from the environment is enough', async () => {
  const folder = temporaryFolder({ 'dwd_icon/static/meta.json': '{"a":1}' })
  const service = new Service({
    DATA_DIRECTORY: folder,
    API_SYNC_APIKEYS: 'one, two',
    NGINX_SENDFILE_PREFIX: '/sendfile/',
  })
  await service.start('--open-json')
  const list = '/?list-type=2&delimiter=/&prefix=data/dwd_icon/static/'
  await service.until(`${list}&apikey=two`, 200)
  const key = '<Key>data/dwd_icon/static/meta.json</Key>'
  while (!(await service.get(`${list}&apikey=one`)).text.includes(key)) await delay(20)
  expect(await service.get(`${list}&apikey=three`)).toMatchObject({ status: 401 })
  expect(await service.get('/data/dwd_icon/static/meta.json')).toEqual({ status: 200, text: '{"a":1}' })
})

test('keys that are changed count at once; a file that cannot be taken leaves what was there', async () => {
  const service = new Service()
  const keys = join(service.folder, 'keys')
  writeFileSync(keys, 'first\n', { mode: 0o600 })
  await service.start('--api-key-file', 'keys')
  const path = '/data/icon/temperature/chunk_1.om?apikey='
  await service.until(`${path}first`, 200)
  expect((await service.get('/data/icon/temperature/chunk_1.om')).status).toBe(403)
  writeFileSync(keys, 'second read data/other\nthird\n')
  await service.until(`${path}third`, 200)
  expect([(await service.get(`${path}first`)).status, (await service.get(`${path}second`)).status]).toEqual([401, 403])
  writeFileSync(keys, 'fourth read Not/A/Tree\n')
  await service.running?.line(/cannot be taken/)
  expect((await service.get(`${path}third`)).status).toBe(200)
}, 30_000)

test('what cannot be served is told in one line, with what to do, and nothing is left behind', async () => {
  const service = new Service()
  expect(await service.fails()).toMatchObject({ code: 2, stderr: expect.stringContaining('--tree NAME=DIR') as string })
  expect(await service.fails('--tree', 'Data=.')).toMatchObject({ code: 2 })
  const missing = await service.fails('--tree', 'data=nowhere')
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere') as string })
  const within = await service.fails('--tree', 'data=data', '--state', 'data/state')
  expect(within).toMatchObject({ code: 2, stderr: expect.stringContaining('--state DIR') as string })
  const open = await service.fails('--tree', 'data=data', '--open-writes', '--listen', '0.0.0.0:0')
  expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining('could write') as string })
  writeFileSync(join(service.folder, 'keys'), 'k\n')
  chmodSync(join(service.folder, 'keys'), 0o666)
  const insecure = await service.fails('--tree', 'data=data', '--api-key-file', 'keys')
  expect(insecure).toMatchObject({ code: 6, stderr: expect.stringContaining('chmod 600') as string })
  expect(existsSync(service.env['XDG_STATE_HOME'] ?? '')).toBe(false)
}, 30_000)

test('two services do not share one state, and the second one says so', async () => {
  const service = new Service()
  await service.start()
  const second = await service.fails('--tree', `data=${service.data}`)
  expect(second).toMatchObject({ code: 5, stderr: expect.stringContaining('--state DIR') as string })
})

test('what is served can be listed, looked at, explained and verified', async () => {
  const service = new Service()
  await service.start('--open-writes')
  await service.until('/data/icon/temperature/chunk_1.om', 200)
  expect((await service.flotilla('ls')).stdout).toBe('data\n')
  expect((await service.flotilla('ls', 'data/icon/')).stdout).toMatch(
    /data\/icon\/static\/\n.*data\/icon\/temperature\/\n$/,
  )
  const put = await fetch(`${service.url}/data/new.txt`, { method: 'PUT', body: 'written' })
  expect(put.status).toBe(200)
  const stat = JSON.parse((await service.flotilla('stat', 'data/new.txt', '--json')).stdout) as object
  expect(stat).toMatchObject({
    key: 'new.txt',
    size: 7,
    etag: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
  })
  expect(await service.flotilla('stat', 'data/none')).toMatchObject({ code: 1 })
  writeFileSync(join(service.data, 'part~'), 'x')
  expect(await service.flotilla('why', 'data/part~')).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('is hidden') as string,
  })
  expect(await service.flotilla('why', 'data/new.txt')).toMatchObject({ code: 0 })
  expect(await service.flotilla('verify', 'data')).toMatchObject({ code: 0 })
  const copy = join(service.folder, 'copy')
  mkdirSync(copy)
  cpSync(service.data, copy, { recursive: true })
  expect(await service.flotilla('verify', 'data', '--dir', copy)).toMatchObject({ code: 0 })
  writeFileSync(join(copy, 'new.txt'), 'Written')
  const verified = await service.flotilla('verify', 'data', '--dir', copy)
  expect(verified).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^damaged {2}data\/new.txt: md5/m) as string,
  })
}, 60_000)

test('who shows no key, or a wrong one, or names a tree that is not for it, is told what to do', async () => {
  const service = new Service()
  const file = (name: string, text: string): string => {
    writeFileSync(join(service.folder, name), `${text}\n`, { mode: 0o600 })
    return join(service.folder, name)
  }
  const keys = file('keys', 'right-key\nother-key read other')
  await service.start('--api-key-file', keys)
  await service.until('/data/icon/temperature/chunk_1.om?apikey=right-key', 200)
  for (const args of [['ls'], ['ls', 'data'], ['stat', 'data/x'], ['why', 'data/x'], ['verify', 'data']]) {
    expect(await service.flotilla(...args)).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(
        /wants a key, and none was given\n.*--apikey-file FILE, or FLOTILLA_FILES_KEY_FILE/,
      ) as string,
    })
  }
  const wrong = await service.flotilla('ls', '--apikey-file', file('wrong', 'wrong-key'))
  expect(wrong).toMatchObject({ code: 6, stderr: expect.stringMatching(/Invalid API key\n.*--api-key-file/) as string })
  const other = file('other', 'other-key')
  expect((await service.flotilla('ls', '--apikey-file', other)).stderr).toContain('no tree that may be read')
  expect((await service.flotilla('ls', 'data', '--apikey-file', other)).stderr).toContain('flotilla files ls')
  const missing = await service.flotilla('ls', '--apikey-file', join(service.folder, 'none'))
  expect(missing.stderr).toContain(`(umask 077; cat > ${service.folder}/none)`)
  const server = await service.fails('--tree', `data=${service.data}`, '--api-key-file', join(service.folder, 'none'))
  expect(server.stderr).toMatch(/KEY \[read\|write\].*\(umask 077; cat > .*\/none\)/)
}, 60_000)

test('what verify could not compare is not told as good, and a name that is nowhere is an error', async () => {
  const service = new Service()
  await service.start('--open-writes')
  await service.until('/data/icon/temperature/chunk_1.om', 200)
  const unhashed = await service.flotilla('verify', 'data')
  expect(unhashed.stdout).toMatch(/^\d files? not compared: no hash is kept/)
  await fetch(`${service.url}/data/new.txt`, { method: 'PUT', body: 'written' })
  const mixed = await service.flotilla('verify', 'data')
  expect(mixed.stdout).toMatch(/^1 file read and compared: no fault\n\d files? not compared/)
  expect(await service.flotilla('verify', 'data/nowhere')).toMatchObject({ code: 1, stdout: '' })
}, 60_000)

test('what makes no sense is told at the start: a level without children, a tree in a tree', async () => {
  const service = new Service()
  await service.start('--ack', 'all', '--tree', `inner=${service.data}/icon`)
  const said = service.running?.said() ?? ''
  expect(said).toContain('this tree has no children: `ack` makes no difference')
  expect(said).toMatch(/"tree":"inner","in":"data","msg":"a tree lies in another/)
})
