import type { ServerResponse } from 'node:http'
import { FlotillaError } from '../../core/errors.ts'
import { BLOCKS_SHA256_HEADER, type PeerStat, type PeerTrees } from '../../core/files/peer-wire.ts'
import { parameter } from '../../lib/s3/target.ts'
import { mayRead, type PeerCall, type PeerTree, type TreeCall } from './peer-call.ts'

/** A terabyte of large blocks. */
const BLOCKS_MAX = 1024 * 1024

export function answerTrees({ response, readable }: PeerCall, trees: readonly PeerTree[]): void {
  const names = trees.map(({ name }) => name).filter((name) => readable(name).length > 0)
  sendJson(response, { trees: names } satisfies PeerTrees)
}

export async function answerStat({ response, target, tree, allowed }: TreeCall): Promise<void> {
  const key = parameter(target.query, 'key') ?? ''
  const entry = mayRead(allowed, key) ? tree.index.get(key) : undefined
  if (entry === undefined) throw new FlotillaError('NOT_FOUND', 'there is no such file')
  const hasBlocks = tree.index.blocks(key, entry.etag, { within: [] }) !== undefined
  sendJson(response, { entry, hasBlocks } satisfies PeerStat)
}

export async function answerBlocks({ response, target, tree, allowed }: TreeCall): Promise<void> {
  const key = parameter(target.query, 'key') ?? ''
  const etag = parameter(target.query, 'etag') ?? ''
  const asked = parameter(target.query, 'within')
  const within = asked === undefined ? undefined : parseBlocks(asked)
  const blocks = mayRead(allowed, key) ? tree.index.blocks(key, etag, { ...(within && { within }) }) : undefined
  if (blocks === undefined) {
    response.writeHead(204).end()
    return
  }
  const { hashes, sha256 } = blocks
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': hashes.byteLength,
    [BLOCKS_SHA256_HEADER]: sha256,
  })
  response.end(hashes)
}

/** `0,3-5` → 0, 3, 4, 5. */
function parseBlocks(text: string): readonly number[] {
  const blocks: number[] = []
  for (const part of text === '' ? [] : text.split(',')) {
    const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    const from = Number(first)
    const to = Number(last)
    if (first === '' || to < from || blocks.length + to - from >= BLOCKS_MAX) {
      throw new FlotillaError('BAD_REQUEST', '"within" is a list of blocks such as 0,3-5')
    }
    for (let block = from; block <= to; block++) blocks.push(block)
  }
  return blocks
}

export function sendJson(response: ServerResponse, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
