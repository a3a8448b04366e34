import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { PEER_HEADER } from '../../core/files/peer-wire.ts'
import { Connection } from './connection.ts'

/** Answers with and without its length, as `isTold` says at the moment. */
async function open(isTold: () => boolean) {
  let asked = 0
  const server = createServer((request, response) => {
    asked += 1
    request.resume()
    const told = isTold() ? { 'content-length': 5 } : {}
    response.writeHead(200, { [PEER_HEADER]: '1', ...told })
    response.write('whole')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { readonly port: number }
  const connection = new Connection({ server: `http://127.0.0.1:${port}`, nowMs: () => 0 })
  onTestFinished(async () => {
    await connection.close()
    server.close()
  })
  const ask = async (): Promise<number> => {
    const before = asked
    expect(String(await connection.askWhole('trees/t/batch', '[]', 100, undefined))).toBe('whole')
    return asked - before
  }
  return ask
}

test('an answer whose length is told is asked for once', async () => {
  const ask = await open(() => true)
  expect([await ask(), await ask()]).toEqual([1, 1])
})

test('where something in between keeps the lengths to itself, that is found out once', async () => {
  const ask = await open(() => false)
  expect([await ask(), await ask(), await ask()]).toEqual([2, 1, 1])
})
