import { once as happened } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource, HttpRange } from '../core/files/source.ts'
import { BLOCK_BYTES } from '../core/sync/blocks.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { MemorySource } from '../../test/helpers/memory-source.ts'
import { hastyClock, once } from '../../test/helpers/pulling.ts'

const BLOCKS = 16
/** What begins at once, before it is known how quick the line is. */
const FIRST = 4

test.skipIf(process.platform !== 'linux')(
  'after a beginning out of order, what comes in order is hashed on its way and not read again',
  async () => {
    const content = Buffer.alloc(BLOCKS * BLOCK_BYTES)
    for (let at = 0; at < content.byteLength; at += 4096) content.writeUInt32LE(at, at)
    const memory = new MemorySource({ hashes: true })
    memory.put('large', content)
    const to = join(temporaryFolder(), 'to')
    const source = await overHttp(memory, content)
    const before = bytesRead()
    // No time passes: any line is a quick one, and one range comes after the other.
    await once(source, to, { clock: { ...hastyClock, monotonicMs: () => 0 } })
    const again = bytesRead() - before - content.byteLength
    expect(again).toBeLessThan((FIRST + 2) * BLOCK_BYTES)
    expect(readFileSync(join(to, 'large')).equals(content)).toBe(true)
  },
)

/** Of files and sockets, by this process. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

async function overHttp(source: MemorySource, content: Buffer): Promise<FileSource> {
  const server = createServer((request, response) => {
    const [start = 0, end = 0] = (request.headers.range ?? '').replace('bytes=', '').split('-').map(Number)
    const bytes = content.subarray(start, end + 1)
    const range = `bytes ${start}-${end}/${content.byteLength}`
    response.writeHead(206, { 'content-length': bytes.byteLength, 'content-range': range }).end(bytes)
  })
  server.listen(0, '127.0.0.1')
  await happened(server, 'listening')
  onTestFinished(() => void server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const range = (_: FileEntry, { start, end }: { start: number; end: number }): HttpRange => ({
    origin,
    path: '/large',
    headers: { range: `bytes=${start}-${end - 1}` },
  })
  return Object.assign(source, { range })
}
