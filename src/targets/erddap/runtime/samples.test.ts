import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Sample } from '../../../core/rollout.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import type { Prepared } from './model.ts'
import { Samples } from './samples.ts'

type Serve = (request: IncomingMessage, response: ServerResponse) => void

interface Server {
  readonly url: string
  readonly asked: string[]
}

async function serve(how: Serve): Promise<Server> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    how(request, response)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/erddap`, asked }
}

const sample = (parts: Partial<Sample> = {}): Sample => ({ path: '/x.csv', status: 200, timeoutMs: 5000, ...parts })
const prepared = (...samples: readonly Sample[]): Prepared => releasedAs(1, samples)
const releasedAs = (number: number, samples: readonly Sample[]): Prepared =>
  ({ number, samples, compiled: { sha256: 'x' } }) as unknown as Prepared
const text =
  (body: string, status = 200): Serve =>
  (_, response) =>
    void response.writeHead(status).end(body)

/** What is said of one sample that is asked for once. */
async function problemOf(how: Serve | string, parts: Partial<Sample> = {}): Promise<string | undefined> {
  const url = typeof how === 'string' ? how : (await serve(how)).url
  const samples = new Samples(url, systemClock)
  for (;;) {
    const sampled = await samples.take(prepared(sample(parts)), {})
    if (sampled !== undefined) return sampled.is === 'good' ? undefined : sampled.problem.message
  }
}

describe('a sample', () => {
  test('is asked for under the configured address, as it is written', async () => {
    const { url, asked } = await serve(text('time,temp\n1,2\n'))
    const parts = { path: '/tabledap/x.csv?time,temp&time%3E=now-1day', contains: 'time,temp' }
    expect(await new Samples(url, systemClock).take(prepared(sample(parts)), {})).toEqual({ is: 'good' })
    expect(asked).toEqual(['/erddap/tabledap/x.csv?time,temp&time%3E=now-1day'])
  })

  test('with another status says which, what was expected and what came', async () => {
    expect(await problemOf(text('Error {\n  code=404;\n  message="Currently unknown datasetID=x";\n}', 404))).toBe(
      'sample /x.csv should be answered with 200; got 404, "Error { code=404; message=\\"Currently unknown datasetID=x\\"; }"',
    )
    expect(await problemOf(text('here it is'), { status: 404 })).toContain('with 404; got 200, "here it is"')
    expect(await problemOf(text('', 500))).toContain('got 500 and nothing with it')
  })

  test('without what it should hold says so; only the beginning is looked at, whatever its size', async () => {
    expect(await problemOf(text('nothing of that'), { contains: 'sst' })).toBe(
      'sample /x.csv should be answered with 200 with "sst"; got 200, "nothing of that"',
    )
    expect(await problemOf(text(`sst${' '.repeat(200_000)}`), { contains: 'sst' })).toBeUndefined()
    expect(await problemOf(text(`${' '.repeat(70_000)}sst`), { contains: 'sst' })).toContain('got 200')
  })

  test('that would not end is left at the limit', async () => {
    let sent = 0
    const endless: Serve = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384
      }
      response.on('drain', more)
      more()
    }
    const { url } = await serve(endless)
    expect(await new Samples(url, systemClock).take(prepared(sample()), {})).toEqual({ is: 'good' })
    const atEnd = sent
    await systemClock.sleep(100)
    expect(sent - atEnd).toBeLessThan(16 * 1024 * 1024)
  })

  test('is given the time that it names, and no more', async () => {
    const started = performance.now()
    expect(await problemOf(() => undefined, { timeoutMs: 200 })).toContain('no answer within 200 ms')
    expect(await problemOf((_, response) => void response.writeHead(200).write('x'), { timeoutMs: 200 })).toContain(
      'no answer within 200 ms',
    )
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('is not followed elsewhere: a redirection is an answer', async () => {
    const other = await serve(text('secret'))
    const redirect: Serve = (_, response) => void response.writeHead(302, { location: other.url }).end()
    expect(await problemOf(redirect, { contains: 'secret' })).toContain('got 302')
    expect(await problemOf(redirect, { status: 302 })).toBeUndefined()
    expect(other.asked).toEqual([])
  })

  test('that leads out of the application is not asked for', async () => {
    const { url, asked } = await serve(text('x'))
    for (const path of ['/../manager/html', '/%2e%2e/manager', '//example.org/', 'http://example.org/', '/a\r\nb: c']) {
      expect(await problemOf(url, { path })).toContain('the path leads out of the application')
    }
    expect(asked).toEqual([])
  })

  test('of an application that is gone, or breaks off, is answered with that', async () => {
    expect(await problemOf('http://127.0.0.1:9/erddap')).toContain('nothing listens there')
    const breaks: Serve = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('x')
      setTimeout(() => response.destroy(), 20)
    }
    expect(await problemOf(breaks)).toContain('got an answer that broke off after 1 bytes')
  })

  test('does not carry control characters to whoever reads what came of it', async () => {
    expect(await problemOf(text('\u001b[2Jgone\u0000', 500))).toContain('"\\\\u001b[2Jgone\\\\u0000"')
  })
})

describe('samples', () => {
  test('are asked for one after the other, the first that is wrong is told, and again until all are good', async () => {
    let isReady = false
    const { url, asked } = await serve((request, response) =>
      text('', request.url === '/erddap/b' && !isReady ? 503 : 200)(request, response),
    )
    const samples = new Samples(url, systemClock)
    const release = prepared(sample({ path: '/a' }), sample({ path: '/b' }), sample({ path: '/c' }))
    expect(await samples.take(release, {})).toMatchObject({ is: 'bad', tries: 1, problem: { code: 'SAMPLE_FAILED' } })
    expect(await samples.take(release, {})).toMatchObject({ is: 'bad', tries: 2 })
    isReady = true
    expect(await samples.take(release, {})).toEqual({ is: 'good' })
    expect(asked.splice(0)).toEqual([
      '/erddap/a',
      '/erddap/b',
      '/erddap/a',
      '/erddap/b',
      '/erddap/a',
      '/erddap/b',
      '/erddap/c',
    ])
    expect(await samples.take(release, {})).toEqual({ is: 'good' })
    expect(asked).toEqual([])
  })

  test('of another release, or after something was in doubt, are asked for anew', async () => {
    const { url, asked } = await serve(text('', 500))
    const samples = new Samples(url, systemClock)
    const release = prepared(sample())
    await samples.take(release, {})
    expect(await samples.take(prepared(sample()), {})).toMatchObject({ tries: 2 })
    expect(await samples.take(releasedAs(2, [sample()]), {})).toMatchObject({ tries: 1 })
    expect(await samples.take(release, {})).toMatchObject({ tries: 1 })
    samples.forget()
    expect(await samples.take(release, {})).toMatchObject({ tries: 1 })
    expect(asked).toHaveLength(5)
  })

  test('that take long hold nobody up, and are given up when something else is wanted', async () => {
    const waiting: ServerResponse[] = []
    const { url, asked } = await serve((_, response) => void waiting.push(response))
    const samples = new Samples(url, systemClock)
    const slow = prepared(sample({ timeoutMs: 60_000 }))
    const started = performance.now()
    expect(await samples.take(slow, {})).toBeUndefined()
    expect(await samples.take(slow, {})).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(asked).toHaveLength(1)
    const closed = new Promise((resolve) => void waiting[0]?.on('close', resolve))
    samples.forget()
    await closed
    expect(await samples.take(slow, {})).toBeUndefined()
    expect(asked).toHaveLength(2)
    waiting[1]?.end()
    expect(await samples.take(slow, {})).toEqual({ is: 'good' })
  })

  test('that are given up are no failure', async () => {
    const { url } = await serve(() => undefined)
    const stop = new AbortController()
    const taking = new Samples(url, systemClock).take(prepared(sample()), { signal: stop.signal })
    setTimeout(() => stop.abort(new Error('stopped')), 30)
    await expect(taking).rejects.toThrow('stopped')
  })
})
