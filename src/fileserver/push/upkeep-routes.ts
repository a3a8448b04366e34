import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { FlotillaError } from '../../core/errors.ts'
import type { Distribution, MissingFile } from '../../core/push/distribution.ts'
import { isGone } from '../../core/push/operation.ts'
import type { MissingLine, MissingPage, TreeChildren, Upkeep } from '../../core/push/upkeep.ts'
import { parameter } from '../../lib/s3/target.ts'
import { mayRead, type TreeCall } from '../peer/peer-call.ts'
import { sendJson } from '../peer/small-answers.ts'

const PAGE = 1000

interface UpkeepRoute {
  readonly methods: readonly string[]
  readonly answer: (call: TreeCall) => Promise<void>
}

/** What people ask about the children of a tree: see `core/push/upkeep.ts`. */
export function upkeepRoutes(): Readonly<Record<string, UpkeepRoute>> {
  return {
    children: { methods: ['GET'], answer: answerChildren },
    missing: { methods: ['GET'], answer: answerMissing },
    repair: { methods: ['POST'], answer: answerRepair },
    provision: { methods: ['POST'], answer: answerProvision },
  }
}

async function answerChildren({ response, tree }: TreeCall): Promise<void> {
  const { name, distribution } = tree
  const children = distribution?.children() ?? []
  const { fedBy, outdatedBy } = distribution ?? {}
  sendJson(response, { tree: name, fedBy, outdatedBy, children } satisfies TreeChildren)
}

async function answerMissing(call: TreeCall): Promise<void> {
  const { response, target, allowed } = call
  const child = childIn(call)
  const after = parameter(target.query, 'after') ?? ''
  const found = distributionOf(call).missing(child, { after, limit: PAGE })
  if (found === undefined) throw noChild(call, child)
  const next = found.length < PAGE ? undefined : found.at(-1)?.operation.key
  const files = found.filter(({ operation }) => mayRead(allowed, operation.key)).map(lineOf)
  sendJson(response, { files, ...(next !== undefined && { next }) } satisfies MissingPage)
}

function lineOf({ operation, recordedMs, error }: MissingFile): MissingLine {
  return { key: operation.key, size: isGone(operation) ? undefined : operation.size, recordedMs, error }
}

async function answerRepair(call: TreeCall): Promise<void> {
  const { response, target, signal } = call
  const upkeep = upkeepOf(call)
  const child = childIn(call)
  const lines = new Lines(response)
  const report = await upkeep.repair(child, {
    prefix: parameter(target.query, 'prefix') ?? '',
    isRepair: parameter(target.query, 'dry') !== '1',
    isTakingBack: parameter(target.query, 'take') === '1',
    onProgress: (counted) => void lines.say(counted),
    signal,
  })
  if (report === undefined) throw noChild(call, child)
  const { named, ...counted } = report
  await lines.say(counted)
  for (const difference of named) await lines.say({ key: difference.key, kind: difference.kind })
  lines.end()
}

async function answerProvision(call: TreeCall): Promise<void> {
  const child = childIn(call)
  const progress = upkeepOf(call).provision(child, { signal: call.signal })
  if (progress === undefined) throw noChild(call, child)
  const lines = new Lines(call.response)
  for await (const provisioned of progress) await lines.say(provisioned)
  lines.end()
}

function childIn({ target }: TreeCall): string {
  const child = parameter(target.query, 'child')
  if (child !== undefined && child !== '') return child
  throw new FlotillaError('BAD_REQUEST', 'the child is not named')
}

function distributionOf({ tree }: TreeCall): Distribution {
  if (tree.distribution !== undefined) return tree.distribution
  throw new FlotillaError('NOT_FOUND', `the tree ${tree.name} has no children here`)
}

function upkeepOf(call: TreeCall): Upkeep {
  const { name } = call.tree
  if (!call.writable(name).includes('')) {
    throw new FlotillaError('FORBIDDEN', `these credentials may not write the whole tree ${name}`, {
      hint: 'Use a key that has `write` on this tree without a prefix.',
    })
  }
  const { upkeep } = distributionOf(call)
  if (upkeep !== undefined) return upkeep
  throw new FlotillaError('NOT_FOUND', `the tree ${name} has no children here`)
}

function noChild({ tree }: TreeCall, child: string): FlotillaError {
  const names = tree.distribution?.children().map(({ name }) => name) ?? []
  return new FlotillaError('NOT_FOUND', `the tree ${tree.name} has no child ${child} here`, {
    hint: names.length === 0 ? 'It has none at all.' : `It has: ${names.join(', ')}.`,
  })
}

/** Lines of JSON, told as they come. */
class Lines {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  async say(value: object): Promise<void> {
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' })
    }
    if (!this.#response.write(`${JSON.stringify(value)}\n`)) await once(this.#response, 'drain').catch(() => undefined)
  }

  end(): void {
    this.#response.end()
  }
}
