import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test, vi } from 'vitest'
import { urlOf } from '../helpers/push-clients.ts'
import { PushCluster, type PushedNode } from '../helpers/push-cluster.ts'

const isSoak = process.env['FLOTILLA_SOAK'] === '1'
vi.setConfig({ testTimeout: isSoak ? 7_200_000 : 240_000 })

const MIB = 1024 * 1024
const SIZE = (isSoak ? 20 * 1024 : 300) * MIB
/** A machine that does much else collects garbage later; a body that is held would show at either size. */
const MEMORY_MB = isSoak ? 150 : 200

/** So many bytes, no block like the one before, and their hash once they have been read. */
function generated(size: number): { readonly body: Readable; readonly sha256: () => string } {
  const hash = createHash('sha256')
  const blocks = function* (): Generator<Buffer, void> {
    for (let at = 0; at < size; at += MIB) {
      const block = Buffer.alloc(MIB, (at / MIB) % 251)
      block.writeDoubleLE(at, 0)
      hash.update(block)
      yield block
    }
  }
  return { body: Readable.from(blocks(), { highWaterMark: 2 }), sha256: () => hash.digest('hex') }
}

async function put(url: string, body: Readable, headers: Readonly<Record<string, string | number>>): Promise<string> {
  const sending = request(url, { method: 'PUT', headers })
  const answered = new Promise<string>((resolve, reject) => {
    sending.on('error', reject)
    sending.on('response', (answer) => {
      let text = `${answer.statusCode} `
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
      answer.on('end', () => resolve(text))
    })
  })
  await pipeline(body, sending)
  return await answered
}

async function hashOf(node: PushedNode, key: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(join(node.folder, key), { highWaterMark: MIB }), hash)
  return hash.digest('hex')
}

/** The very first start compiles everything, which takes memory of its own. */
async function startedBefore(): Promise<void> {
  const { root } = await PushCluster.started({ shape: { root: [] } })
  await root.running?.stop()
}

for (const [how, length] of [
  ['whose length is told', { 'content-length': SIZE }],
  ['in chunks', {}],
] as const) {
  test(`a body of any size, ${how}, goes through root, child and grandchild in constant memory`, async () => {
    await startedBefore()
    const cluster = await PushCluster.started({ shape: { root: ['child'], child: ['below'], below: [] } })
    const { body, sha256 } = generated(SIZE)
    const headers = { 'x-flotilla-ack': 'all', 'x-flotilla-ack-timeout': '3600', ...length }
    // Who is not met yet does not follow a body, but gets it when it is whole.
    expect(await put(urlOf(cluster.root, 'first'), Readable.from([]), { ...headers, 'content-length': 0 })).toMatch(
      /^201 /,
    )
    expect(await put(urlOf(cluster.root, 'large'), body, headers)).toMatch(/^201 /)
    const expected = sha256()
    for (const node of cluster.nodes.values()) {
      expect(await hashOf(node, 'large'), node.name).toBe(expected)
      expect(node.peakMemory(), node.name).toBeLessThan(MEMORY_MB)
    }
  })
}
