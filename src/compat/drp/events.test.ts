import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { WebSocket } from 'ws'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { selfSigned } from '../../../test/helpers/self-signed.ts'
import type { Secret } from '../../lib/secret.ts'
import { PREFIX } from './answers.ts'
import { drpFace } from './face.ts'

const test = await needs({ tools: ['openssl'] })

interface Frame {
  readonly Time: string
  readonly Type: string
  readonly Action: string
  readonly Key: string
  readonly Principal: string
  readonly Object: { readonly Params?: object } | null
  readonly Original: { readonly Params?: object } | null
}

let hub: TestHub
let url = ''
let names = 0
const folder = mkdtempSync(join(tmpdir(), 'flotilla-drp-'))

beforeAll(async () => {
  hub = await openTestHub({ faces: [drpFace()] })
  const { key, certificate } = selfSigned(folder)
  const address = { host: '127.0.0.1', port: 0, prefix: PREFIX } as const
  url = (await hub.hub.listenSecurely({ ...address, key: readFileSync(key), certificate: readFileSync(certificate) }))
    .url
})
afterAll(async () => {
  await hub.close()
  rmSync(folder, { recursive: true, force: true })
})

const ask = (method: string, path: string, json?: unknown) =>
  hub.ask(method, `/api/v3${path}`, { token: hub.admin, ...(json !== undefined && { json }) })

/** A connection as the client opens one: it believes any certificate. */
async function open(token: Secret | string = hub.admin, headers: Record<string, string> = {}) {
  const shown = typeof token === 'string' ? token : `Bearer ${token.reveal()}`
  const socket = new WebSocket(`${url.replace('https', 'wss')}/api/v3/ws`, {
    rejectUnauthorized: false,
    headers: { ...(shown !== '' && { authorization: shown }), ...headers },
  })
  const frames: Frame[] = []
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame))
  const closed = new Promise((resolve) => {
    socket.once('close', resolve)
  })
  const status = await new Promise<number>((resolve, reject) => {
    socket.once('open', () => resolve(101))
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    })
    socket.once('error', reject)
  })
  const say = async (text: string): Promise<Frame | undefined> => {
    const count = frames.length
    socket.send(text)
    await expect.poll(() => frames.length).toBeGreaterThan(count)
    return frames.at(-1)
  }
  return { socket, frames, closed, status, say }
}

describe('events', () => {
  test('are acknowledged, and come with the object after and before', async () => {
    const name = `e${++names}`
    await ask('POST', '/profiles', { Name: name, Params: { a: 1 } })
    const { say, frames, socket } = await open()
    expect(await say(`register profiles.update.${name}`)).toEqual({
      Time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      Type: 'websocket',
      Action: 'register',
      Key: `profiles.update.${name}`,
      Principal: 'user:admin',
      Object: null,
      Original: null,
    })
    await ask('POST', '/profiles', { Name: `${name}0` })
    await ask('POST', `/profiles/${name}/params/a`, 2)
    await expect.poll(() => frames.length).toBe(2)
    expect(frames[1]).toMatchObject({
      Type: 'profiles',
      Action: 'update',
      Key: name,
      Principal: 'user:admin',
      Object: { Params: { a: 2 } },
      Original: { Params: { a: 1 } },
    })
    expect(await say(`deregister profiles.update.${name}`)).toMatchObject({ Action: 'deregister' })
    await say('register *.*.*')
    await ask('DELETE', `/profiles/${name}`)
    await expect
      .poll(() => frames.at(-1))
      .toMatchObject({ Type: 'profiles', Action: 'delete', Key: name, Original: null })
    socket.close()
  })

  test('of machines come for any of their parts, by names with commas and escapes', async () => {
    const name = `e${++names}`
    const { Uuid } = JSON.parse((await ask('POST', '/machines', { Name: name })).text) as { Uuid: string }
    const { say, frames, socket } = await open()
    await say(`register machines.create,update.${Uuid}`)
    await say(`register profiles.*.node\\1${name}`)
    await ask('PATCH', `/meta/machines/${Uuid}`, [{ op: 'add', path: '/icon', value: 'x' }])
    await expect.poll(() => frames.length).toBe(3)
    expect(frames[2]).toMatchObject({ Type: 'machines', Action: 'update', Object: { Meta: { icon: 'x' } } })
    await ask('POST', `/machines/${Uuid}/params/a`, 1)
    await expect
      .poll(() => frames.map(({ Type }) => Type).toSorted())
      .toEqual(['machines', 'machines', 'profiles', 'websocket', 'websocket'])
    socket.close()
  })

  test('are only of what the token may see, and end with it', async () => {
    const name = `e${++names}`
    await ask('POST', '/profiles', { Name: name, Params: { a: 1, b: 1 } })
    const made = await hub.client.createToken({ label: 'some', scopes: [`read:profile/${name}/params/a`] })
    const { say, frames, closed } = await open(`Bearer ${made.token}`)
    await say('register *.*.*')
    await ask('POST', '/profiles', { Name: `${name}0` })
    await ask('POST', `/profiles/${name}/params/b`, 'secret')
    await expect.poll(() => frames.length).toBe(2)
    expect(frames[1]).toMatchObject({ Key: name, Object: { Params: { a: 1 } } })
    expect(JSON.stringify(frames)).not.toContain('secret')
    await hub.client.revokeToken(made.id)
    await closed
  })

  test('need a token, and no page of another site', async () => {
    expect((await open('')).status).toBe(401)
    expect((await open('Bearer wrong')).status).toBe(403)
    expect((await open(hub.admin, { origin: 'https://example.org' })).status).toBe(403)
    const basic = `Basic ${Buffer.from(`any:${hub.admin.reveal()}`).toString('base64')}`
    const { status, socket } = await open(basic)
    expect(status).toBe(101)
    socket.close()
  })

  test('of what is no registration are an error, and of too long a one the end', async () => {
    const { say, socket, closed } = await open()
    expect(await say('hello')).toMatchObject({ Type: 'websocket', Action: 'error' })
    socket.send('x'.repeat(10_000))
    await closed
  })
})
