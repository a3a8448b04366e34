import { openSync, readFileSync, statSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { closeIndex, meta, openIndex, setMeta } from './database.ts'

const root = '/somewhere'

/** Its epoch, and why it was made again; leaves it as a process does that ends there. */
function reopened(
  stateFile: string,
  options: { readonly clean: boolean; readonly boot?: string; readonly root?: string },
) {
  const { database, remade } = openIndex({ stateFile, root: options.root ?? root, remake: false })
  const epoch = meta(database, 'epoch')
  if (options.boot !== undefined) setMeta(database, 'boot', options.boot)
  if (options.clean) closeIndex(database)
  else database.close()
  return { epoch, remade }
}

const newFile = (): string => join(temporaryFolder(), 'index.db')

describe('an index that was closed', () => {
  it.each([true, false])('goes on under the same epoch (in order: %s)', (clean) => {
    const stateFile = newFile()
    const { epoch, remade } = reopened(stateFile, { clean })
    expect(remade).toBeUndefined()
    expect(reopened(stateFile, { clean })).toEqual({ epoch, remade: undefined })
  })

  it('goes on under the same epoch when the machine was started again after that', () => {
    const stateFile = newFile()
    const { epoch } = reopened(stateFile, { clean: true, boot: 'another' })
    expect(reopened(stateFile, { clean: true }).epoch).toBe(epoch)
  })

  it('begins a new epoch when the machine stopped before that: the last moments may be lost', () => {
    const stateFile = newFile()
    const { epoch } = reopened(stateFile, { clean: false, boot: 'another' })
    const after = reopened(stateFile, { clean: false })
    expect(after.remade).toBeUndefined()
    expect(after.epoch).not.toBe(epoch)
  })
})

describe('what cannot be used is made again', () => {
  it('is of another folder', () => {
    const stateFile = newFile()
    const { epoch } = reopened(stateFile, { clean: true })
    const other = reopened(stateFile, { clean: true, root: '/elsewhere' })
    expect(other.remade).toContain('another folder')
    expect(other.epoch).not.toBe(epoch)
  })

  it('is no database at all', () => {
    const stateFile = newFile()
    writeFileSync(stateFile, 'no database '.repeat(1000))
    expect(reopened(stateFile, { clean: true }).remade).toContain('not a database')
    expect(reopened(stateFile, { clean: true }).remade).toBeUndefined()
  })

  it('is of another program', () => {
    const stateFile = newFile()
    const other = new DatabaseSync(stateFile)
    other.exec('CREATE TABLE t (x)')
    other.close()
    expect(reopened(stateFile, { clean: true }).remade).toContain('another program')
  })

  it('has another format', () => {
    const stateFile = newFile()
    reopened(stateFile, { clean: true })
    const other = new DatabaseSync(stateFile)
    other.exec('PRAGMA user_version = 999')
    other.close()
    expect(reopened(stateFile, { clean: true }).remade).toContain('format')
  })

  it('was damaged while the machine was off', () => {
    const stateFile = newFile()
    const { database } = openIndex({ stateFile, root, remake: false })
    const put = database.prepare('INSERT INTO facts (key, facts) VALUES (?, ?)')
    for (let number = 0; number < 2000; number++) put.run(`key ${number}`, 'x'.repeat(100))
    setMeta(database, 'boot', 'another')
    database.close()
    const size = statSync(stateFile).size
    const file = openSync(stateFile, 'r+')
    for (let at = 16_384; at < size; at += 4096) writeSync(file, Buffer.alloc(512, 0xee), 0, 512, at)
    closeSync(file)
    expect(reopened(stateFile, { clean: true }).remade).toBeDefined()
  })

  it('is said not to be used', () => {
    const stateFile = newFile()
    reopened(stateFile, { clean: true })
    const { database, remade } = openIndex({ stateFile, root, remake: true })
    database.close()
    expect(remade).toContain('damaged')
  })
})

it('only its owner may read it', () => {
  const stateFile = newFile()
  reopened(stateFile, { clean: true })
  expect(statSync(stateFile).mode & 0o777).toBe(0o600)
  expect(readFileSync(stateFile).byteLength).toBeGreaterThan(0)
})
