import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { fedTree, type FedTree, putOf } from '../../test/helpers/memory-distribution.ts'
import { sendRaw } from '../../test/helpers/raw-http.ts'
import { dayOf } from '../compat/filedist/text.ts'

const EVIL = `<script>alert(1)</script>&"'\u0000\u001b[2J`
const OPEN = { openWrites: true }

function lackingTree(): FedTree {
  const tree = fedTree('music', { a: 'content', 'page.html': '<a href="x">x</a>' })
  tree.distribution.add('child:81')
  return tree
}

test('whatever a key, a child or an error is called, a page shows it and does nothing else', async () => {
  const key = EVIL.replace('\u0000', '')
  const tree = fedTree('music', { [key]: 'x' })
  const name = `child"><script>/x\n`
  tree.distribution.add(name)
  tree.distribution.lack(name, putOf(key, 'x'), 1, EVIL)
  tree.distribution.lack(name, { key: `gone${key}`, version: { epoch: 1, sequence: 2 }, gone: true }, 1, EVIL)
  const { url } = await openFileServer({ trees: [tree], open: OPEN })
  const segment = 'child___script__x_'
  const pages = ['', `${segment}/`, `${segment}/${dayOf(1)}.log.html`].map((path) => `/__missing__/${path}`)
  for (const path of [...pages, '/__index__/', '/__index__/music/', '/__index__/music/?after=']) {
    const answer = await fetch(url + path)
    const text = await answer.text()
    expect([path, answer.status]).toEqual([path, 200])
    expect(text).not.toMatch(/<script|[\u0000-\u0009\u000b-\u001f]/)
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'")
  }
  const script = await (await fetch(`${url}/__missing__/${segment}/catchup.sh`)).text()
  // Read by a shell, and not run.
  execFileSync('/bin/sh', ['-n'], { input: script })
  expect(script.split('\n').filter((line) => line.includes('script>/x'))).toEqual([
    expect.stringMatching(/^# What child"><script>\/x {2}lacks/),
  ])
  const lines = (await (await fetch(`${url}/__missing__/${segment}/catchup.jsonl`)).text()).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ tree: 'music', key, size: 1, error: EVIL, version: '1.1' }),
    expect.objectContaining({ tree: 'music', key: `gone${key}`, gone: true, version: '1.2' }),
  ])
})

test('deletions, and what wget would put elsewhere, are no links', async () => {
  const tree = lackingTree()
  for (const key of ['../x', 'a//b', 'end/', '.flotilla-x', 'back~', 'tab\there']) {
    tree.distribution.lack('child:81', putOf(key, 'x'), 1)
  }
  tree.distribution.lack('child:81', { key: 'gone', version: { epoch: 1, sequence: 2 }, gone: true }, 1)
  tree.distribution.lack('child:81', putOf('a:b/c d', 'x'), 1, 'no route')
  const { url } = await openFileServer({ trees: [tree], open: OPEN })
  const text = await (await fetch(`${url}/__missing__/child:81/${dayOf(1)}.log.html`)).text()
  expect([...text.matchAll(/href="([^"]*)"/g)].map(([, link]) => link)).toEqual(['./music/a%3Ab/c%20d'])
  expect(text).toContain('error: child:81/music/gone failed to remove: it is on its way, since 1970-')
  expect(text).toContain('</a> failed to store: no route, since 1970-')
})

test('a file under its other name is the file, and never a page whose links wget would follow', async () => {
  const { url } = await openFileServer({ trees: [lackingTree()], open: OPEN })
  for (const base of ['/__missing__/child:81/music', '/__index__/music']) {
    const answer = await fetch(`${url}${base}/page.html`, { headers: { range: 'bytes=0-1' } })
    expect([answer.status, await answer.text()]).toEqual([206, '<a'])
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect((await fetch(`${url}${base}/none`)).status).toBe(404)
  }
  for (const path of [
    '/__missing__/child:81/other/x',
    '/__missing__/child:81/music',
    '/__missing__/nobody/',
    '/__index__/other/',
  ]) {
    expect((await fetch(url + path)).status).toBe(404)
  }
})

test('pages are asked for with GET and HEAD only, and a folder without its slash leads to it', async () => {
  const tree = lackingTree()
  const { url } = await openFileServer({ trees: [tree], open: OPEN })
  for (const path of ['/__missing__/', '/__missing__/child:81/x.log.html', '/__index__/music/a', '/__readme.txt']) {
    for (const method of ['PUT', 'DELETE', 'POST']) {
      const answer = await fetch(url + path, { method, ...(method === 'PUT' && { body: 'x' }) })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    }
  }
  expect([...tree.index.files.keys()]).toEqual(['a', 'page.html'])
  const head = await fetch(`${url}/__index__/music/`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const moved = await fetch(`${url}/__missing__/child:81`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([301, '/__missing__/child:81/'])
})

test('who may read nothing sees no page, and nobody sees more than they may read', async () => {
  const tree = lackingTree()
  tree.index.put('open/b', 'b')
  for (const key of ['a', 'open/b']) tree.distribution.lack('child:81', putOf(key, 'x'), 1)
  const hidden = memoryTree('hidden', { secret: 'x' })
  const { url } = await openFileServer({ trees: [tree, hidden], keys: 'k read music/open\n' })
  const paths = [
    '/__missing__/',
    '/__missing__/child:81/catchup.jsonl',
    '/__index__/',
    '/__index__/music/a',
    '/__readme.txt',
  ]
  for (const path of paths) expect((await fetch(url + path)).status).toBe(403)
  const ask = async (path: string): Promise<string> =>
    await (await fetch(url + path, { headers: { authorization: 'Bearer k' } })).text()
  expect(await ask('/__missing__/child:81/catchup.jsonl')).toMatch(/^\{"tree":"music","key":"open\/b"[^\n]*\n$/)
  expect(await ask('/__index__/')).not.toContain('hidden')
  expect(await ask('/__index__/music/?after=')).toMatch(/open\/b/)
  expect(await ask('/__index__/music/?after=')).not.toMatch(/page\.html/)
  expect(await ask('/__index__/music/a')).toContain('AccessDenied')
  expect(await ask('/__index__/hidden/')).toContain('NoSuchKey')
})

test('a large tree is on many pages, none of them deep, and each file is on one, also while files come and go', async () => {
  const tree = fedTree('music')
  for (let at = 0; at < 25_000; at++) tree.index.put(`f/${String(at).padStart(5, '0')}`, 'x')
  const { url } = await openFileServer({ trees: [tree], open: OPEN })
  const overview = await (await fetch(`${url}/__index__/music/`)).text()
  const pages = [...overview.matchAll(/href="\.\/([^"]*)"/g)].map(([, link = '']) => link.replaceAll('&amp;', '&'))
  expect(pages).toHaveLength(3)
  expect(overview).toContain('25000 files')
  tree.index.put('f/00000-new', 'x')
  tree.index.put('f/99999', 'x')
  const keys: string[] = []
  for (const page of pages) {
    const text = await (await fetch(`${url}/__index__/music/${page}`)).text()
    keys.push(...[...text.matchAll(/href="\.\/([^"]*)"/g)].map(([, key = '']) => key))
  }
  expect(keys).toEqual([...tree.index.files.keys()].toSorted())
  for (const query of ['?after=%00', '?after=x&to=!', '?after=&to=////']) {
    expect((await fetch(`${url}/__index__/music/${query}`)).status).toBe(400)
  }
})

test('the readme names this server as whoever asks calls it, in words that a shell takes as they are', async () => {
  const { url, port } = await openFileServer({ trees: [lackingTree()], open: OPEN })
  const ask = async (host: string): Promise<string> =>
    (await sendRaw(url, `GET /__readme.txt HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)).text
  expect(await ask('files.example:8080')).toContain(' http://files.example:8080/music/some/path/file.mp3')
  for (const host of ['x;touch /tmp/owned', '$(id)', 'a b', "a'b", '`id`', '<b>']) {
    const text = await ask(host)
    expect(text).not.toContain(host)
    expect(text).toContain(` http://127.0.0.1:${port}/music/`)
  }
  const named = await openFileServer({ trees: [lackingTree()], open: OPEN, publicUrl: 'https://cdn.example/' })
  expect(await (await fetch(`${named.url}/__readme.txt`)).text()).toContain(
    ' https://cdn.example/music/some/path/file.mp3',
  )
})

test('these names are no trees, and trees are none of them', async () => {
  const tree = lackingTree()
  tree.index.put('__missing__/x', 'a file')
  const { url } = await openFileServer({ trees: [tree], open: OPEN })
  expect(await (await fetch(`${url}/music/__missing__/x`)).text()).toBe('a file')
  expect((await fetch(`${url}/__missingx`)).status).toBe(404)
})
