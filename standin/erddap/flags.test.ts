import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { files, remote, Sandbox, servedTitle, until } from './test-kit.ts'

test('a flag reloads its dataset and nothing else', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'), remote('b', 'B'), remote('c', 'C'))
  const erddap = await box.start()
  const seen = erddap.stats.events.length
  box.write(remote('a', 'A2'), remote('b', 'B2'), remote('c', 'C2'))
  await box.flagged(erddap, 'flag', 'b')
  expect(erddap.stats.events.slice(seen)).toMatchObject([{ id: 'b', event: 'loaded', by: 'flag', title: 'B2' }])
  expect(await servedTitle(erddap, 'a')).toBe('A')
  expect(readFileSync(erddap.log, 'utf8')).toContain('*** constructing EDDGridFromDap b\n')
})

test('the flag file is gone before the load begins, and the old version is served until the new one is ready', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start({ loadMs: 100 })
  box.write(remote('a', 'A2'))
  box.flag('flag', 'a')
  await until('the load runs', () => erddap.stats.loads.length === 2)
  expect(readdirSync(join(box.bigParentDir, 'flag'))).toEqual([])
  let title = await servedTitle(erddap, 'a')
  while (title === 'A') title = await servedTitle(erddap, 'a')
  expect(title).toBe('A2')
})

test('a hard flag unloads the dataset first and deletes its index', async () => {
  const box = new Sandbox()
  box.write(files('abc', 'A', box.data))
  const erddap = await box.start()
  await until('the dataset is served', () => erddap.served().includes('abc'))
  const index = join(box.bigParentDir, 'dataset/bc/abc/fileTable.nc')
  expect(existsSync(index)).toBe(true)
  box.write(files('abc', 'A', '/no/such/folder'))
  await box.flagged(erddap, 'hardFlag', 'abc')
  expect(erddap.stats.events.map(({ event, by }) => `${event} by ${by}`)).toEqual([
    'loaded by flag',
    'unloaded by hardFlag',
  ])
  expect(existsSync(index)).toBe(false)
})

test('a bad-files flag unloads the dataset too, and keeps its index', async () => {
  const box = new Sandbox()
  box.write(files('abc', 'A', box.data))
  const erddap = await box.start()
  await until('the dataset is served', () => erddap.served().includes('abc'))
  await box.flagged(erddap, 'badFilesFlag', 'abc')
  expect(erddap.stats.events.map(({ event, by }) => `${event} by ${by}`)).toEqual([
    'loaded by flag',
    'unloaded by badFilesFlag',
    'loaded by badFilesFlag',
  ])
  expect(existsSync(join(box.bigParentDir, 'dataset/bc/abc/fileTable.nc'))).toBe(true)
})

test('a new dataset is loaded by its own flag and by no other', async () => {
  const box = new Sandbox()
  box.write(remote('old', 'Old'))
  const erddap = await box.start()
  box.write(remote('old', 'Old'), remote('new', 'New'))
  await box.flagged(erddap, 'flag', 'old')
  expect(erddap.served()).toEqual(['old'])
  await box.flagged(erddap, 'flag', 'new')
  expect(erddap.served()).toEqual(['old', 'new'])
})

test('a removed dataset stays served after a flag of its own, and goes with a hard flag or a tombstone', async () => {
  const box = new Sandbox()
  const all = ['a', 'b', 'keep'].map((id) => remote(id, id))
  box.write(...all)
  const erddap = await box.start()
  const tombstone = '<dataset type="EDDGridFromDap" datasetID="b" active="false"></dataset>'
  box.write(remote('keep', 'keep'), tombstone)
  await box.flagged(erddap, 'flag', 'a')
  expect(erddap.served()).toEqual(['a', 'b', 'keep'])
  await box.flagged(erddap, 'flag', 'b')
  expect(erddap.served()).toEqual(['a', 'keep'])
  await box.flagged(erddap, 'hardFlag', 'a')
  expect(erddap.served()).toEqual(['keep'])
})

test('flags are not looked at while a load runs', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'), remote('b', 'B'))
  const erddap = await box.start({ loadMs: 200 })
  box.flag('flag', 'a')
  await until('a is loading', () => erddap.stats.loads.length === 2)
  box.flag('flag', 'b')
  await until('b was loaded', () => erddap.stats.events.filter(({ id }) => id === 'b').length === 2)
  expect(erddap.stats.loads.map(({ tried }) => tried)).toEqual([['a', 'b'], ['a'], ['b']])
  expect(erddap.stats.overlappingLoads).toBe(0)
})

test('a load takes a flag itself when it comes past the dataset before the next poll', async () => {
  const box = new Sandbox()
  box.write(remote('b', 'B'))
  const erddap = await box.start({ loadMs: 200 })
  box.write(remote('new', 'New'), remote('b', 'B2'))
  const major = erddap.majorLoad()
  await until('the new one is loading', () => erddap.stats.loads.at(-1)?.tried[0] === 'new')
  box.flag('flag', 'b')
  await major
  expect(erddap.stats.flags).toMatchObject([{ id: 'b', by: 'load' }])
  expect(await servedTitle(erddap, 'b')).toBe('B2')
  expect(readFileSync(erddap.log, 'utf8')).toContain('*** reloading datasetID=b because it was in the flag directory.')
})

test('two kinds of flag in one poll start two loads at once, and that is counted', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'), remote('b', 'B'))
  const erddap = await box.start({ pollMs: 300, loadMs: 50 })
  await until('it is quiet', () => erddap.stats.loads.length === 1)
  box.flag('hardFlag', 'a')
  box.flag('flag', 'b')
  await until(
    'both were loaded again',
    () => erddap.stats.events.filter(({ event }) => event === 'loaded').length === 4,
  )
  expect(erddap.stats.pollsWithSeveralKinds).toBe(1)
  expect(erddap.stats.overlappingLoads).toBe(1)
})

test('many flags of one kind are one load', async () => {
  const box = new Sandbox()
  const ids = Array.from({ length: 20 }, (_, index) => `d${index}`)
  box.write(...ids.map((id) => remote(id, id)))
  const erddap = await box.start({ pollMs: 500 })
  for (const id of ids) box.flag('flag', id)
  await until('all are loaded again', () => erddap.stats.events.length === 40)
  expect(erddap.stats.loads).toHaveLength(2)
  expect(erddap.stats.loads[1]?.tried).toEqual(ids)
})

test('odd names are deleted, unknown ids are deleted and ignored, folders are left alone', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start()
  mkdirSync(join(box.bigParentDir, 'flag', 'folder'))
  writeFileSync(join(box.bigParentDir, 'flag', 'not an id!'), '')
  await box.flagged(erddap, 'flag', 'nobody')
  expect(readdirSync(join(box.bigParentDir, 'flag'))).toEqual(['folder'])
  expect(erddap.stats.flags.map(({ id }) => id)).toEqual(['nobody'])
  expect(erddap.stats.loads.at(-1)?.tried).toEqual([])
  expect(readFileSync(erddap.log, 'utf8')).toContain(`because it isn't a valid datasetID.`)
})

test('a flag that was lost to a broken file is made good by the next major load, whatever the age of the dataset', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const erddap = await box.start()
  box.write('<oops/>', remote('a', 'A2'))
  await box.flagged(erddap, 'flag', 'a')
  expect(await servedTitle(erddap, 'a')).toBe('A')
  box.write(remote('a', 'A2'))
  await erddap.majorLoad()
  expect(await servedTitle(erddap, 'a')).toBe('A2')
})
