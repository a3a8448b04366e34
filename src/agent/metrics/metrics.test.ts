import { appendFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { keyOf } from '../../core/routing/key.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { exposition } from '../../lib/exposition.ts'
import { parseAccessLine } from './access-line.ts'
import { metricsPage } from './page.ts'
import { Tail } from './tail.ts'
import { Traffic, TRAFFIC_LIMITS } from './traffic.ts'

const GET = '"GET /erddap/tabledap/a.csv?x HTTP/1.1"'

test.for([
  [
    'common',
    `192.0.2.1 - - [21/Nov/2026:13:00:00 +0000] ${GET} 200 1234`,
    { status: 200, bytes: 1234, seconds: undefined },
  ],
  ['Tomcat with %D', `192.0.2.1 - bob [21/Nov/2026:13:00:00 +0000] ${GET} 200 - 250`, { bytes: 0, seconds: 0.25 }],
  [
    'combined',
    `::1 - - [21/Nov/2026:13:00:00 +0000] ${GET} 404 7 "-" "curl/8 (\\"x\\")"`,
    { status: 404, seconds: undefined },
  ],
  ['combined with $request_time', `::1 - - [x] ${GET} 200 7 "-" "curl/8" 1.250`, { seconds: 1.25 }],
  [
    'our own nginx',
    `::1 - - [x] ${GET} 200 7 "-" "curl 8" 0.012 "coastBuoys" "erd1"`,
    { status: 200, bytes: 7, seconds: 0.012 },
  ],
  [
    'HAProxy',
    `Nov 21 13:00:00 lb haproxy[1]: 192.0.2.1:5 [21/Nov/2026:13:00:00.000] fe be/erd1 0/0/1/1499/1500 200 5000 - - ---- 1/1/0/0/0 0/0 ${GET}`,
    { status: 200, bytes: 5000, seconds: 1.5 },
  ],
] as const)('reads the log of %s', ([, line, expected]) => {
  expect(parseAccessLine(line)).toMatchObject({ method: 'GET', target: '/erddap/tabledap/a.csv?x', ...expected })
})

test.for(['', '-', '192.0.2.1 - - [x] "-" 400 0', '\u0016\u0003\u0001', `[x] ${GET} ${'9'.repeat(20_000)}`])(
  'passes over %j',
  (line) => expect(parseAccessLine(line)).toBeUndefined(),
)

const RULES = [{ system: 'erddap', base: '/erddap' }] as const
const datasetOf = (target: string): string | undefined => keyOf(target, RULES)?.key
const line = (target: string, status = 200) => ({ method: 'GET', target, status, bytes: 10, seconds: 0.5 })

test('divides requests into data, what describes it, and pages', () => {
  const traffic = new Traffic(datasetOf)
  for (const end of ['nc', 'csv', 'csv', 'htmlTable']) traffic.take(line(`/erddap/tabledap/a.${end}?x`))
  for (const end of ['das', 'ncml']) traffic.take(line(`/erddap/griddap/b.${end}`))
  for (const target of ['/erddap/tabledap/a.html', '/erddap/index.html', '/']) traffic.take(line(target))
  traffic.take(line('/erddap/info/a/index.json'))
  traffic.take(line('/erddap/tabledap/a.csv', 500))
  traffic.passOver()
  const page = exposition(traffic.families())
  expect(page).toContain('flotilla_access_requests_total{kind="data",dataset="a",status="2xx"} 4\n')
  expect(page).toContain('flotilla_access_requests_total{kind="data",dataset="a",status="5xx"} 1\n')
  expect(page).toContain('flotilla_access_requests_total{kind="metadata",dataset="b",status="2xx"} 2\n')
  expect(page).toContain('flotilla_access_requests_total{kind="metadata",dataset="a",status="2xx"} 1\n')
  expect(page).toContain('flotilla_access_requests_total{kind="web",dataset="",status="2xx"} 2\n')
  expect(page).toContain('flotilla_access_response_bytes_total{kind="data",dataset="a",status="2xx"} 40\n')
  expect(page).toContain('flotilla_access_request_seconds_total{kind="data",dataset="a",status="2xx"} 2\n')
  expect(page).toContain('flotilla_access_unread_lines_total 1\n')
})

test('whoever invents datasets makes no labels of them', () => {
  const traffic = new Traffic(datasetOf)
  for (let i = 0; i < 5000; i++) traffic.take(line(`/erddap/tabledap/bad${i}.csv`, 404))
  for (let i = 0; i < 5000; i++) traffic.take(line(`/erddap/tabledap/d${i}.csv`))
  const page = exposition(traffic.families())
  expect(page.match(/requests_total\{/g)?.length).toBe(TRAFFIC_LIMITS.datasets + 2)
  expect(page).toContain('{kind="data",dataset="other",status="4xx"} 5000\n')
})

test('what is in a label cannot end it', () => {
  const samples = [{ labels: { a: 'x"}\n\\' }, value: 1 }]
  expect(exposition([{ name: 'm', type: 'gauge', help: 'h', samples }])).toContain('m{a="x\\"}\\n\\\\"} 1\n')
})

test('follows a log that is rotated and truncated, and skips what was there before', async () => {
  const folder = temporaryFolder({ 'access.log': 'old\n', 'other.txt': 'x\n', 'access.log.2.gz': 'z' })
  const lines: string[] = []
  const log = join(folder, 'access.log')
  const tail = new Tail({ paths: [join(folder, 'access.log*')], onLine: (one) => lines.push(one), clock: systemClock })
  await tail.look()
  appendFileSync(log, 'one\ntw')
  await tail.look()
  appendFileSync(log, 'o\n')
  renameSync(log, join(folder, 'access.log.1'))
  writeFileSync(log, 'three\n')
  await tail.look()
  expect(lines.toSorted()).toEqual(['one', 'three', 'two'])
  truncateSync(log, 0)
  appendFileSync(log, 'f\n')
  await tail.look()
  expect(lines.at(-1)).toBe('f')
  appendFileSync(log, 'x'.repeat(100_000))
  await tail.look()
  appendFileSync(log, '\nlast\n')
  await tail.look()
  expect(lines.at(-1)).toBe('last')
  mkdirSync(join(folder, 'access.log.d'))
  await tail.look()
})

test('the page is there for GET /metrics, also where a part of it fails', async () => {
  const stop = new AbortController()
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  let running: Promise<void> = Promise.resolve()
  const port = await new Promise<number>((resolve) => {
    const parts = [async () => 'a 1\n', async () => await Promise.reject<string>(new Error('no')), async () => 'b 2\n']
    running = metricsPage({ host: '127.0.0.1', port: 0, parts, log, onListening: resolve }).run(stop.signal)
  })
  const url = `http://127.0.0.1:${port}`
  const page = await fetch(`${url}/metrics`)
  expect([page.status, await page.text()]).toEqual([200, 'a 1\nb 2\n'])
  expect((await fetch(`${url}/`)).status).toBe(404)
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404)
  stop.abort()
  await running
})
