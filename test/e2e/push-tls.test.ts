import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { API_KEY, type FileService, startFileService } from '../helpers/file-service.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { run } from '../helpers/program.ts'
import { noise } from '../helpers/s3-clients.ts'
import { selfSigned } from '../helpers/self-signed.ts'
import { openTlsNginx } from '../helpers/tls-nginx.ts'

/** A child that is reached by https only, its certificate signed by nobody that the system knows. */
vi.setConfig({ testTimeout: 120_000 })

const test = await needs({ tools: ['nginx', 'openssl'] })
const MIB = 1024 * 1024
const PATIENT = { timeout: 20_000, interval: 100 }
const KEYS = `${API_KEY} write\nfeeder parent music\n`
const bearer = { authorization: `Bearer ${API_KEY}` }

async function started(args: readonly string[] = []): Promise<FileService> {
  const service = await startFileService({ trees: ['music'], keys: KEYS, args })
  onTestFinished(async () => service.stop())
  return service
}

function keyIn(folder: string, content = 'feeder\n'): string {
  const file = join(folder, 'feeder')
  writeFileSync(file, content, { mode: 0o600 })
  return file
}

const urlOf = (service: FileService, key: string): string => `${service.url}/music/${key}`

test('small and large files, deletions, and what is read from it: a child with https gets them like any other', async () => {
  const child = await started()
  const front = await openTlsNginx(child.url, child.folder)
  const key = keyIn(child.folder)
  const root = await started(['--child', front.url, '--child-key-file', key, '--child-ca', front.certificate])
  for (const [name, content] of Object.entries({ 'a/small': Buffer.from('x'), 'a/large': noise(5 * MIB + 3, 12) })) {
    const answer = await fetch(`${urlOf(root, name)}?ack=all`, {
      method: 'PUT',
      body: new Uint8Array(content),
      headers: bearer,
    })
    expect(answer.status, await answer.text()).toBe(201)
    expect(readFileSync(child.at('music', name)).equals(content)).toBe(true)
  }
  rmSync(root.at('music', 'a/large'))
  await vi.waitFor(async () => {
    const read = await fetch(urlOf(root, 'a/large'), { headers: bearer })
    expect([read.status, (await read.arrayBuffer()).byteLength]).toEqual([200, 5 * MIB + 3])
  }, PATIENT)
  const gone = await fetch(`${urlOf(root, 'a/small')}?ack=all`, { method: 'DELETE', headers: bearer })
  expect(gone.status).toBe(200)
  expect(existsSync(child.at('music', 'a/small'))).toBe(false)
})

test('a certificate of nobody that is known is not believed, and it is told what to do', async () => {
  const child = await started()
  const front = await openTlsNginx(child.url, child.folder)
  const key = keyIn(child.folder)
  const other = selfSigned(temporaryFolder()).certificate
  for (const more of [[], ['--child-ca', other]]) {
    const root = await started(['--child', front.url, '--child-key-file', key, ...more])
    const put = await fetch(urlOf(root, 'a'), { method: 'PUT', body: 'x', headers: bearer })
    expect(put.status).toBe(201)
    await vi.waitFor(() => expect(root.program.said()).toMatch(/not trusted/), PATIENT)
    expect(root.program.said()).toMatch(/--child-ca FILE/)
    expect(existsSync(child.at('music', 'a'))).toBe(false)
  }
})

test('what a child is not known by is refused at the start: S3 credentials, a file that is no certificate', async () => {
  const folder = temporaryFolder({ 'music/a': 'x', 'no-certificate': 'x' })
  const serve = async (args: readonly string[]): Promise<string> => {
    const tree = ['--tree', `music=${join(folder, 'music')}`, '--state', join(folder, 'state')]
    const ran = await run(['files', 'serve', '--listen', '127.0.0.1:0', ...tree, ...args], { cwd: folder })
    expect(ran.code).not.toBe(0)
    return ran.stderr
  }
  const child = ['--child', 'https://127.0.0.1:1']
  const aws = keyIn(folder, '[default]\naws_access_key_id = A\naws_secret_access_key = s\n')
  const said = await serve([...child, '--child-key-file', aws])
  expect(said).toMatch(/does not hold a key[^]*by a key alone, not by S3 credentials.*KEY parent TREE/)
  expect(said).not.toContain('aws_access_key_id')
  expect(await serve([...child, '--child-ca', 'no-certificate'])).toMatch(/no-certificate holds no certificate/)
  expect(await serve([...child, '--child-ca', 'absent'])).toMatch(/absent holds no certificate/)
  expect(await serve(['--child', 'http://127.0.0.1:1', '--child-ca', 'x'])).toMatch(/for children with https/)
  expect(await serve(['--child', 'https://ACCESS:SECRET@127.0.0.1:1'])).not.toContain('SECRET@')
  writeFileSync(join(folder, 's3'), 'A:s parent music\n', { mode: 0o600 })
  expect(await serve(['--s3-credentials', 's3'])).toMatch(/s3:1: a parent shows a key, no S3 credentials/)
})
