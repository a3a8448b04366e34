import { afterEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub, type TestHubOptions } from '../../test/helpers/hub.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { join } from '../client/hub-client.ts'
import { keys } from '../core/keys.ts'
import { sha256 } from '../lib/hash.ts'
import { Secret } from '../lib/secret.ts'
import { systemClock } from '../lib/system-clock.ts'
import { ensurePeerKey } from './bootstrap.ts'
import { joinNode } from './join.ts'
import { mintToken, putToken } from './tokens.ts'

let hub: TestHub
afterEach(() => hub.close())

const open = async (options?: TestHubOptions): Promise<TestHub> => (hub = await openTestHub(options))
const code = (name: string) => ({ code: name })

describe('a join code', () => {
  it('is short, pasteable, and trades for the credential of a node', async () => {
    await open()
    const made = await hub.client.createJoinCode()
    expect(made.code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
    const answer = await join(hub.url, { code: made.code, node: 'erd1' })
    const info = await hub.as(new Secret(answer.token)).whoami()
    expect(info).toMatchObject({ label: 'node erd1', node: 'erd1' })
    expect(info.scopes).toEqual([
      'read:desired/',
      'read:release/',
      'read:request/',
      'read:list/',
      'read:drain/',
      'read:rollout/',
      'read:node/',
      'read:seal/',
      'read:flip/',
      'read:root/',
      'read:elect/',
      'read:lock/',
      'read:blob/',
      'read:peer/',
      'read:order/erd1/',
      'read:profile/node.erd1',
      'write:profile/node.erd1/params',
      'write:profile/node.erd1/meta',
      'write:node/erd1/',
      'write:seal/erd1/',
      'write:flip/',
      'write:root/',
    ])
    expect((await hub.client.nodes()).nodes).toEqual([{ node: 'erd1', liveness: 'lost', targets: {} }])
  })

  it('of an older hub gives the rights that nodes have now', async () => {
    await open()
    const minted = mintToken()
    const old = { label: 'node erd1', scopes: ['read:desired/', 'write:node/'], createdAtMs: 0, node: 'erd1' }
    await hub.store.commit({ changes: [putToken(minted.id, { ...old, hash: minted.hash })] })
    const { scopes } = await hub.as(minted.token).whoami()
    expect(scopes).toContain('read:list/')
    expect(scopes.filter((scope) => scope.startsWith('write:'))).toEqual([
      'write:profile/node.erd1/params',
      'write:profile/node.erd1/meta',
      'write:node/erd1/',
      'write:seal/erd1/',
      'write:flip/',
      'write:root/',
    ])
  })

  it('is taken as people type it', async () => {
    await open()
    const { code: made } = await hub.client.createJoinCode()
    const typed = ` ${made.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')} `
    expect(await join(hub.url, { code: typed, node: 'erd1' })).toMatchObject({ node: 'erd1' })
  })

  it('works once, also when two use it at once', async () => {
    await open()
    const made = await hub.client.createJoinCode()
    const both = await Promise.allSettled(['erd1', 'erd2'].map((node) => join(hub.url, { code: made.code, node })))
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await expect(join(hub.url, { code: made.code, node: 'erd3' })).rejects.toMatchObject(code('UNAUTHENTICATED'))
    expect((await hub.client.nodes()).nodes).toHaveLength(1)
    expect((await hub.store.list('join/')).entries).toEqual([])
  })

  it('is used up by one commit: of two that look at it in the same moment one is too late', async () => {
    await open()
    const { store } = hub
    for (let round = 0; round < 10; round++) {
      const { code: made } = await hub.client.createJoinCode()
      const nodes = [`a${round}`, `b${round}`]
      const both = await Promise.allSettled(
        nodes.map((node) => joinNode({ store, clock: systemClock }, { code: made, node })),
      )
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
    expect((await hub.client.nodes()).nodes).toHaveLength(10)
  })

  it('ends after ten minutes, and leaves nothing behind', async () => {
    const clock = new VirtualClock()
    await open({ clock })
    const made = await hub.client.createJoinCode()
    expect(made.expiresAtMs).toBe(clock.nowMs() + 600_000)
    await clock.advance(600_000)
    await expect(join(hub.url, { code: made.code, node: 'erd1' })).rejects.toMatchObject(code('UNAUTHENTICATED'))
    expect((await hub.store.list('join/')).entries).toEqual([])
  })

  it('is kept as a hash only, and there are only so many at a time', async () => {
    await open({ limits: { joinCodes: 3 } })
    const codes = [
      await hub.client.createJoinCode(),
      await hub.client.createJoinCode(),
      await hub.client.createJoinCode(),
    ]
    const entries = JSON.stringify((await hub.store.list('')).entries)
    for (const made of codes) {
      expect(entries).not.toContain(made.code)
      expect(entries).not.toContain(made.code.replaceAll('-', ''))
    }
    await expect(hub.client.createJoinCode()).rejects.toMatchObject(code('RATE_LIMITED'))
  })

  it('cannot be guessed: wrong ones lock their address out, right ones then too, until the time is over', async () => {
    const clock = new VirtualClock()
    await open({ clock, limits: { joinGuessesPerAddress: 5 } })
    const made = await hub.client.createJoinCode()
    const guesses = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => join(hub.url, { code: `AAAA-AAAA-${1000 + index}`, node: 'evil' })),
    )
    const codes = guesses.map((guess) =>
      guess.status === 'rejected' ? (guess.reason as { code: string }).code : 'joined',
    )
    expect(codes.filter((one) => one === 'UNAUTHENTICATED')).toHaveLength(5)
    expect(codes.filter((one) => one === 'RATE_LIMITED')).toHaveLength(15)
    const request = { code: made.code, node: 'erd1' }
    await expect(join(hub.url, request)).rejects.toMatchObject(code('RATE_LIMITED'))
    const { headers } = await hub.ask('POST', '/v1/join', { json: request })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(500)
    await clock.advance(590_000)
    await expect(join(hub.url, request)).rejects.toMatchObject(code('RATE_LIMITED'))
    await clock.advance(10_000)
    const fresh = await hub.client.createJoinCode()
    expect(await join(hub.url, { code: fresh.code, node: 'erd1' })).toMatchObject({ node: 'erd1' })
  })

  it('that is right does not count as a guess, however often', async () => {
    await open({ limits: { joinGuessesPerAddress: 2 } })
    for (let index = 0; index < 6; index++) await hub.node(`erd${index}`)
    expect((await hub.client.nodes()).nodes).toHaveLength(6)
  })

  it('wrong ones from everywhere together lock joining as a whole', async () => {
    await open({ limits: { joinGuesses: 3 } })
    for (let index = 0; index < 3; index++) {
      await expect(join(hub.url, { code: `AAAA-AAAA-000${index}`, node: 'x' })).rejects.toMatchObject(
        code('UNAUTHENTICATED'),
      )
    }
    await expect(join(hub.url, { code: 'AAAA-AAAA-0009', node: 'x' })).rejects.toMatchObject(code('RATE_LIMITED'))
  })
})

describe('a name that is taken', () => {
  it('is refused, and the code can still be used', async () => {
    await open()
    const first = await hub.node('erd1')
    const made = await hub.client.createJoinCode()
    await expect(join(hub.url, { code: made.code, node: 'erd1' })).rejects.toMatchObject(code('NAME_TAKEN'))
    expect((await hub.as(first).whoami()).node).toBe('erd1')
    expect(await join(hub.url, { code: made.code, node: 'erd2' })).toMatchObject({ node: 'erd2' })
  })

  it('is taken over with replace, which ends the old credential', async () => {
    await open()
    const first = await hub.node('erd1')
    const made = await hub.client.createJoinCode()
    const { token } = await join(hub.url, { code: made.code, node: 'erd1', replace: true })
    expect((await hub.ask('GET', '/v1/whoami', { token: first })).status).toBe(401)
    expect((await hub.as(new Secret(token)).whoami()).node).toBe('erd1')
    expect((await hub.client.tokens()).tokens.filter(({ node }) => node === 'erd1')).toHaveLength(1)
  })

  it('is free again once the node was forgotten, whose credential ends with it', async () => {
    await open()
    const first = await hub.node('erd1')
    await hub.client.forgetNode('erd1')
    expect((await hub.ask('GET', '/v1/whoami', { token: first })).status).toBe(401)
    expect((await hub.client.nodes()).nodes).toEqual([])
    await expect(hub.client.forgetNode('erd1')).rejects.toMatchObject(code('NOT_FOUND'))
    await hub.node('erd1')
  })

  it('of no legal form is refused before the code is looked at', async () => {
    await open()
    const made = await hub.client.createJoinCode()
    for (const node of ['', '.', '..', 'a/b', 'A', 'a b', 'a%2fb', '../x', 'é', 'x'.repeat(65), 'a..b', '-a']) {
      await expect(join(hub.url, { code: made.code, node })).rejects.toMatchObject(code('BAD_REQUEST'))
    }
    expect(await join(hub.url, { code: made.code, node: 'erd1' })).toMatchObject({ node: 'erd1' })
  })
})

describe('the key that the nodes share', () => {
  it('is another once somebody who could read it may no longer', async () => {
    await open()
    const key = async (): Promise<string | undefined> => (await hub.store.get(keys.peerKey))?.value
    const seen = new Set<string | undefined>()
    const isNew = async (): Promise<boolean> => seen.size < seen.add(await key()).size
    await ensurePeerKey(hub.store)
    const node = await hub.node('erd1')
    expect(await isNew()).toBe(true)
    const made = await hub.client.createJoinCode()
    await join(hub.url, { code: made.code, node: 'erd1', replace: true })
    expect(await isNew()).toBe(true)
    await hub.client.forgetNode('erd1')
    expect(await isNew()).toBe(true)
    const other = await hub.as(await hub.node('erd2')).whoami()
    expect(await isNew(), 'who joins changes nothing').toBe(false)
    await hub.client.revokeToken(other.id)
    expect(await isNew()).toBe(true)
    const { id } = await hub.client.createToken({ label: 'ci', scopes: ['write:release/datasets', 'read:node/'] })
    await hub.client.revokeToken(id)
    expect(await isNew(), 'that token could not read it').toBe(false)
    expect([...seen].every((value) => value?.length === 43)).toBe(true)
    expect((await hub.ask('GET', '/v1/whoami', { token: node })).status).toBe(401)
  })
})

it('a node may release the trees that its join code says it is a source of, and no others', async () => {
  await open()
  const { code: made } = await hub.client.createJoinCode({ sources: ['gs'] })
  const source = hub.as(new Secret((await hub.client.join({ code: made, node: 'a' })).token))
  const other = hub.as(await hub.node('b'))
  const bytes = Buffer.from('x=1\n')
  const file = { path: 'a.txt', size: bytes.byteLength, sha256: sha256(bytes) }
  const request = { kind: 'lines', files: [file], message: 'first' }
  await source.putBlob(file.sha256, bytes)
  await expect(other.putBlob(file.sha256, bytes)).rejects.toMatchObject(code('FORBIDDEN'))
  await expect(source.release('other', request)).rejects.toMatchObject(code('FORBIDDEN'))
  await expect(other.release('gs', request)).rejects.toMatchObject(code('FORBIDDEN'))
  expect((await source.release('gs', request)).release.author).toBe('node a')
  expect((await source.whoami()).scopes).toEqual(expect.arrayContaining(['write:release/gs', 'write:blob/']))
  const again = await hub.client.createJoinCode()
  const replaced = hub.as(new Secret((await hub.client.join({ code: again.code, node: 'a', replace: true })).token))
  await expect(replaced.release('gs', request)).rejects.toMatchObject(code('FORBIDDEN'))
})

it('who may not release a tree makes no code for a source of it', async () => {
  await open()
  const doorman = hub.as(await hub.token(['write:join/']))
  await expect(doorman.createJoinCode({ sources: ['gs'] })).rejects.toMatchObject(code('FORBIDDEN'))
  await doorman.createJoinCode()
})
