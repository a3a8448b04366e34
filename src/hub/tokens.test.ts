import type { IncomingMessage } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub, type TestHubOptions } from '../../test/helpers/hub.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { Secret } from '../lib/secret.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import { ensureAdminToken, ensurePeerKey } from './bootstrap.ts'
import { mintToken, parseToken } from './tokens.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

async function open(options?: TestHubOptions): Promise<TestHub> {
  const hub = await openTestHub(options)
  opened.unshift(hub)
  return hub
}

function inMemory(): MemoryStore {
  const store = new MemoryStore({ clock: systemClock })
  opened.push(store)
  return store
}

const code = (name: string) => ({ code: name })

describe('a token', () => {
  it('has 256 random bits, and the store keeps only the hash of them', async () => {
    const hub = await open()
    const secrets = [hub.admin, await hub.token(['read:x/'])].map((token) => token.reveal())
    for (const secret of secrets) {
      expect(secret).toMatch(/^flt_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
      expect(Buffer.from(secret.slice(21), 'base64url')).toHaveLength(32)
    }
    const { entries } = await hub.store.list('')
    for (const secret of secrets) expect(JSON.stringify(entries)).not.toContain(secret.slice(21))
    expect(new Set(Array.from({ length: 100 }, () => mintToken().token.reveal())).size).toBe(100)
  })

  it('is known by its whole text only', async () => {
    const hub = await open()
    const text = hub.admin.reveal()
    for (const wrong of [
      text.slice(0, -1),
      `${text}A`,
      text.toUpperCase(),
      text.replace('flt_', 'FLT_'),
      ` ${text} x`,
    ]) {
      expect((await hub.ask('GET', '/v1/whoami', { token: wrong })).status).toBe(401)
    }
    expect(parseToken(`${text}\n`)).toBeUndefined()
    expect((await hub.ask('GET', '/v1/whoami', { headers: { authorization: `bearer ${text}` } })).status).toBe(200)
  })

  it('tells who it is', async () => {
    const hub = await open()
    const token = await hub.token(['read:node/', 'write:x/y'], { label: 'Ops é', ttlMs: 60_000 })
    const info = await hub.as(token).whoami()
    expect(info).toMatchObject({ label: 'Ops é', scopes: ['read:node/', 'write:x/y'] })
    expect((info.expiresAtMs ?? 0) - info.createdAtMs).toBe(60_000)
    const { tokens } = await hub.client.tokens()
    expect(tokens.map(({ label }) => label)).toEqual(['admin', 'Ops é'])
    expect(tokens[1]).toEqual(info)
  })

  it('cannot make one that may do more than itself', async () => {
    const hub = await open()
    const maker = hub.as(await hub.token(['write:token/', 'read:node/a', 'write:x/']))
    const make = (...scopes: readonly string[]) => maker.createToken({ label: 'x', scopes })
    for (const scope of ['write:', 'read:', 'read:node/', 'read:node/ab', 'write:node/a', 'write:x', 'write:xy/']) {
      await expect(make('write:x/', scope)).rejects.toMatchObject(code('FORBIDDEN'))
    }
    await expect(make('read:node/a', 'read:node/a/b', 'write:x/', 'write:token/')).resolves.toBeDefined()
    for (const scope of ['execute:x', 'read', 'read:é', 'read:a b', `read:${'x'.repeat(257)}`]) {
      await expect(make(scope)).rejects.toMatchObject(code('BAD_REQUEST'))
    }
  })

  it('that ends cannot make one that outlives it', async () => {
    const hub = await open()
    const token = await hub.token(['write:token/', 'read:x/'], { ttlMs: 60_000 })
    const maker = hub.as(token)
    const { expiresAtMs: end } = await maker.whoami()
    for (const more of [{}, { ttlMs: 3_600_000 }]) {
      const made = await maker.createToken({ label: 'x', scopes: ['read:x/'], ...more })
      expect(made.expiresAtMs).toBe(end)
    }
    const shorter = await maker.createToken({ label: 'x', scopes: ['read:x/'], ttlMs: 5000 })
    expect(shorter.expiresAtMs).toBeLessThan(end ?? 0)
  })

  it('ends when it is revoked: at once, at every hub of the store, and with it its open watches', async () => {
    const store = inMemory()
    const one = await open({ store })
    const two = await open({ store, admin: one.admin })
    const token = await one.token(['read:x/', 'write:x/'])
    const signal = new AbortController().signal
    const watches = [one, two].map((hub) => {
      const remote = openRemoteStore({ url: hub.url, token })
      opened.unshift(remote)
      return { remote, reader: remote.watch('x/', { after: 0, signal })[Symbol.asyncIterator]() }
    })
    const first = watches.map(({ reader }) => reader.next())
    await watches[0]!.remote.commit({ changes: [{ op: 'put', key: 'x/a', value: '' }] })
    for (const result of first) expect((await result).done).toBe(false)
    const next = watches.map(({ reader }) => reader.next())
    next.forEach((result) => void result.catch(() => undefined))
    const since = performance.now()
    const { id } = await one.as(token).whoami()
    await two.client.revokeToken(id)
    for (const hub of [two, one]) {
      await expect.poll(() => hub.ask('GET', '/v1/whoami', { token }).then(({ status }) => status)).toBe(401)
    }
    for (const result of next) await expect(result).rejects.toMatchObject(code('UNAUTHENTICATED'))
    expect(performance.now() - since).toBeLessThan(5000)
    await expect(one.client.revokeToken(id)).rejects.toMatchObject(code('NOT_FOUND'))
  })

  it('ends with the uploads it has under way, however slow they are', async () => {
    const hub = await open()
    const token = await hub.token(['write:blob/', 'write:release/'])
    const { id } = await hub.as(token).whoami()
    const hash = 'a'.repeat(64)
    const taken: IncomingMessage[] = []
    hub.hub.app.server.on('request', (request: IncomingMessage) => taken.push(request))
    const uploads = [`/v1/blobs/${hash}`, '/v1/trees/datasets/files/a.txt?kind=lines'].map((path) => {
      const body = new ReadableStream({ start: (out) => out.enqueue(Buffer.from('the beginning')) })
      const headers = { authorization: `Bearer ${token.reveal()}` }
      return fetch(`${hub.url}${path}`, { method: 'PUT', body, duplex: 'half', headers }).then(
        ({ status }) => status,
        () => 'cut',
      )
    })
    // No body is read before it is known who sends it.
    await expect.poll(() => taken.filter(({ readableDidRead }) => readableDidRead).length).toBe(2)
    const since = performance.now()
    await hub.client.revokeToken(id)
    expect(await Promise.all(uploads)).toEqual(['cut', 'cut'])
    expect(performance.now() - since).toBeLessThan(5000)
    expect(await hub.client.hasBlob(hash)).toBe(false)
  })

  it('is refused on the hub that revoked it from the very next request', async () => {
    const hub = await open()
    for (let round = 0; round < 20; round++) {
      const token = await hub.token(['read:x/'])
      const { id } = await hub.as(token).whoami()
      await hub.client.revokeToken(id)
      expect((await hub.ask('GET', '/v1/whoami', { token })).status).toBe(401)
    }
  })

  it('made by one hub is good at another at once', async () => {
    const store = inMemory()
    const one = await open({ store })
    const two = await open({ store, admin: one.admin })
    for (let round = 0; round < 20; round++) {
      const token = await one.token(['read:x/'])
      expect((await two.ask('GET', '/v1/whoami', { token })).status).toBe(200)
    }
  })

  it('ends when its time is over, with the watches it has open', async () => {
    const clock = new VirtualClock()
    const hub = await open({ clock })
    const token = await hub.token(['read:x/'], { ttlMs: 60_000 })
    const remote = openRemoteStore({ url: hub.url, token })
    opened.unshift(remote)
    const reader = remote.watch('x/', { after: 0, signal: new AbortController().signal })[Symbol.asyncIterator]()
    const next = reader.next()
    next.catch(() => undefined)
    await expect.poll(() => hub.hub.app.server.connections ?? 1).toBeGreaterThan(0)
    expect((await hub.ask('GET', '/v1/whoami', { token })).status).toBe(200)
    await clock.advance(59_999)
    expect((await hub.ask('GET', '/v1/whoami', { token })).status).toBe(200)
    await clock.advance(6000)
    expect((await hub.ask('GET', '/v1/whoami', { token })).status).toBe(401)
    await expect(next).rejects.toMatchObject(code('UNAUTHENTICATED'))
  })

  it('that has expired is removed when the next one is made', async () => {
    const clock = new VirtualClock()
    const hub = await open({ clock })
    await hub.token(['read:x/'], { ttlMs: 60_000, label: 'brief' })
    await clock.advance(60_001)
    await hub.token(['read:x/'], { label: 'next' })
    expect((await hub.client.tokens()).tokens.map(({ label }) => label)).toEqual(['admin', 'next'])
  })

  it('is looked up in the store while the tokens cannot be followed, so that none outlives its revocation', async () => {
    const inner = inMemory()
    let broken = true
    const store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'watch' && broken) {
          return () => {
            throw new Error('no watches today')
          }
        }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const blind = await open({ store })
    const seeing = await open({ store: inner, admin: blind.admin })
    const token = await seeing.token(['read:x/'])
    expect((await blind.ask('GET', '/v1/whoami', { token })).status).toBe(200)
    const { id } = await seeing.as(token).whoami()
    await seeing.client.revokeToken(id)
    expect((await blind.ask('GET', '/v1/whoami', { token })).status).toBe(401)
    expect(blind.lines.some(({ message }) => message === 'tokens cannot be followed')).toBe(true)
    broken = false
  })
})

describe('the first token', () => {
  it('is made once, kept while it is good, and made anew when it was lost', async () => {
    const store = inMemory()
    const deps = { store, clock: systemClock }
    const first = await ensureAdminToken(deps)
    expect(first.created).toBe(true)
    expect(await ensureAdminToken(deps, first.token)).toEqual({ token: first.token, created: false })
    const second = await ensureAdminToken(deps)
    expect(second.created).toBe(true)
    expect((await store.list('token/')).entries).toHaveLength(1)
    const third = await ensureAdminToken(deps, first.token)
    expect(third.created).toBe(true)
    expect((await store.list('token/')).entries[0]?.key).toBe(`token/${parseToken(third.token.reveal())?.id}`)
  })

  it('is one, also when several start at once', async () => {
    const store = inMemory()
    const made = await Promise.all(Array.from({ length: 5 }, () => ensureAdminToken({ store, clock: systemClock })))
    expect(made.every(({ created }) => created)).toBe(true)
    expect((await store.list('token/')).entries).toHaveLength(1)
    const keys = await Promise.all(Array.from({ length: 5 }, () => ensurePeerKey(store)))
    expect(new Set(keys.map((key) => key.reveal())).size).toBe(1)
  })

  it('is not any token: one with fewer rights, or an end, is not kept as it', async () => {
    const store = inMemory()
    const hub = await open({ store })
    const deps = { store, clock: systemClock }
    const narrow = await hub.token(['read:'])
    const brief = await hub.token(['read:', 'write:'], { ttlMs: 60_000 })
    for (const token of [narrow, brief, new Secret('nonsense')]) {
      expect((await ensureAdminToken(deps, token)).created).toBe(true)
    }
  })
})
