import type {
  CatalogAnswer,
  CatalogChoice,
  CatalogDifference,
  CatalogNodeAnswer,
  OrderOutcome,
} from '../../core/api-catalog.ts'
import { ERRORS, type ErrorCode, type ExitCode, FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { didYouMean } from '../../lib/closest.ts'
import { CATALOG, catalogOption, nodeOf, nodeOption } from '../catalog-options.ts'
import { followOrder, followProposal } from '../catalog-order.ts'
import { command } from '../command.ts'
import { type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { plural } from '../format.ts'
import { WAIT_FOR_NODE, waitForNodeMs } from '../catalog-order.ts'

type Verdict = 'adopt' | 'revert'

const OPTIONS = {
  all: { type: 'flag', summary: 'everything that waits for a decision there' },
  ...nodeOption('on which node; needed where several differ in it'),
  ...WAIT_FOR_NODE,
  ...CATALOG,
} as const
const KEYS = [
  {
    name: 'KEY',
    summary: 'an object or file as `catalog status` tells it, such as style/burg',
    optional: true,
    variadic: true,
  },
] as const

export const catalogAdopt = command({
  arguments: KEYS,
  options: {
    ...OPTIONS,
    confirmRemoval: {
      type: 'flag',
      summary: 'instead of keys, with --node: all that is gone there was deleted on purpose',
    },
  },
  details:
    'For changes that nobody released: of a replica, or where both the node and a release changed the same. It holds for the ' +
    'versions that you see now: where the node or the release has others by then, nothing is done and the exit code is 5. ' +
    'With --confirm-removal it is for a node that lacks more than half of what it had, which else counts as a disk that is not ' +
    'mounted: what is gone there at that moment goes from the next release too if the node may release, and comes back if not.',
  examples: [
    'flotilla catalog adopt style/burg --node geo2',
    'flotilla catalog adopt --all --node geo2',
    'flotilla catalog adopt --confirm-removal --node geo1',
  ],
  run: ({ args, options }, context) =>
    options.confirmRemoval ? confirmRemoval(args.KEY, options, context) : decide('adopt', args.KEY, options, context),
})

export const catalogRevert = command({
  arguments: KEYS,
  options: OPTIONS,
  details:
    'The node gets what is released; what it had is kept there, see `flotilla catalog kept`. It holds for the versions that ' +
    'you see now, as with adopt.',
  examples: ['flotilla catalog revert style/burg --node geo2', 'flotilla catalog revert --all --node geo2'],
  run: ({ args, options }, context) => decide('revert', args.KEY, options, context),
})

interface DecideOptions {
  readonly all: boolean
  readonly node: string | undefined
  readonly timeout: string
  readonly tree: string
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly json: boolean
}

async function decide(
  order: Verdict,
  keys: readonly string[],
  options: DecideOptions,
  context: Context,
): Promise<ExitCode> {
  if ((keys.length === 0) !== options.all) {
    throw new FlotillaError('USAGE', options.all ? '--all and keys exclude each other' : `${order} what?`, {
      hint: 'Name objects as `flotilla catalog status` does, or give --all.',
    })
  }
  const timeoutMs = waitForNodeMs(options)
  return withHub(options, context, async (hub) => {
    const { tree, json } = options
    const answer = await hub.catalog.catalog(tree, { signal: context.signal })
    const at = meant(answer, keys, options.node)
    const chosen = options.all ? undecided(at) : keys.map((key) => differenceOf(at, key, tree))
    if (chosen.length === 0) {
      if (json) context.output.json('order', { node: at.node, order, keys: [], state: 'done' })
      else context.output.print(clean(`nothing waits for a decision on ${at.node}`))
      return 0
    }
    return await send({ order, at, chosen, timeoutMs, ...options }, hub, context)
  })
}

async function confirmRemoval(keys: readonly string[], options: DecideOptions, context: Context): Promise<ExitCode> {
  const { node: name, all, tree, json } = options
  if (name === undefined || all || keys.length > 0) {
    throw new FlotillaError('USAGE', '--confirm-removal goes with --node alone', {
      hint: 'Type: flotilla catalog adopt --confirm-removal --node NAME',
    })
  }
  const timeoutMs = waitForNodeMs(options)
  return withHub(options, context, async (hub) => {
    const { output, signal } = context
    const { node } = nodeOf(await hub.catalog.catalog(tree, { signal }), name)
    const order = 'confirm-removal'
    const { id } = await hub.catalog.order(tree, node, { order }, { signal })
    const outcome = await followOrder({ tree, node, id, timeoutMs }, hub, context)
    if (json) output.json('order', { node, order, keys: [], ...outcome })
    if (outcome.error !== undefined) return refused(outcome.error, node, json)
    const see = `see: flotilla catalog status${catalogOption(tree)}`
    const done = outcome.state !== 'waiting'
    if (!json)
      output.print(
        clean(
          done ? `what is gone on ${node} was meant; ${see}` : `${node} was asked and has not answered yet; ${see}`,
        ),
      )
    return done ? 0 : 3
  })
}

/** Throws it, but where it was told as JSON. */
function refused({ code, message, hint }: NonNullable<OrderOutcome['error']>, node: string, json: boolean): ExitCode {
  if (!json) throw new FlotillaError(knownCode(code), message, { node, ...(hint !== undefined && { hint }) })
  return ERRORS[knownCode(code)].exit
}

interface Sent {
  readonly order: Verdict
  readonly at: CatalogNodeAnswer
  readonly chosen: readonly CatalogDifference[]
  readonly timeoutMs: number
  readonly tree: string
  readonly json: boolean
}

async function send({ order, at, chosen, timeoutMs, tree, json }: Sent, hub: Hub, context: Context): Promise<ExitCode> {
  const { output, signal } = context
  const choices = chosen.map(choiceOf)
  const { id } = await hub.catalog.order(tree, at.node, { order, choices }, { signal })
  const outcome = await followOrder({ tree, node: at.node, id, timeoutMs }, hub, context)
  const keys = chosen.map(({ key }) => key)
  if (json) output.json('order', { node: at.node, order, keys, ...outcome })
  if (outcome.state === 'waiting') {
    if (!json) output.print(clean(`${at.node} was asked and has not answered yet; see: flotilla catalog status`))
    return 3
  }
  if (outcome.error !== undefined) return refused(outcome.error, at.node, json)
  const what = keys.length === 1 ? keys[0] : plural(keys.length, 'object or file', 'objects and files')
  const option = catalogOption(tree)
  if (order === 'adopt') return adopted({ tree, node: at.node, keys, timeoutMs, what: what ?? '', json }, hub, context)
  if (!json)
    output.print(
      clean(`${what} on ${at.node} is taken back; it is kept: flotilla catalog kept --node ${at.node}${option}`),
    )
  return 0
}

interface Adopted {
  readonly tree: string
  readonly node: string
  readonly keys: readonly string[]
  readonly timeoutMs: number
  /** In words. */
  readonly what: string
  readonly json: boolean
}

/** What is adopted becomes a release of the node in a moment; that may be refused as any release may. */
async function adopted(
  { tree, node, keys, timeoutMs, what, json }: Adopted,
  hub: Hub,
  context: Context,
): Promise<ExitCode> {
  const { output } = context
  const proposal = await followProposal({ tree, node, keys, timeoutMs }, hub, context)
  if (proposal?.error !== undefined && proposal.state === 'refused') {
    const { code, message, hint } = proposal.error
    throw new FlotillaError(knownCode(code), message, { node, ...(hint !== undefined && { hint }) })
  }
  const isReleased = proposal?.state === 'none'
  if (!json) {
    const why = proposal?.error === undefined ? '' : `: ${proposal.error.message}`
    const waits = `${what} of ${node} waits to be released${why}; see: flotilla catalog status${catalogOption(tree)}`
    output.print(clean(isReleased ? `r${proposal.released} has ${what} of ${node}` : waits))
  }
  return isReleased ? 0 : 3
}

function choiceOf({ key, local, desired }: CatalogDifference): CatalogChoice {
  return { key, ...(local !== undefined && { local }), ...(desired !== undefined && { desired }) }
}

/** The node that is named, or the only one that differs in these. */
function meant(answer: CatalogAnswer, keys: readonly string[], name: string | undefined): CatalogNodeAnswer {
  if (name !== undefined) return nodeOf(answer, name)
  const differing = answer.nodes.filter(({ catalog }) =>
    keys.length === 0 ? catalog.differences.length > 0 : catalog.differences.some(({ key }) => key === keys[0]),
  )
  const [first, ...others] = differing
  if (first !== undefined && others.length === 0) return first
  if (answer.nodes.length === 1 && answer.nodes[0] !== undefined) return answer.nodes[0]
  const names = (differing.length > 0 ? differing : answer.nodes).map(({ node }) => node)
  throw new FlotillaError('USAGE', 'on which node?', {
    hint:
      names.length === 0
        ? `No node has told anything of ${answer.tree} yet: see \`flotilla catalog status\`.`
        : `Say --node with one of: ${names.slice(0, 20).join(', ')}.`,
  })
}

function undecided({ catalog }: CatalogNodeAnswer): readonly CatalogDifference[] {
  return catalog.differences.filter(({ decision }) => decision === 'conflict' || decision === 'report')
}

/** Throws `NOT_FOUND`, with the one that was most likely meant. */
function differenceOf({ node, catalog }: CatalogNodeAnswer, key: string, tree: string): CatalogDifference {
  const found = catalog.differences.find((one) => one.key === key)
  if (found !== undefined) return found
  const keys = catalog.differences.map((one) => one.key)
  const near = didYouMean(key, keys) ?? keys.find((one) => one.endsWith(`/${key}`))
  const hint = near === undefined ? undefined : near.startsWith('Did') ? near : `Did you mean "${near}"?`
  throw new FlotillaError(
    'NOT_FOUND',
    `${node} and the release do not differ in ${JSON.stringify(key.slice(0, 200))}`,
    {
      hint: hint ?? `See what differs: flotilla catalog diff --node ${node}${catalogOption(tree)}`,
    },
  )
}

function knownCode(code: string): ErrorCode {
  // Another version than the one that was decided on: somebody was quicker.
  if (code === 'CHANGED') return 'LOST_RACE'
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL'
}
