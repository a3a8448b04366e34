import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../lib/system-clock.ts'
import { erddapMetrics } from './erddap-metrics.ts'

const STATUS = `<html><pre>Current time is 2026-11-20T10:15:30-08:00
Last major LoadDatasets started 15m 2s ago and finished after 12 seconds.
nGridDatasets  = 52
nTableDatasets = 9
nTotalDatasets = 61
n Datasets Failed To Load (in the last major LoadDatasets) = 2
    a, b, (end)
Unique users (since startup)                            n = 12
Response Failed    Time (since last major LoadDatasets) n =        3,  median ~= 0 ms
Response Succeeded Time (since last major LoadDatasets) n =       40,  median ~= 5 ms
</pre></html>`
const OWN = `# HELP dataset_count Datasets
# TYPE dataset_count gauge
dataset_count{category="grid"} 52
http_request_duration_seconds_bucket{dataset_id="x",le="0.1"} 5
load_datasets_duration_seconds_sum{major="true"} 12.5
`

async function server(pages: Readonly<Record<string, string>>): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const one = createServer((request, answer) => {
    asked.push(request.url ?? '')
    const page = pages[request.url ?? '']
    answer.writeHead(page === undefined ? 404 : 200).end(page)
  }).listen(0, '127.0.0.1')
  await once(one, 'listening')
  onTestFinished(() => void one.close())
  return { url: `http://127.0.0.1:${(one.address() as AddressInfo).port}/erddap`, asked }
}

test('numbers of the status page, and of its own metrics those that are few', async () => {
  const { url, asked } = await server({ '/erddap/status.html': STATUS, '/erddap/metrics': OWN })
  const metrics = erddapMetrics({ url, timeoutMs: 5000, clock: systemClock })
  const page = await metrics()
  expect(page).toContain('erddap_up 1\n')
  expect(page).toContain('erddap_datasets{type="grid"} 52\nerddap_datasets{type="table"} 9\n')
  expect(page).toContain('erddap_datasets_failed 2\n')
  expect(page).toContain('erddap_last_major_load_seconds 12\n')
  expect(page).toContain('erddap_responses{result="failed"} 3\nerddap_responses{result="succeeded"} 40\n')
  expect(page).toContain('dataset_count{category="grid"} 52\n')
  expect(page).toContain('load_datasets_duration_seconds_sum{major="true"} 12.5\n')
  expect(page).not.toContain('dataset_id')
  await Promise.all([metrics(), metrics(), metrics()])
  expect(asked).toHaveLength(2)
})

test('an ERDDAP without its own metrics, and one that is away', async () => {
  const { url } = await server({ '/erddap/status.html': STATUS })
  expect(await erddapMetrics({ url, timeoutMs: 5000, clock: systemClock })()).toContain(
    'erddap_datasets{type="grid"} 52',
  )
  const away = erddapMetrics({ url: 'http://127.0.0.1:1/erddap', timeoutMs: 1000, clock: systemClock })
  expect(await away()).toBe('# HELP erddap_up 1 when ERDDAP answers.\n# TYPE erddap_up gauge\nerddap_up 0\n')
})
