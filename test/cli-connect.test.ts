import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runCli } from './helpers/cli.ts'

test('whoever took the address from `up` here is told so when nothing listens there, not when the hub has no store', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'flotilla-connect-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const body = JSON.stringify({ error: { code: 'UNREACHABLE', message: 'no member of etcd can be used' } })
  const server = createServer((_request, answer) => {
    answer.writeHead(503, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  mkdirSync(join(cwd, '.flotilla'))
  const { port } = server.address() as AddressInfo
  writeFileSync(join(cwd, '.flotilla', 'url'), `http://127.0.0.1:${port}\n`)
  writeFileSync(join(cwd, '.flotilla', 'admin.token'), 'flt_x\n', { mode: 0o600 })
  const list = () => runCli(['profile', 'list'], { cwd })
  const noStore = await list()
  expect([noStore.code, noStore.err]).toEqual([7, expect.stringContaining('no member of etcd can be used')])
  expect(noStore.err).not.toContain('The address is from')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  const gone = await list()
  expect([gone.code, gone.err]).toEqual([7, expect.stringContaining('The address is from')])
})
