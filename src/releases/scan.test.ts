import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder, writeFiles } from '../../test/helpers/folder.ts'
import { needs } from '../../test/helpers/needs.ts'
import { powerless } from '../../test/helpers/powerless.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import type { Clock } from '../core/clock.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import { ScanCache } from './scan-cache.ts'
import { scanFolder } from './scan.ts'

const options = { clock: systemClock }

/** A clock that lets a test act just before a file is read, or between two attempts. */
function clockThat(acts: { readonly beforeRead?: () => void; readonly betweenAttempts?: () => void }): Clock {
  return {
    ...systemClock,
    nowMs: () => {
      acts.beforeRead?.()
      return systemClock.nowMs()
    },
    sleep: async () => acts.betweenAttempts?.(),
  }
}

/** Counts how many files were read. */
function countingReads(): { readonly clock: Clock; reads: number } {
  const counter = { clock: clockThat({ beforeRead: () => counter.reads++ }), reads: 0 }
  return counter
}

/** So long ago that the times of the file say for sure whether it changed; its ctime cannot be set, so the clock moves. */
function later(clock: Clock, ms: number): Clock {
  return { ...clock, nowMs: () => clock.nowMs() + ms }
}

test('a folder becomes its files, sorted, with sizes and hashes', async () => {
  const folder = temporaryFolder({ 'b.xml': 'B', 'a/z.xml': 'zz', 'a.xml': '', 'a/ü.xml': 'u' })
  const tree = await scanFolder(folder, options)
  expect(tree.files).toEqual([
    { path: 'a.xml', size: 0, sha256: sha256('') },
    { path: 'a/z.xml', size: 2, sha256: sha256('zz') },
    { path: 'a/ü.xml', size: 1, sha256: sha256('u') },
    { path: 'b.xml', size: 1, sha256: sha256('B') },
  ])
  expect(tree.problems).toEqual([])
  for (const times of [1, 2]) expect([times, String(await tree.read('a/z.xml'))]).toEqual([times, 'zz'])
  await expect(tree.read('../b.xml')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('what editors, version control and .flotillaignore name is left out', async () => {
  const folder = temporaryFolder({
    'a.xml': 'a',
    'a.xml~': '',
    'a.xml.bak': '',
    '#a.xml#': '',
    '.git/config': '',
    'trash/old.xml': '',
    '.trash-1/old.xml': '',
    'notes/README.md': '',
    'drafts/b.xml': '',
    '.flotillaignore': '*.md\ndrafts/\n',
  })
  const tree = await scanFolder(folder, options)
  expect(tree.files.map(({ path }) => path)).toEqual(['a.xml'])
  expect(tree.problems).toEqual([])
})

test('pipes and sockets are left out and named, and never opened', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  execFileSync('mkfifo', [join(folder, 'pipe.xml')])
  const server = createServer().listen(join(folder, 'socket.xml'))
  onTestFinished(() => void server.close())
  const tree = await scanFolder(folder, options)
  expect(tree.files.map(({ path }) => path)).toEqual(['a.xml'])
  expect(tree.problems.map(({ severity, file }) => `${severity} ${file}`).toSorted()).toEqual([
    'warning pipe.xml',
    'warning socket.xml',
  ])
})

test('links to files inside are followed, also as Kubernetes mounts them; the root itself may be a link', async () => {
  const folder = temporaryFolder({ 'real/..v1/a.xml': 'mapped', 'real/plain.xml': 'plain' })
  symlinkSync('..v1', join(folder, 'real/..data'))
  symlinkSync('..data/a.xml', join(folder, 'real/a.xml'))
  symlinkSync('real', join(folder, 'link'))
  const tree = await scanFolder(join(folder, 'link'), options)
  expect(tree.files.map(({ path }) => path)).toEqual(['a.xml', 'plain.xml'])
  expect(tree.problems).toEqual([])
  expect(String(await tree.read('a.xml'))).toBe('mapped')
})

test.for([
  ['out of the folder', '../secret', 'out of'],
  ['to an absolute path outside', '/etc/passwd', 'out of'],
  ['out by way of a folder inside', 'sub/../../secret', 'out of'],
  ['to nothing', 'nothing', 'nowhere'],
  ['to itself', 'link.xml', 'nowhere'],
  ['to a folder', 'sub', 'folder'],
  ['to its own folder', '.', 'source folder'],
] as const)('a link %s is an error that names it', async ([, target, why]) => {
  const outer = temporaryFolder({ secret: 's', 'root/a.xml': 'a', 'root/sub/b.xml': 'b' })
  symlinkSync(target, join(outer, 'root/link.xml'))
  const tree = await scanFolder(join(outer, 'root'), options)
  expect(tree.problems).toMatchObject([{ severity: 'error', code: 'FILE_UNREADABLE', file: 'link.xml' }])
  expect(tree.problems[0]?.message).toContain(why)
  expect(tree.files.map(({ path }) => path)).toEqual(['a.xml', 'sub/b.xml'])
})

test('a folder that is exchanged for a link while its file is opened does not lead out', async () => {
  const outer = temporaryFolder({ 'elsewhere/a.xml': 'secret', 'root/sub/a.xml': 'public' })
  const sub = join(outer, 'root/sub')
  let exchanged = 0
  const clock = clockThat({
    beforeRead: () => {
      if (exchanged++ > 0) return
      renameSync(sub, `${sub}.bak`)
      symlinkSync('../elsewhere', sub)
    },
    betweenAttempts: () => undefined,
  })
  const tree = await scanFolder(join(outer, 'root'), { clock }).catch((error: unknown) => error)
  expect(exchanged).toBe(1)
  expect(JSON.stringify(tree)).not.toContain(sha256('secret'))
})

test.for([
  ['a newline', 'a\nb.xml'],
  ['a backslash', 'a\\b.xml'],
  ['a trailing dot', 'a.'],
  ['a trailing space in a folder', 'a /b.xml'],
] as const)('a name with %s is an error', async ([, name]) => {
  const folder = temporaryFolder({ 'ok.xml': '', [name]: '' })
  const tree = await scanFolder(folder, options)
  expect(tree.problems).toMatchObject([{ severity: 'error', code: 'FILE_NAME' }])
})

test('a name that is not UTF-8 is an error', async () => {
  const folder = temporaryFolder({ 'ok.xml': '' })
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xe4])]), 'latin-1')
  expect((await scanFolder(folder, options)).problems).toMatchObject([{ code: 'FILE_NAME', severity: 'error' }])
})

test('a file over the limit is an error, and is not read', async () => {
  const folder = temporaryFolder({ 'ok.xml': '', 'big.nc': '' })
  truncateSync(join(folder, 'big.nc'), 256 * 1024 * 1024 + 1)
  expect((await scanFolder(folder, options)).problems).toMatchObject([{ code: 'FILE_TOO_LARGE', file: 'big.nc' }])
})

test.for([
  ['does not exist', (): string => '/does/not/exist'],
  ['is empty', (): string => temporaryFolder()],
  ['is a file', (): string => join(temporaryFolder({ file: '' }), 'file')],
  ['holds only what is left out', (): string => temporaryFolder({ '.git/config': '', 'a~': '' })],
  ['holds only an empty folder', (): string => join(temporaryFolder({ 'root/sub/.keep': '' }), 'root')],
] as const)('a source folder that %s is refused as vanished', async ([, folder]) => {
  const clock = clockThat({})
  await expect(scanFolder(folder(), { clock })).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
})

test('a second scan reads only what changed', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`d${index % 5}/f${index}.xml`, `${index}`]),
  )
  const folder = temporaryFolder(files)
  const counter = countingReads()
  const scan = { clock: later(counter.clock, 10_000), cache: new ScanCache() }
  const first = await scanFolder(folder, scan)
  expect(counter.reads).toBe(50)
  expect((await scanFolder(folder, scan)).files).toEqual(first.files)
  expect(counter.reads).toBe(50)
  writeFileSync(join(folder, 'd0/f0.xml'), 'x')
  const third = await scanFolder(folder, scan)
  expect(counter.reads).toBe(51)
  expect(third.files.find(({ path }) => path === 'd0/f0.xml')?.sha256).toBe(sha256('x'))
  rmSync(join(folder, 'd1'), { recursive: true })
  expect((await scanFolder(folder, scan)).files).toHaveLength(40)
})

test('a file that was exchanged for one of the same size and time is noticed', async () => {
  const folder = temporaryFolder({ 'a.xml': 'old', new: 'new' })
  const then = new Date(Date.now() - 60_000)
  for (const name of ['a.xml', 'new']) utimesSync(join(folder, name), then, then)
  const scan = { clock: later(systemClock, 10_000), cache: new ScanCache() }
  await scanFolder(folder, scan)
  renameSync(join(folder, 'new'), join(folder, 'a.xml'))
  expect((await scanFolder(folder, scan)).files).toEqual([{ path: 'a.xml', size: 3, sha256: sha256('new') }])
})

test('a file that was written a moment before it was read is read again', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const counter = countingReads()
  const scan = { clock: counter.clock, cache: new ScanCache() }
  await scanFolder(folder, scan)
  await scanFolder(folder, scan)
  expect(counter.reads).toBe(2)
})

test('a file that is written while it is read is read again', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  let writes = 0
  const clock = clockThat({ beforeRead: () => writes++ === 0 && writeFileSync(join(folder, 'a.xml'), 'new') })
  expect((await scanFolder(folder, { clock })).files).toEqual([{ path: 'a.xml', size: 3, sha256: sha256('new') }])
})

test('a file that never stands still is refused as changing', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  let size = 1
  const clock = clockThat({ beforeRead: () => writeFileSync(join(folder, 'a.xml'), 'a'.repeat(++size)) })
  const scan = scanFolder(folder, { clock })
  await expect(scan).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  await expect(scan).rejects.toThrow('is changing, at "a.xml"')
})

test('a file that is moved while the folder is scanned is never missing', async () => {
  const folder = temporaryFolder({ 'a/x.xml': 'x', 'b/y.xml': 'y', 'z.xml': 'z' })
  let moved = false
  const clock = clockThat({
    beforeRead: () => {
      if (!moved) renameSync(join(folder, 'b/y.xml'), join(folder, 'a/y.xml'))
      moved = true
    },
  })
  const tree = await scanFolder(folder, { clock })
  expect(tree.files.map(({ path }) => path)).toEqual(['a/x.xml', 'a/y.xml', 'z.xml'])
})

test('a file that is renamed while another one is read is seen under one name only', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const cache = new ScanCache()
  await scanFolder(folder, { clock: later(systemClock, 10_000), cache })
  writeFiles(folder, { 'b.xml': 'b' })
  let renamed = false
  const clock = clockThat({
    beforeRead: () => {
      if (!renamed) renameSync(join(folder, 'a.xml'), join(folder, 'c.xml'))
      renamed = true
    },
  })
  const tree = await scanFolder(folder, { clock: later(clock, 10_000), cache })
  expect(tree.files.map(({ path }) => path)).toEqual(['b.xml', 'c.xml'])
})

test('a folder that vanishes at any moment of a scan is all there or vanished, never half', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`d${index % 4}/f${index}.xml`, `${index}`]),
  )
  let whole = 0
  let vanished = 0
  for (let turns = 0; turns < 60; turns++) {
    const folder = temporaryFolder(files)
    const scan = scanFolder(folder, { clock: clockThat({}) }).catch((error: unknown) => error)
    for (let turn = 0; turn < turns; turn++) await setImmediate()
    renameSync(folder, `${folder}.away`)
    const outcome = await scan
    renameSync(`${folder}.away`, folder)
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: 'SOURCE_VANISHED' })
      vanished++
    } else {
      expect(outcome).toMatchObject({ files: { length: 40 }, problems: [] })
      whole++
    }
  }
  expect(whole + vanished).toBe(60)
  expect(vanished).toBeGreaterThan(0)
})

test('a file that changed after it was listed is not read as what was listed', async () => {
  const folder = temporaryFolder({ 'a.xml': 'old', 'b.xml': 'b' })
  const tree = await scanFolder(folder, options)
  await tree.read('a.xml')
  writeFileSync(join(folder, 'a.xml'), 'new')
  await expect(tree.read('a.xml')).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  await tree.read('b.xml')
  rmSync(join(folder, 'b.xml'))
  await expect(tree.read('b.xml')).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
})

test('an aborted scan rejects with the reason', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(scanFolder(folder, options, { signal })).rejects.toThrow('enough')
})

const testAsRoot = await needs({ root: true, tools: ['setpriv'] })

/** Scans in a process of its own, to which permissions apply: root may read everything. */
function scanPowerless(folder: string): unknown {
  const script = `
    const { scanFolder } = await import(${JSON.stringify(join(import.meta.dirname, 'scan.ts'))})
    const { systemClock } = await import(${JSON.stringify(join(import.meta.dirname, '../lib/system-clock.ts'))})
    const tree = await scanFolder(${JSON.stringify(folder)}, { clock: systemClock }).catch((error) => ({ code: error.code }))
    process.stdout.write(JSON.stringify({ ...tree }))`
  const [program, args] = powerless([process.execPath, '--input-type=module', '-e', script])
  return JSON.parse(execFileSync(program, args, { encoding: 'utf8' }))
}

testAsRoot('files and folders without permission are errors that name them, the rest is listed', () => {
  const folder = temporaryFolder({ 'a.xml': 'a', 'locked.xml': 's', 'closed/b.xml': 'b', '.flotillaignore': '*.md' })
  chmodSync(join(folder, 'locked.xml'), 0)
  chmodSync(join(folder, 'closed'), 0)
  expect(scanPowerless(folder)).toMatchObject({
    files: [{ path: 'a.xml' }],
    problems: [
      { severity: 'error', code: 'FILE_UNREADABLE', file: 'closed' },
      { severity: 'error', code: 'FILE_UNREADABLE', file: 'locked.xml' },
    ],
  })
  chmodSync(join(folder, '.flotillaignore'), 0)
  expect(scanPowerless(folder)).toMatchObject({ code: 'SOURCE_VANISHED' })
})

testAsRoot('a file whose disk fails is an error that names it', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a', 'broken.xml': '' })
  execFileSync('mount', ['--bind', `/proc/${process.pid}/mem`, join(folder, 'broken.xml')])
  onTestFinished(() => void execFileSync('umount', ['-l', join(folder, 'broken.xml')]))
  expect(() => readFileSync(join(folder, 'broken.xml'))).toThrow('EIO')
  const tree = await scanFolder(folder, options)
  expect(tree.problems).toMatchObject([{ severity: 'error', code: 'FILE_UNREADABLE', file: 'broken.xml' }])
})

testAsRoot('a share that is unmounted between two scans, or during one, is never an empty folder', async () => {
  const disk = tinyDisk(64)
  writeFiles(disk, { 'b.xml': 'b' })
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const share = join(folder, 'share')
  mkdirSync(share)
  execFileSync('mount', ['--bind', disk, share])
  onTestFinished(() => {
    execFileSync('sh', ['-c', `umount -l '${share}' 2>/dev/null || true`])
  })
  const cache = new ScanCache()
  const mounted = await scanFolder(folder, { ...options, cache })
  expect(mounted.files.map(({ path }) => path)).toEqual(['a.xml', 'share/b.xml'])
  let unmounted = false
  const clock = clockThat({
    beforeRead: () => {
      if (!unmounted) execFileSync('umount', ['-l', share])
      unmounted = true
    },
  })
  await expect(scanFolder(folder, { clock, cache })).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  await expect(scanFolder(folder, { clock, cache })).rejects.toThrow('was another file system and is now empty')
})

test('a file in place of the folder is called what it is', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const scan = scanFolder(join(folder, 'a.xml'), { clock: systemClock })
  await expect(scan).rejects.toThrow('a.xml is not a folder')
})
