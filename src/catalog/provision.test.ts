import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readDirectory, smallDirectory } from '../../test/helpers/geoserver-directory.ts'
import { keys } from '../core/keys.ts'
import { silent } from '../core/log.ts'
import type { Entry, Store } from '../core/store.ts'
import type { FileTree } from '../core/tree.ts'
import { newBoxKeys, seal } from '../lib/sealed-box.ts'
import type { Secret } from '../lib/secret.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { KeystoreGiver } from './keystore-giver.ts'
import { keystoreMark } from './keystore.ts'
import { provision, type Provisioned, type ProvisionOptions } from './provision.ts'
import { newSealCode, typedSealCode } from '../lib/seal-code.ts'
import { giveKeystore, requestOf } from './seals.ts'

const SOON = { timeout: 10_000, interval: 10 }
const handover = { tree: 'gs', giver: 'a', receiver: 'b' }
const KEYSTORE = Buffer.from('keystore of a, which is secret')
const PASSWORD = Buffer.from('master password of a')

function write(folder: string, path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
}

function setUp(files: Record<string, string> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'provision-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const [giver, receiver] = [join(root, 'a'), join(root, 'b')]
  write(giver, 'security/geoserver.jceks', KEYSTORE)
  write(giver, 'security/masterpw/default/passwd', PASSWORD)
  write(giver, 'security/masterpw.xml', '<masterPassword/>')
  write(giver, 'security/users.txt', 'no secret file')
  const { files: portable } = readDirectory(smallDirectory())
  const contents = new Map([...portable.values()].map(({ entry, bytes }) => [entry.path, Buffer.from(bytes)]))
  for (const [path, text] of Object.entries(files)) contents.set(path, Buffer.from(text))
  const release: FileTree = {
    files: [...contents].map(([path, bytes]) => ({ path, size: bytes.byteLength, sha256: sha256(bytes) })),
    read: async (path) => await Promise.resolve(contents.get(path) ?? Buffer.alloc(0)),
  }
  const store = new MemoryStore({ clock: systemClock })
  onTestFinished(async () => await store.close())
  const deps = { store, clock: systemClock }
  const run = (more: Partial<ProvisionOptions> = {}): Promise<Provisioned> => {
    const options = { code: undefined, replaceKeystore: false, waitMs: 10_000, ...more }
    return provision({ ...deps, ...handover, dataDirectory: receiver, release, ...options })
  }
  const give = async (code: Secret | undefined): Promise<void> => {
    const request = await requestOf(deps, handover, {})
    await giveKeystore(deps, handover, { request, dataDirectory: giver, code }, {})
  }
  const asked = async (): Promise<unknown> => await requestOf(deps, handover, {}).catch(() => undefined)
  return { giver, receiver, store, deps, run, give, asked }
}

async function all(store: Store): Promise<readonly Entry[]> {
  return (await store.list('')).entries
}

test('with the code that a person brings over, a new node gets keystore, master password and what is released', async () => {
  const { giver, receiver, store, run, give, asked } = setUp()
  const code = newSealCode()
  const running = run({ code })
  await expect.poll(asked, SOON).toBeDefined()
  await give(typedSealCode(` ${code.reveal().toLowerCase().replaceAll('-', ' ')} `))
  for (const { value } of await all(store)) {
    for (const secret of [KEYSTORE, PASSWORD]) {
      expect(value).not.toContain(secret.toString())
      expect(value).not.toContain(secret.toString('base64'))
    }
    expect(value).not.toContain(code.reveal())
  }
  expect((await running).keystore).toBe('placed')
  for (const path of ['security/geoserver.jceks', 'security/masterpw/default/passwd', 'security/masterpw.xml']) {
    expect(readFileSync(join(receiver, path))).toEqual(readFileSync(join(giver, path)))
    expect(statSync(join(receiver, path)).mode & 0o777).toBe(0o600)
  }
  expect(readFileSync(join(receiver, 'workspaces/w1/store/datastore.xml'), 'utf8')).toContain('crypt1:')
  expect(await keystoreMark(receiver, 'gs')).toBe(await keystoreMark(giver, 'gs'))
  expect(await keystoreMark(receiver, 'gs')).toMatch(/^[0-9a-f]{16}$/)
})

test('a node that may share gives it by itself, and removes what it sealed once it was taken', async () => {
  const { giver: dataDirectory, store, deps, run } = setUp()
  const stop = new AbortController()
  const at = { tree: 'gs', node: 'a', dataDirectory, ...deps, log: silent }
  const giving = new KeystoreGiver({ ...at, share: true }).run(stop.signal)
  expect((await run()).keystore).toBe('placed')
  await expect.poll(async () => await store.get(keys.sealed('a', 'gs', 'b')), SOON).toBeUndefined()
  stop.abort()
  await giving.catch(() => undefined)
})

test('a node that may not share gives nothing, and nothing is changed on the one that asks', async () => {
  const { giver: dataDirectory, receiver, store, deps, run } = setUp()
  const stop = new AbortController()
  const at = { tree: 'gs', node: 'a', dataDirectory, ...deps, log: silent }
  const giving = new KeystoreGiver({ ...at, share: false }).run(stop.signal)
  await expect(run({ waitMs: 300 })).rejects.toMatchObject({ code: 'NOT_READY' })
  expect(await store.get(keys.sealed('a', 'gs', 'b'))).toBeUndefined()
  await expect(keystoreMark(receiver, 'gs')).resolves.toBeUndefined()
  stop.abort()
  await giving.catch(() => undefined)
})

test('what was sealed without the code, or with another one, is not taken', async () => {
  for (const code of [undefined, newSealCode()]) {
    const { receiver, run, give, asked } = setUp()
    const running = run({ code: newSealCode() })
    running.catch(() => undefined)
    await expect.poll(asked, SOON).toBeDefined()
    await give(code)
    await expect(running).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(keystoreMark(receiver, 'gs')).resolves.toBeUndefined()
  }
})

test('whoever puts another key into the store gets nothing that they could open, and the node takes nothing', async () => {
  const { store, run, give, asked } = setUp()
  const code = newSealCode()
  const running = run({ code })
  running.catch(() => undefined)
  await expect.poll(asked, SOON).toBeDefined()
  const thief = newBoxKeys()
  const key = keys.seal('b', 'gs')
  const request = JSON.parse((await store.get(key))?.value ?? '') as object
  const value = JSON.stringify({ ...request, publicKey: thief.publicKey })
  await store.commit({ changes: [{ op: 'put', key, value }] })
  await give(code)
  await expect(running).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('a keystore that somebody else sealed for the node is not taken where a code was agreed on', async () => {
  const { store, deps, run, asked } = setUp()
  const running = run({ code: newSealCode() })
  running.catch(() => undefined)
  await expect.poll(asked, SOON).toBeDefined()
  const { id, publicKey } = await requestOf(deps, handover, {})
  const content = { files: [{ path: 'security/geoserver.jceks', base64: 'AAAA' }] }
  const context = JSON.stringify(['keystore', 'gs', 'a', 'b', id])
  const box = seal(Buffer.from(JSON.stringify(content)), publicKey, { context })
  const value = JSON.stringify({ id, box, atMs: 1 })
  await store.commit({ changes: [{ op: 'put', key: keys.sealed('a', 'gs', 'b'), value }] })
  await expect(running).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('what was sealed for an earlier request, or was changed on the way, is not taken', async () => {
  const { store, run, give, asked } = setUp()
  const key = keys.sealed('a', 'gs', 'b')
  const first = run()
  await expect.poll(asked, SOON).toBeDefined()
  await give(undefined)
  const old = JSON.parse((await store.get(key))?.value ?? '') as { id: string; box: string }
  await first
  const again = setUp()
  const second = again.run()
  second.catch(() => undefined)
  await expect.poll(again.asked, SOON).toBeDefined()
  const { id } = await requestOf(again.deps, handover, {})
  await again.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify({ ...old, atMs: 1, id }) }] })
  await expect(second).rejects.toMatchObject({ code: 'CORRUPT' })
  const third = setUp()
  const waiting = third.run({ waitMs: 700 })
  waiting.catch(() => undefined)
  await expect.poll(third.asked, SOON).toBeDefined()
  await third.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify({ ...old, atMs: 1 }) }] })
  await expect(waiting).rejects.toMatchObject({ code: 'NOT_READY' })
})

test('another keystore that is there is not overwritten unless told, and a data directory never', async () => {
  const { receiver, run, give, asked } = setUp()
  write(receiver, 'security/geoserver.jceks', 'of b')
  const refused = run()
  refused.catch(() => undefined)
  await expect.poll(asked, SOON).toBeDefined()
  await give(undefined)
  await expect(refused).rejects.toMatchObject({ code: 'GUARD' })
  expect(readFileSync(join(receiver, 'security/geoserver.jceks'), 'utf8')).toBe('of b')
  const told = run({ replaceKeystore: true })
  await expect
    .poll(
      async () =>
        await give(undefined).then(
          () => true,
          () => false,
        ),
      SOON,
    )
    .toBe(true)
  await expect
    .poll(
      async () =>
        await give(undefined).then(
          () => 'open',
          () => 'taken',
        ),
      SOON,
    )
    .toBe('taken')
  expect((await told).keystore).toBe('replaced')
  await expect(run()).rejects.toMatchObject({ code: 'GUARD' })
})

test('a node with another version of GeoServer is refused before anything is asked for', async () => {
  const { run, asked } = setUp({ 'flotilla-geoserver.json': '{"geoserver":"2.26.2","modules":[]}' })
  await expect(run({ version: '2.25.1' })).rejects.toMatchObject({ code: 'PREPARE_FAILED' })
  expect(await asked()).toBeUndefined()
})
