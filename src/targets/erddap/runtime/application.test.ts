import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../lib/system-clock.ts'
import { ApplicationClient } from './application.ts'

/** What is learnt of the datasets from an ERDDAP whose list is this. */
async function listingOf(csv: string): Promise<ReadonlyMap<string, string> | undefined> {
  const server = createServer(({ url = '' }, answer) => {
    if (url === '/version') answer.end('ERDDAP_version=2.29.0\n')
    else if (url.startsWith('/tabledap/allDatasets')) answer.end(csv)
    else answer.writeHead(404).end()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const application = await new ApplicationClient({ url, timeoutMs: 20_000, clock: systemClock }).look({})
  if (application.is !== 'up') throw new Error('it is not up')
  return application.listing
}

const rows = (count: number, row: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => row(i)).join('')

test('a list of more datasets than any ERDDAP has is read, with ids as long as they may be', async () => {
  const long = await listingOf(
    rows(20_000, (index) => `${String(index).padStart(255, 'x')},EDDTableFromMultidimNcFiles\n`),
  )
  expect(long?.size).toBe(20_000)
  const many = await listingOf(rows(100_000, (index) => `station_${index}_ctd,EDDTableFromNcFiles\n`))
  expect(many?.size).toBe(100_000)
  expect(many?.get('station_7_ctd')).toBe('EDDTableFromNcFiles')
})

test.for([
  ['too many rows', rows(100_001, (index) => `a${index},b\n`)],
  ['too many bytes', `a,b\n${'\n'.repeat(8 * 1024 * 1024)}`],
] as const)('a list with %s says nothing, rather than a part of it', async ([, csv]) => {
  expect(await listingOf(csv)).toBeUndefined()
})

test('rows that are none are no datasets, however many cells they have', async () => {
  expect(await listingOf(`a,b\n${','.repeat(6_000_000)}\n"\n\nb,c\n`)).toEqual(
    new Map([
      ['a', 'b'],
      ['b', 'c'],
    ]),
  )
})
