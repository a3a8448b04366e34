import { expect, test } from 'vitest'
import { files, remote, Sandbox, servedTitle, text, until } from './test-kit.ts'

test('hanging, it takes connections and never answers, and answers again when it stops hanging', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start()
  erddap.misbehave('hang')
  await expect(fetch(`${erddap.url}/version`, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/)
  erddap.misbehave('none')
  expect(await text(erddap, 'version')).toContain('ERDDAP_version')
})

test('slow, it answers late', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start({ slowMs: 200 })
  erddap.misbehave('slow')
  const before = performance.now()
  await text(erddap, 'version')
  expect(performance.now() - before).toBeGreaterThanOrEqual(190)
})

test('stale, it takes the flag and serves the old definition', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start()
  erddap.misbehave('stale')
  box.write(remote('a', 'A2'))
  await box.flagged(erddap, 'flag', 'a')
  await box.flagged(erddap, 'hardFlag', 'a')
  expect(await servedTitle(erddap, 'a')).toBe('A')
  erddap.misbehave('none')
  await box.flagged(erddap, 'flag', 'a')
  expect(await servedTitle(erddap, 'a')).toBe('A2')
})

test('lying, allDatasets lists what failed to load, and the pages of the dataset do not know it', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'), files('bad', 'B', '/no/such/folder'))
  const erddap = await box.start()
  await until('the put-off dataset was tried again', () => erddap.stats.loads.some(({ kind }) => kind === 'flag'))
  const list = () => text(erddap, 'tabledap/allDatasets.csv0?datasetID')
  expect(await list()).not.toContain('bad')
  erddap.misbehave('lie')
  expect(await list()).toContain('bad')
  expect(await servedTitle(erddap, 'bad')).toBeUndefined()
})
