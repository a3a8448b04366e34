import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { openFileServer } from './helpers/file-server.ts'
import { temporaryFolder, writeFiles } from './helpers/folder.ts'
import { fedTree, type FedTree, putOf } from './helpers/memory-distribution.ts'
import { needs } from './helpers/needs.ts'

const test = await needs({ tools: ['wget', 'curl'] })
const run = promisify(execFile)
const CHILD = 'child.example:8081'
const DAY_MS = 86_400_000
const WGET = 'wget --recursive --level=20 --no-host-directories --cut-dirs=2 --no-parent --reject "index.html*"'

/** As a person would in a terminal, in that folder. */
async function sh(folder: string, command: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', ...more }
  const { stdout } = await run('/bin/sh', ['-c', command], { cwd: folder, env, timeout: 60_000 })
  return stdout
}

/** Path → content. */
function filesBelow(folder: string): Readonly<Record<string, string>> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  const paths = all.map((one) => join(one.parentPath, one.name)).toSorted()
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}

const TODAY = {
  'song.mp3': 'one',
  'a b/plus+and&.nc': 'two',
  'deep/er/100%?#"quoted"\'.txt': 'three',
}

/** What is in them leads to what is not missing. */
const YESTERDAY = {
  'page.html': '<a href="there.txt">not missing</a><a href="../music/there.txt">nor this</a>',
  'style.css': '@import "there.txt";',
  'colon:name/é.txt': 'four',
}

function treeOf(): FedTree {
  const tree = fedTree('music', { ...TODAY, ...YESTERDAY, 'there.txt': 'the child has it' })
  const { distribution } = tree
  distribution.add(CHILD)
  distribution.add('other.example:8082')
  const now = Date.now()
  for (const [key, content] of Object.entries(TODAY)) distribution.lack(CHILD, putOf(key, content), now)
  for (const [key, content] of Object.entries(YESTERDAY)) distribution.lack(CHILD, putOf(key, content), now - DAY_MS)
  distribution.lack(CHILD, { key: 'gone.txt', version: { epoch: 1, sequence: 9 }, gone: true }, now, 'no route')
  distribution.lack('other.example:8082', putOf('there.txt', 'x'), now)
  return tree
}

const below = (files: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(files).map(([key, content]) => [`music/${key}`, content]))

/** What wget leaves of pages: nginx.filedist's clients know it. They lie beside the trees. */
const isPage = (path: string): boolean => /^(?:\d{4}-\d{2}-\d{2}\.log\.html|child\.example:8081)$/.test(path)

/** The command that follows the line of the readme that begins so. */
async function commandAfter(url: string, comment: string): Promise<string> {
  const lines = (await (await fetch(`${url}/__readme.txt`)).text()).split('\n')
  const at = lines.findIndex((line) => line.startsWith(comment))
  expect(at).toBeGreaterThan(-1)
  return lines.slice(at + 1).find((line) => !line.startsWith('#')) ?? ''
}

test('wget fetches what is missing, all of it and nothing else, to where it belongs', async () => {
  const { url } = await openFileServer({ trees: [treeOf()], open: { openWrites: true } })
  const command = await commandAfter(url, '# Get all missing files')
  expect(command).toBe(`${WGET} ${url}/__missing__/${CHILD}/`)
  // With and without the slash, as its own readme had it.
  for (const one of [command, command.slice(0, -1)]) {
    const folder = temporaryFolder()
    await sh(folder, one)
    const found = Object.entries(filesBelow(folder)).filter(([path]) => !isPage(path))
    expect(Object.fromEntries(found)).toEqual(below({ ...TODAY, ...YESTERDAY }))
  }
})

test('wget fetches what is missing since today', async () => {
  const { url } = await openFileServer({ trees: [treeOf()], open: { openWrites: true } })
  const folder = temporaryFolder()
  await sh(folder, await commandAfter(url, '# Get missing files of today'))
  const found = Object.entries(filesBelow(folder)).filter(([path]) => !isPage(path))
  expect(Object.fromEntries(found)).toEqual(below(TODAY))
})

test('what wget would save under the name of another file is no link; the script fetches it', async () => {
  const tree = fedTree('music', { '50%': 'plain', '50%25': 'escaped', 'a%20b': 'no space' })
  tree.distribution.add(CHILD)
  for (const key of tree.index.files.keys()) tree.distribution.lack(CHILD, putOf(key, 'x'), Date.now())
  const { url } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const folder = temporaryFolder()
  await sh(folder, await commandAfter(url, '# Get all missing files'))
  const found = Object.entries(filesBelow(folder)).filter(([path]) => !isPage(path))
  expect(Object.fromEntries(found)).toEqual({ 'music/50%': 'plain' })
  await sh(folder, await commandAfter(url, '# By hand'))
  expect(filesBelow(folder)).toMatchObject({
    'music/50%': 'plain',
    'music/50%25': 'escaped',
    'music/a%20b': 'no space',
  })
})

test('the script fetches what is missing, whatever it is called, removes what is gone, and says what it could not do', async () => {
  const tree = treeOf()
  const odd = { "it's $(touch owned); `x`\n": 'odd', '../../escape': 'dots', 'end/': 'slash', '-o': 'dash', empty: '' }
  for (const [key, content] of Object.entries(odd)) {
    tree.index.put(key, content)
    tree.distribution.lack(CHILD, putOf(key, content), 1)
  }
  tree.distribution.lack(CHILD, putOf('changed', 'x', { sha256: 'f'.repeat(64) }), 1)
  tree.index.put('changed', 'another')
  const { url } = await openFileServer({ trees: [tree], keys: 'k3y read\n' })
  const parent = temporaryFolder()
  const folder = join(parent, 'in')
  mkdirSync(folder)
  writeFiles(folder, { 'music/gone.txt': 'old', 'music/song.mp3': 'older', 'music/changed': 'before' })
  const script = await (
    await fetch(`${url}/__missing__/${CHILD}/catchup.sh`, { headers: { authorization: 'Bearer k3y' } })
  ).text()
  writeFiles(folder, { 'catchup.sh': script })
  const failure = await sh(folder, 'sh catchup.sh', { FLOTILLA_KEY: 'k3y' }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining('failed: music/changed') })
  const { 'in/catchup.sh': _, ...found } = filesBelow(parent)
  const escaped = 'in/music/.flotilla-key-'
  expect(found).toEqual({
    ...Object.fromEntries(
      Object.entries({ ...TODAY, ...YESTERDAY }).map(([key, content]) => [`in/music/${key}`, content]),
    ),
    "in/music/it's $(touch owned); `x`\n": 'odd',
    [`${escaped}..%2F..%/escape`]: 'dots',
    [`in/music/end/.flotilla-key-`]: 'slash',
    'in/music/-o': 'dash',
    'in/music/empty': '',
    'in/music/changed': 'before',
  })
})

test('where there is no script, or only a part of it, nothing more is done, and the end is a failure', async () => {
  const tree = treeOf()
  const { url } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const folder = temporaryFolder()
  writeFiles(folder, { 'music/gone.txt': 'old' })
  const command = await commandAfter(url, '# By hand')
  for (const wrong of [command.replace(CHILD, 'nobody:1'), command.replace(url, 'http://127.0.0.1:9')]) {
    await expect(sh(folder, wrong)).rejects.toMatchObject({
      code: expect.any(Number),
      stderr: expect.stringContaining('curl: '),
    })
  }
  tree.distribution.lack(CHILD, { key: "it's", version: { epoch: 1, sequence: 10 }, gone: true }, 1)
  writeFiles(folder, { 'music/it': 'not meant', "music/it's": 'meant' })
  const script = await (await fetch(`${url}/__missing__/${CHILD}/catchup.sh`)).text()
  const at = script.indexOf("gone 'music/it'")
  for (const length of [at + "gone 'music/it'".length, at]) {
    writeFiles(folder, { half: script.slice(0, length) })
    await expect(sh(folder, 'cat half | sh')).rejects.toMatchObject({ stderr: expect.stringContaining('failed: ') })
  }
  writeFiles(folder, { half: script.slice(0, 200) })
  await expect(sh(folder, 'cat half | sh')).rejects.toMatchObject({ code: 2 })
  expect(filesBelow(folder)).toMatchObject({ 'music/it': 'not meant', "music/it's": 'meant' })
  writeFiles(folder, { whole: script })
  await sh(folder, 'cat whole | sh')
  expect(filesBelow(folder)).not.toHaveProperty("music/it's")
})

test('a deletion that cannot be done is named, and ends in a failure', async () => {
  const { url } = await openFileServer({ trees: [treeOf()], open: { openWrites: true } })
  const folder = temporaryFolder({ 'music/gone.txt/in': 'a folder is there' })
  await expect(sh(folder, await commandAfter(url, '# By hand'))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('failed: music/gone.txt'),
  })
})

test('wget brings all files of a tree to a new node, also those that only a child has', async () => {
  const tree = fedTree('music', { ...TODAY, ...YESTERDAY })
  const child = tree.distribution.add(CHILD, { 'only/there': 'kept below' })
  tree.distribution.files = ({ after, limit }) =>
    [...child.tree.index.files.keys()]
      .filter((key) => key > after)
      .slice(0, limit)
      .map((key) => putOf(key, 'kept below'))
  for (let at = 0; at < 25; at++) tree.index.put(`many/${at}`, `${at}`)
  const { url } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const folder = temporaryFolder()
  await sh(folder, await commandAfter(url, '# Download all files to a new node'))
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`many/${at}`, `${at}`]))
  expect(filesBelow(folder)).toEqual({ ...TODAY, ...YESTERDAY, ...many, 'only/there': 'kept below' })
})

test('every curl command of the readme works', async () => {
  const tree = treeOf()
  const { url } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const folder = temporaryFolder({ PATH_TO_SOMEFILE: 'a song' })
  expect(await sh(folder, await commandAfter(url, '# Save a file'))).toMatch(/^HTTP\/1\.1 201 .*stored: 6bytes/ms)
  expect(await sh(folder, await commandAfter(url, '# Likewise, and be answered'))).toMatch(/level=quorum; reached=yes/)
  expect(await sh(folder, await commandAfter(url, '# Look at it'))).toMatch(/^HTTP\/1\.1 200 /)
  expect(await sh(folder, `curl -fsS -H Range:bytes=0-99 ${url}/music/some/path/file.mp3`)).toBe('a song')
  expect(await sh(folder, await commandAfter(url, '# Delete a file'))).toMatch(/^HTTP\/1\.1 200 .*removed/s)
  await sh(folder, await commandAfter(url, '# By hand'))
  expect(filesBelow(folder)).toMatchObject(below({ ...TODAY, ...YESTERDAY }))
})
