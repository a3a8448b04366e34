import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { memoryTree, openFileServer } from '../../../test/helpers/file-server.ts'
import { openOpenMeteoServer } from '../../../test/helpers/open-meteo-server.ts'
import { Secret } from '../../lib/secret.ts'
import { type Detected, detectSource } from './detect-source.ts'

const nowMs = Date.now
const KEY = 'a-key-of-ten'

async function serverThat(answer: (path: string, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => answer(request.url ?? '', response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a Flotilla tells itself, and the trees that may be read, in one request', async () => {
  const trees = [memoryTree('one'), memoryTree('two')]
  const { url, server } = await openFileServer({ trees, keys: `${KEY} read two` })
  expect(await detectSource({ url, nowMs, apikey: new Secret(KEY) })).toEqual({ kind: 'flotilla', trees: ['two'] })
  expect(server.figures.requests).toBe(1)
})

test('a Flotilla that wants a key, or another, says so', async () => {
  const { url } = await openFileServer({ trees: [memoryTree('one')], keys: KEY })
  await expect(detectSource({ url, nowMs })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  const wrong = detectSource({ url, nowMs, apikey: new Secret('another') })
  await expect(wrong).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('a server of Open-Meteo is told by how it words errors', async () => {
  const server = await openOpenMeteoServer({ apikey: KEY })
  onTestFinished(async () => server.close())
  expect(await detectSource({ url: server.url, nowMs })).toEqual({ kind: 'open-meteo' })
  expect(server.requests).toHaveLength(1)
})

test('a server of Open-Meteo behind one that lets only files and listings through is told by its listing', async () => {
  const inner = await openOpenMeteoServer({ apikey: KEY })
  onTestFinished(async () => inner.close())
  const url = await serverThat((path, response) => {
    const relay = async (): Promise<void> => void response.end(await (await fetch(inner.url + path.slice(1))).text())
    if (path.startsWith('/?')) void relay()
    else response.writeHead(404, { 'content-type': 'text/html' }).end('<html>404</html>')
  })
  expect(await detectSource({ url, nowMs, apikey: new Secret(KEY) })).toEqual({ kind: 'open-meteo' })
})

const ERROR = (code: string): string => `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code></Error>`

test.for([
  ['Amazon', 403, ERROR('AccessDenied')],
  ['a service without that bucket', 404, ERROR('NoSuchBucket')],
  ['a service that knows no such name', 400, ERROR('InvalidBucketName')],
  [
    'a service with a namespace',
    404,
    '<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>NoSuchKey</Code></Error>',
  ],
] as const)('%s is S3', async ([, status, body]) => {
  const url = await serverThat((_, response) => response.writeHead(status).end(body))
  expect(await detectSource({ url: `${url}/bucket/prefix`, nowMs })).toEqual({ kind: 's3' } satisfies Detected)
})

test.for([
  ['a page', 200, '<html>It works!</html>'],
  ['nothing', 204, ''],
  ['something that fails', 500, 'oops'],
] as const)('%s is none of them', async ([, status, body]) => {
  const url = await serverThat((_, response) => response.writeHead(status).end(body))
  await expect(detectSource({ url, nowMs })).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test.for(['ftp://host/', 'no url', 'http://user:secret@host/'])('%j is no URL of a source', async (url) => {
  const failure: unknown = await detectSource({ url, nowMs }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'USAGE' })
  if (url.includes('secret')) expect(String(failure)).not.toContain('secret')
})
